// SPDX-License-Identifier: Apache-2.0

package remoting

import "sync/atomic"

// maxIdleWorkers wait for something to do; further ones end.
const maxIdleWorkers = 16

// workers run parked calls when they go on. They are used again: a goroutine that was made for one call would first have
// to grow its stack, which costs more than to hand the call over.
type workers struct {
	tasks chan func() // taken by those that are idle
	idle  atomic.Int32
	stop  <-chan struct{} // ends the idle ones
}

func newWorkers(stop <-chan struct{}) *workers {
	return &workers{tasks: make(chan func()), stop: stop}
}

// run has fn run by a worker that is idle, or by a new one. It does not wait.
func (w *workers) run(fn func()) {
	select {
	case w.tasks <- fn:
	default:
		go w.work(fn)
	}
}

func (w *workers) work(fn func()) {
	for {
		fn()
		if w.idle.Add(1) > maxIdleWorkers {
			w.idle.Add(-1)
			return
		}
		select {
		case fn = <-w.tasks:
			w.idle.Add(-1)
		case <-w.stop:
			w.idle.Add(-1)
			return
		}
	}
}
