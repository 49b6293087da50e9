// SPDX-License-Identifier: Apache-2.0

// The queues that orderly consumers hold. A lock is a lease: its client renews it by locking
// again, and it ends when that does not happen in time. Java: RebalanceLockManager.

package session

import (
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"rocketd/protocol"
)

const queueLease = 60 * time.Second

// QueueLock is who holds which queue for its group.
type QueueLock struct {
	clock clockwork.Clock

	mu     sync.Mutex
	groups map[string]map[protocol.MessageQueue]lease
}

type lease struct {
	clientID string
	end      time.Time // the last instant at which it still holds
}

func (l lease) holds(now time.Time) bool { return !now.After(l.end) }

// NewQueueLock returns a table in which nothing is held.
func NewQueueLock(clock clockwork.Clock) *QueueLock {
	return &QueueLock{clock: clock, groups: map[string]map[protocol.MessageQueue]lease{}}
}

// TryLockBatch locks or renews the queues that no other client of the group holds, and returns
// those that the client holds now, in the order asked for.
func (l *QueueLock) TryLockBatch(group, clientID string, mqs []protocol.MessageQueue) []protocol.MessageQueue {
	now := l.clock.Now()
	held := make([]protocol.MessageQueue, 0, len(mqs))
	l.mu.Lock()
	defer l.mu.Unlock()
	leases := l.groups[group]
	if leases == nil && len(mqs) > 0 {
		leases = map[protocol.MessageQueue]lease{}
		l.groups[group] = leases
	}
	for _, mq := range mqs {
		if current, ok := leases[mq]; ok && current.clientID != clientID && current.holds(now) {
			continue
		}
		leases[mq] = lease{clientID: clientID, end: now.Add(queueLease)}
		held = append(held, mq)
	}
	return held
}

// Unlock gives up those of the queues that the client holds.
func (l *QueueLock) Unlock(group, clientID string, mqs []protocol.MessageQueue) {
	l.mu.Lock()
	defer l.mu.Unlock()
	leases := l.groups[group]
	for _, mq := range mqs {
		if current, ok := leases[mq]; ok && current.clientID == clientID {
			delete(leases, mq)
		}
	}
	if len(leases) == 0 {
		delete(l.groups, group)
	}
}

// HeldByAny reports whether some client of the group holds a queue.
func (l *QueueLock) HeldByAny(group string) bool {
	now := l.clock.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, current := range l.groups[group] {
		if current.holds(now) {
			return true
		}
	}
	return false
}

// Sweep forgets the leases that have ended.
func (l *QueueLock) Sweep() {
	now := l.clock.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for group, leases := range l.groups {
		for mq, current := range leases {
			if !current.holds(now) {
				delete(leases, mq)
			}
		}
		if len(leases) == 0 {
			delete(l.groups, group)
		}
	}
}
