// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// runIdle opens connections, each with a heartbeat and, unless told otherwise, a pull that waits, and looks at the server
// for the duration. A message of the result is a connection.
func runIdle(ctx context.Context, o *options) (*Result, error) {
	if err := o.prepare(ctx); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var all sync.WaitGroup
	var failed atomic.Int64
	for i := range o.conns {
		peer, err := o.dial(ctx)
		if err != nil {
			return nil, err
		}
		defer peer.Close()
		if err := succeed(ctx, peer, heartbeat(fmt.Sprintf("mqtools_bench@%d", i), o.group, []string{o.topic})); err != nil {
			return nil, err
		}
		if o.park {
			r := &reader{options: o, peer: peer, group: o.group, queue: int32(i) % o.queues, tally: newTally()}
			if r.next, err = r.end(ctx); err != nil {
				return nil, err
			}
			all.Go(func() {
				for ctx.Err() == nil {
					if _, err := r.pull(ctx, true, false); err != nil && ctx.Err() == nil {
						failed.Add(1)
						return
					}
				}
			})
		}
	}
	m := newMeter(o.pid)
	select {
	case <-time.After(o.duration):
	case <-ctx.Done():
	}
	r := m.result("idle")
	stop()
	all.Wait()
	r.Messages, r.Errors, r.PerSecond, r.CPUMicros = int64(o.conns), failed.Load(), 0, 0
	return r, nil
}
