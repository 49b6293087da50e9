// SPDX-License-Identifier: Apache-2.0

// watch.go: the connections of one listener or client, and the coarse clock by which idle, slow and stuck ones are
// found. One look per second over all of them replaces a deadline per read and write. Java: IdleStateHandler.
package remoting

import (
	"sync"
	"sync/atomic"
	"time"
)

// frameRate is the slowest rate, in bytes per second, at which a long frame may arrive.
const frameRate = 64 << 10

type watch struct {
	start time.Time
	now   atomic.Int64 // nanoseconds since start as of the last look, never 0

	mu     sync.Mutex
	conns  map[*conn]struct{} // guarded by mu
	closed bool               // guarded by mu: takes no more connections
	empty  chan struct{}      // holds a token after the last connection went

	workers workers // of the connections' parked calls

	stop    chan struct{}
	stopped chan struct{}
}

// newWatch returns a watch whose run the caller starts.
func newWatch() *watch {
	w := &watch{
		start:   time.Now(),
		conns:   make(map[*conn]struct{}),
		empty:   make(chan struct{}, 1),
		stop:    make(chan struct{}),
		stopped: make(chan struct{}),
	}
	w.now.Store(1)
	return w
}

// run looks at the connections until halt.
func (w *watch) run(l limits) {
	defer close(w.stopped)
	ticks := time.NewTicker(l.sweep)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			w.now.Store(int64(time.Since(w.start)) + 1)
			w.look(l)
		case <-w.stop:
			return
		}
	}
}

func (w *watch) halt() {
	close(w.stop)
	<-w.stopped
	w.workers.close()
}

// look closes the connections that are idle, slow or stuck.
func (w *watch) look(l limits) {
	now := w.now.Load()
	for _, c := range w.all() {
		select {
		case <-c.done: // closed before, its goroutines have not left yet
			continue
		default:
		}
		if why := c.overdue(now, l); why != "" {
			c.counts.expired.Add(1)
			c.log.Info().Str("peer", c.remote).Str("why", why).Msg("closing connection")
			c.shut()
		}
	}
}

// overdue says why a connection has to be closed, or nothing.
func (c *conn) overdue(now int64, l limits) string {
	if now-max(c.lastRead.Load(), c.lastWrite.Load()) > int64(l.idle) {
		return "idle"
	}
	if since := c.writeSince.Load(); since != 0 && now-since > int64(l.writeTimeout) {
		return "peer does not read"
	}
	if since := c.frameSince.Load(); since != 0 {
		allowed := int64(l.frameTimeout) + c.frameBytes.Load()*int64(time.Second)/frameRate
		if now-since > allowed {
			return "frame does not arrive"
		}
	}
	return ""
}

// add takes a connection in, unless the watch is closed.
func (w *watch) add(c *conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.conns[c] = struct{}{}
	return true
}

func (w *watch) remove(c *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.conns, c)
	if len(w.conns) == 0 {
		select {
		case w.empty <- struct{}{}:
		default:
		}
	}
}

func (w *watch) all() []*conn {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := make([]*conn, 0, len(w.conns))
	for c := range w.conns {
		list = append(list, c)
	}
	return list
}

// shutDoor lets no more connections in.
func (w *watch) shutDoor() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
}

// awaitEmpty waits until no connection is left, at most d.
func (w *watch) awaitEmpty(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		w.mu.Lock()
		left := len(w.conns)
		w.mu.Unlock()
		if left == 0 {
			return true
		}
		select {
		case <-w.empty:
		case <-timer.C:
			return false
		}
	}
}
