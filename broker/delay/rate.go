// SPDX-License-Identifier: Apache-2.0

package delay

import (
	"sync"

	"github.com/jonboulle/clockwork"
)

// rate counts what happens in a second.
type rate struct {
	clock clockwork.Clock

	mu        sync.Mutex
	second    int64
	now, last float64 // in that second, and in the one before
}

func (r *rate) add() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turn()
	r.now++
}

// perSecond is what happened in the last whole second.
func (r *rate) perSecond() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turn()
	return r.last
}

func (r *rate) turn() {
	second := r.clock.Now().Unix()
	switch second - r.second {
	case 0:
		return
	case 1:
		r.last = r.now
	default:
		r.last = 0
	}
	r.second, r.now = second, 0
}
