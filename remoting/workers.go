// SPDX-License-Identifier: Apache-2.0

package remoting

import "sync"

// maxIdleWorkers wait for something to do; further ones end.
const maxIdleWorkers = 16

// workers run parked calls when they go on. They are used again: a goroutine that was made for one call would first have
// to grow its stack, which costs more than to hand the call over.
type workers struct {
	mu     sync.Mutex
	idle   []chan<- func() // of those that wait for a task, the last one to begin last
	closed bool
}

// run has fn run by a worker that is idle, or by a new one. It does not wait.
func (w *workers) run(fn func()) {
	w.mu.Lock()
	last := len(w.idle) - 1
	if last < 0 {
		w.mu.Unlock()
		go w.work(fn)
		return
	}
	worker := w.idle[last]
	w.idle = w.idle[:last]
	w.mu.Unlock()
	worker <- fn
}

func (w *workers) work(fn func()) {
	tasks := make(chan func(), 1) // so that who hands one over never waits
	for fn != nil {
		fn()
		if !w.rest(tasks) {
			return
		}
		fn = <-tasks
	}
}

// rest enters a worker as idle. It reports false when it is to end.
func (w *workers) rest(tasks chan<- func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || len(w.idle) == maxIdleWorkers {
		return false
	}
	w.idle = append(w.idle, tasks)
	return true
}

// close ends the idle workers, and the others after their task.
func (w *workers) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for _, worker := range w.idle {
		worker <- nil
	}
	w.idle = nil
}
