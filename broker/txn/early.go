// SPDX-License-Identifier: Apache-2.0

package txn

import (
	"strconv"
	"sync"
	"time"

	"rocketd/protocol/message"
)

// early remembers decisions about half messages that set their own time for it (CHECK_IMMUNITY_TIME_IN_SECONDS). Each round
// within that time stores such a message again, so that the producer decides about an original that the rounds have long
// passed. Java asks about the copy then, and the message is delivered twice; so does this after a restart.
type early struct {
	mu    sync.Mutex
	until map[place]time.Time
}

// place is where an original stands.
type place struct {
	queueID int32
	offset  int64
}

// keepEarly is how much longer than its own time a decision is remembered: some rounds.
const keepEarly = 10 * time.Minute

func (e *early) add(half *message.Message, span time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.until[place{half.QueueID, half.QueueOffset}] = time.UnixMilli(half.BornTimestampMs).Add(span + keepEarly)
}

// take says whether the original of a copy has been decided.
func (e *early) take(half *message.Message) bool {
	text, _ := half.Property(message.PropTranPreparedOffset)
	offset, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	at := place{half.QueueID, offset}
	_, ok := e.until[at]
	delete(e.until, at)
	return ok
}

// forget drops what no copy will be asked about any more.
func (e *early) forget(now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for at, until := range e.until {
		if until.Before(now) {
			delete(e.until, at)
		}
	}
}
