// SPDX-License-Identifier: Apache-2.0

// Package run starts goroutines: named, owned by a group, ended in stages. Outside of it and of remoting no
// goroutine is started.
package run

import (
	"context"
	"fmt"
	"runtime/pprof"
	"sync"
)

// Group is a set of goroutines that end together. When the context given to NewGroup ends, or a goroutine fails, Wait
// cancels the stages one after the other in ascending order: each one's goroutines have all returned before the next
// is cancelled. So a stage may rely on the later ones until it has returned.
//
// A goroutine may return nil early; the others go on. A panic is not caught.
type Group struct {
	ctx  context.Context
	stop context.CancelFunc // called at the first failure

	mu      sync.Mutex
	changed *sync.Cond // a goroutine has returned, or ctx has ended
	stages  map[int]*stage
	running int   // goroutines of all stages
	failure error // the first
}

// stage is the goroutines that are cancelled together.
type stage struct {
	ctx     context.Context
	cancel  context.CancelFunc
	running int
}

// NewGroup returns an empty group. Wait must be called: it is what stops the stages and releases their contexts.
func NewGroup(ctx context.Context) *Group {
	g := &Group{stages: map[int]*stage{}}
	g.ctx, g.stop = context.WithCancel(ctx)
	g.changed = sync.NewCond(&g.mu)
	return g
}

// Go starts fn under the given name, which profiles show. Values of the group's context are visible in fn's, but its
// end is not: fn's context ends with its stage. Goroutines of the group may call Go while they run; when the stage has
// been cancelled, fn runs with a context that has ended or soon will.
func (g *Group) Go(stage int, name string, fn func(ctx context.Context) error) {
	g.mu.Lock()
	s := g.stage(stage)
	s.running++
	g.running++
	g.mu.Unlock()
	go pprof.Do(s.ctx, pprof.Labels("name", name), func(ctx context.Context) {
		err := fn(ctx)
		g.mu.Lock()
		defer g.mu.Unlock()
		if err != nil && g.failure == nil {
			g.failure = fmt.Errorf("%s: %w", name, err)
			g.stop()
		}
		s.running--
		g.running--
		g.changed.Broadcast()
	})
}

// Wait returns when all goroutines have returned, with the first failure, which the name of its goroutine precedes.
func (g *Group) Wait() error {
	defer g.stop()
	unwatch := context.AfterFunc(g.ctx, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.changed.Broadcast()
	})
	defer unwatch()
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.running > 0 && g.ctx.Err() == nil {
		g.changed.Wait()
	}
	for g.running > 0 {
		g.lowestRunning().cancel()
		g.changed.Wait()
	}
	for _, s := range g.stages {
		s.cancel()
	}
	return g.failure
}

// stage returns the stage of the given number. The caller holds mu.
func (g *Group) stage(number int) *stage {
	s := g.stages[number]
	if s == nil {
		s = &stage{}
		s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(g.ctx))
		g.stages[number] = s
	}
	return s
}

// lowestRunning returns the stage that is to end next. The caller holds mu; a goroutine runs.
func (g *Group) lowestRunning() *stage {
	var lowest *stage
	at := 0
	for number, s := range g.stages {
		if s.running > 0 && (lowest == nil || number < at) {
			lowest, at = s, number
		}
	}
	return lowest
}

// Spawn starts fn as a goroutine that profiles show under the given name. The caller knows how it ends.
func Spawn(name string, fn func()) {
	go pprof.Do(context.Background(), pprof.Labels("name", name), func(context.Context) { fn() })
}
