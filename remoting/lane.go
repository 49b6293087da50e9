// SPDX-License-Identifier: Apache-2.0

// lane.go: how many requests of a kind may be in work at once. Java: the executors of BrokerController; a lane's limit
// is Java's queue capacity, because there are no worker pools here. Outcome when full: SystemBusy.
package remoting

import "sync/atomic"

const overloadRemark = "[OVERLOAD]system busy, start flow control for a while"

// Lane bounds the requests of some codes. An inline lane runs its handlers on the connection's reader, in the order of
// arrival, and refuses nothing; its handlers must not block (see Detach). Any other lane gives each request a goroutine.
// Parked calls hold no place in their lane.
type Lane struct {
	name   string
	limit  int64
	inline bool

	busy    atomic.Int64 // admitted and not yet finished
	refused atomic.Uint64
}

// NewLane returns a lane that admits at most limit requests at a time; 0 means any number. On an inline lane only the
// detached ones count.
func NewLane(name string, limit int, inline bool) *Lane {
	return &Lane{name: name, limit: int64(limit), inline: inline}
}

// Name is the name given to NewLane.
func (l *Lane) Name() string { return l.name }

// Busy is the number of requests that hold a place now.
func (l *Lane) Busy() int { return int(l.busy.Load()) }

// Refused is the number of requests answered SystemBusy so far.
func (l *Lane) Refused() uint64 { return l.refused.Load() }

// admit takes a place; the caller gives it back with leave.
func (l *Lane) admit() bool {
	if l.busy.Add(1) > l.limit && l.limit > 0 {
		l.busy.Add(-1)
		l.refused.Add(1)
		return false
	}
	return true
}

func (l *Lane) leave() { l.busy.Add(-1) }
