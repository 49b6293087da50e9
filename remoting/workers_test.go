// SPDX-License-Identifier: Apache-2.0

package remoting

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Nothing waits for a worker, however many are at work; those that stay idle are few and end when told.
func TestWorkers(t *testing.T) {
	w := new(workers)
	idle := func() int {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.idle)
	}
	const count = 10 * maxIdleWorkers
	for range 3 {
		var ran atomic.Int32
		var all sync.WaitGroup
		gate := make(chan struct{})
		all.Add(count)
		for range count {
			w.run(func() {
				ran.Add(1)
				<-gate
				all.Done()
			})
		}
		require.Eventually(t, func() bool { return ran.Load() == count }, 10*time.Second, time.Millisecond, "all at once")
		close(gate)
		all.Wait()
		require.Eventually(t, func() bool { return idle() == maxIdleWorkers }, 10*time.Second, time.Millisecond)
	}
	w.close()
	require.Zero(t, idle())
}
