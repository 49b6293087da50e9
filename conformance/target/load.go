// SPDX-License-Identifier: Apache-2.0

package target

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Load sends from several goroutines until it is told to stop, and remembers what was acknowledged. Nothing is ever
// sent twice, so a body that is stored twice was doubled by the server.
type Load struct {
	stop  atomic.Bool
	done  sync.WaitGroup
	mu    sync.Mutex
	acked map[string]bool
}

// StartLoad has send called by each sender with one body after the other; no error means that it was acknowledged.
func StartLoad(senders int, send func(body []byte) error) *Load {
	l := &Load{acked: map[string]bool{}}
	for sender := range senders {
		l.done.Go(func() {
			for i := 0; !l.stop.Load(); i++ {
				body := fmt.Appendf(nil, "sender %d message %d", sender, i)
				if err := send(body); err != nil {
					time.Sleep(10 * time.Millisecond) // the server is away: no need to spin
					continue
				}
				l.mu.Lock()
				l.acked[string(body)] = true
				l.mu.Unlock()
			}
		})
	}
	return l
}

// Count is how many messages have been acknowledged.
func (l *Load) Count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

// End stops the senders and returns the bodies that were acknowledged.
func (l *Load) End() map[string]bool {
	l.stop.Store(true)
	l.done.Wait()
	return l.acked
}

// RequireOnce demands that what was acknowledged is stored once, and that nothing is stored twice. stored counts bodies.
func RequireOnce(t testing.TB, acked map[string]bool, stored map[string]int) {
	t.Helper()
	for body := range acked {
		if stored[body] != 1 {
			t.Errorf("%q was acknowledged and is stored %d times", body, stored[body])
		}
	}
	for body, times := range stored {
		if times != 1 {
			t.Errorf("%q is stored %d times", body, times)
		}
	}
}
