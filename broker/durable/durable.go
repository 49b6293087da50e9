// SPDX-License-Identifier: Apache-2.0

// Package durable holds sends that wait for the disk. A send that waits holds no goroutine: the sync that makes its
// message durable answers it, and all others that it covers, with one write a connection. Java: FlushManager,
// GroupCommitService.
package durable

import (
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"rocketd/protocol"
	"rocketd/remoting"
)

// Sends are the sends that wait.
type Sends struct {
	clock   clockwork.Clock
	limit   int
	timeout func() time.Duration

	mu      sync.Mutex
	waiting []send // in the order of Add
	armed   bool   // a timer will run expire
}

type send struct {
	call      *remoting.Call
	result    *protocol.SendResult
	endOffset int64
	since     time.Time
}

// New returns an empty set for at most limit sends, each of which waits for at most timeout.
func New(clock clockwork.Clock, limit int, timeout func() time.Duration) *Sends {
	return &Sends{clock: clock, limit: limit, timeout: timeout}
}

// Full says whether sends are to be refused before they are stored.
func (s *Sends) Full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting) >= s.limit
}

// Add answers a send with its result once the log is durable up to endOffset. The call's handler returns Parked at once:
// the call is not its own any more.
func (s *Sends) Add(call *remoting.Call, result *protocol.SendResult, endOffset int64) {
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = append(s.waiting, send{call, result, endOffset, now})
	if !s.armed {
		s.armed = true
		s.clock.AfterFunc(s.timeout(), s.expire)
	}
}

// Flushed answers the sends that are durable now that the log is up to flushed, or all when err says that it will be no
// more. It does not block.
func (s *Sends) Flushed(flushed int64, err error) {
	s.answer(err != nil, func(x *send) bool { return err != nil || x.endOffset <= flushed })
}

// expire answers the sends that have waited for too long, and comes again when the next one will have.
func (s *Sends) expire() {
	deadline := s.clock.Now().Add(-s.timeout())
	s.answer(true, func(x *send) bool { return !x.since.After(deadline) })
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.armed = len(s.waiting) > 0; s.armed {
		s.clock.AfterFunc(s.waiting[0].since.Add(s.timeout()).Sub(s.clock.Now()), s.expire)
	}
}

// answer takes out the sends that are over. A disk that is late or has failed is an outcome and no error: the message is
// stored.
func (s *Sends) answer(late bool, over func(x *send) bool) {
	var answers []remoting.Answer
	s.mu.Lock()
	kept := s.waiting[:0]
	for i := range s.waiting {
		x := &s.waiting[i]
		if !over(x) {
			kept = append(kept, *x)
			continue
		}
		answers = append(answers, remoting.Answer{Call: x.call, Header: x.result})
	}
	clear(s.waiting[len(kept):])
	s.waiting = kept
	s.mu.Unlock()
	if late {
		for _, a := range answers {
			a.Call.Outcome(protocol.FlushDiskTimeout, "")
		}
	}
	remoting.ReplyAll(answers)
}
