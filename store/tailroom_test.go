// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"

	"rocketd/store/vfs"
)

// An appender that found the tails full goes on while the dispatcher still has much to write.
func TestAppenderNeedsRoomForOneUnit(t *testing.T) {
	fsys, cfg := vfs.NewMem(), smallConfig("/store")
	s := newStore(t, fsys, cfg)
	for i := range cfg.QueueTailMaxUnits {
		mustPut(t, s, newMessage("T", int32(i/2), "x"))
	}
	writes, reached, goOn := 0, make(chan bool), make(chan bool)
	fsys.SetFault(func(op vfs.Op) error {
		if op.Kind == "write" && strings.Contains(op.Name, "consumequeue") {
			if writes++; writes == cfg.QueueTailMaxUnits/4 { // half of the queues, two units each
				close(reached)
				<-goOn
			}
		}
		return nil
	})
	written := make(chan error)
	go func() { written <- s.dispatchAll() }()
	<-reached
	require.Less(t, int(s.pending.Load()), cfg.QueueTailMaxUnits)
	for s.pending.Load() < int64(cfg.QueueTailMaxUnits) {
		mustPut(t, s, newMessage("T", 0, "more"))
	}
	put := make(chan error)
	go func() {
		_, err := s.Put(newMessage("T", 0, "last"))
		put <- err
	}()
	select {
	case err := <-put:
		t.Fatal("there was no room", err)
	case goOn <- true:
	}
	require.NoError(t, <-put)
	require.NoError(t, <-written)
	fsys.SetFault(nil)
	require.NoError(t, s.Close())
}

func TestTailRoom(t *testing.T) {
	var r tailRoom
	require.False(t, r.wait(func() bool { return true }), "nobody makes room")
	require.True(t, r.wait(func() bool { return false }))
	r.begin()
	full := make(chan bool, 1)
	full <- true
	isFull := func() bool {
		f := <-full
		full <- f
		return f
	}
	ended := make(chan bool)
	go func() { ended <- r.wait(isFull) }()
	<-full
	full <- false
	r.made(100, 200)
	require.True(t, <-ended)
	<-full
	full <- true
	go func() { ended <- r.wait(isFull) }()
	r.end()
	require.False(t, <-ended, "the writer gave up")
}

// With more busy queues than descriptors units gather longer.
func TestGather(t *testing.T) {
	cfg := smallConfig("/store")
	cfg.MaxOpenQueueFiles = 2
	clock := clockwork.NewFakeClock()
	deps := newDeps(vfs.NewMem())
	deps.Clock = clock
	s, err := Open(cfg, deps)
	require.NoError(t, err)
	ctx := context.Background()
	gatherings := func() (timers int) {
		ended := make(chan bool)
		go func() {
			s.gather(ctx)
			close(ended)
		}()
		for {
			if !tick(t, clock, ended) {
				return timers
			}
			timers++
		}
	}
	mustPut(t, s, newMessage("T", 0, "a"))
	mustPut(t, s, newMessage("T", 1, "b"))
	require.Equal(t, 1, gatherings())
	mustPut(t, s, newMessage("T", 2, "c"))
	require.Equal(t, int(gatherMost/gatherTime), gatherings())
	s.urgent <- struct{}{}
	s.gather(ctx) // at once
	require.NoError(t, s.Close())
}

// tick lets the next timer end; false when nobody makes another.
func tick(t *testing.T, clock *clockwork.FakeClock, ended chan bool) bool {
	ctx, cancel := context.WithCancel(context.Background())
	waits := make(chan error, 1)
	go func() { waits <- clock.BlockUntilContext(ctx, 1) }()
	defer cancel()
	select {
	case <-ended:
		return false
	case err := <-waits:
		require.NoError(t, err)
		clock.Advance(gatherTime)
		return true
	case <-time.After(time.Minute):
		t.Fatal("neither waits nor ends")
		return false
	}
}
