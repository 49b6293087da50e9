// SPDX-License-Identifier: Apache-2.0

package store

import "sync"

// tailRoom is where appenders wait for room in the tails while others write
// them. With very many queues that takes seconds; an appender needs room for
// one unit.
type tailRoom struct {
	mu      sync.Mutex
	changed *sync.Cond // made when somebody waits first
	waiting int
	writers int
}

// wait returns true once there is room, and false as soon as there is none and
// nobody makes any.
func (r *tailRoom) wait(full func() bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changed == nil {
		r.changed = sync.NewCond(&r.mu)
	}
	r.waiting++
	defer func() { r.waiting-- }()
	for full() && r.writers > 0 {
		r.changed.Wait()
	}
	return !full()
}

func (r *tailRoom) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writers++
}

func (r *tailRoom) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writers--
	r.wake()
}

func (r *tailRoom) wake() {
	if r.waiting > 0 {
		r.changed.Broadcast()
	}
}

// roomUnits is how much room is worth waking who waits, if the tails may have
// as much.
const roomUnits = 1024

// made says how many units the tails still have, of as many as they may.
func (r *tailRoom) made(left int64, most int) {
	if left > int64(most-min(roomUnits, most/4)) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wake()
}
