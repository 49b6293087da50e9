// SPDX-License-Identifier: Apache-2.0

package run

import (
	"bytes"
	"context"
	"errors"
	"runtime/pprof"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// journal records in which order things happen.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

func (j *journal) untilCancelled(name string) func(context.Context) error {
	return func(ctx context.Context) error {
		<-ctx.Done()
		j.add(name)
		return nil
	}
}

func TestStagesEndInOrder(t *testing.T) {
	var j journal
	ctx, cancel := context.WithCancel(context.Background())
	g := NewGroup(ctx)
	g.Go(5, "flusher", j.untilCancelled("5"))
	g.Go(-1, "first", j.untilCancelled("-1"))
	g.Go(2, "poll", j.untilCancelled("2"))
	g.Go(2, "poll", j.untilCancelled("2"))
	g.Go(0, "early", func(context.Context) error { return nil })
	cancel()
	require.NoError(t, g.Wait())
	require.Equal(t, []string{"-1", "2", "2", "5"}, j.lines)
}

func TestFirstFailureStopsAll(t *testing.T) {
	var j journal
	broken := errors.New("broken")
	g := NewGroup(context.Background())
	g.Go(0, "a", func(ctx context.Context) error {
		<-ctx.Done()
		j.add("a")
		return errors.New("a consequence")
	})
	g.Go(1, "b", j.untilCancelled("b"))
	g.Go(7, "culprit", func(context.Context) error { return broken })
	err := g.Wait()
	require.ErrorIs(t, err, broken)
	require.EqualError(t, err, "culprit: broken")
	require.Equal(t, []string{"a", "b"}, j.lines)
}

func TestLaterStageServesEarlierOne(t *testing.T) {
	asked, answered := make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	g := NewGroup(ctx)
	g.Go(1, "client", func(ctx context.Context) error {
		<-ctx.Done()
		close(asked)
		<-answered
		return nil
	})
	g.Go(2, "server", func(ctx context.Context) error {
		select {
		case <-asked:
			close(answered)
		case <-ctx.Done():
			return errors.New("cancelled before the client had ended")
		}
		<-ctx.Done()
		return nil
	})
	cancel()
	require.NoError(t, g.Wait())
}

func TestEmptyGroup(t *testing.T) {
	require.NoError(t, NewGroup(context.Background()).Wait())
}

func TestAllReturnedWithoutStop(t *testing.T) {
	g := NewGroup(context.Background())
	var again context.Context
	g.Go(0, "a", func(ctx context.Context) error {
		g.Go(3, "b", func(ctx context.Context) error { again = ctx; return ctx.Err() })
		return nil
	})
	require.NoError(t, g.Wait())
	require.Error(t, again.Err(), "contexts are released")
}

// A goroutine that is started while its stage ends still runs, and is waited for.
func TestGoWhileStopping(t *testing.T) {
	var j journal
	ctx, cancel := context.WithCancel(context.Background())
	g := NewGroup(ctx)
	g.Go(4, "late", func(ctx context.Context) error {
		<-ctx.Done()
		g.Go(1, "new, earlier", j.untilCancelled("1"))
		g.Go(4, "new, same", j.untilCancelled("4"))
		return nil
	})
	cancel()
	require.NoError(t, g.Wait())
	require.ElementsMatch(t, []string{"1", "4"}, j.lines)
}

func TestNamesInProfiles(t *testing.T) {
	type key struct{}
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, "value"))
	g := NewGroup(ctx)
	started := make(chan struct{})
	g.Go(0, "store.flusher", func(ctx context.Context) error {
		require.Equal(t, "value", ctx.Value(key{}))
		close(started)
		<-ctx.Done()
		return nil
	})
	release, spawned := make(chan struct{}), make(chan struct{})
	Spawn("one-off", func() { close(spawned); <-release })
	<-started
	<-spawned
	var profile bytes.Buffer
	require.NoError(t, pprof.Lookup("goroutine").WriteTo(&profile, 1))
	require.Contains(t, profile.String(), `"name":"store.flusher"`)
	require.Contains(t, profile.String(), `"name":"one-off"`)
	close(release)
	cancel()
	require.NoError(t, g.Wait())
}
