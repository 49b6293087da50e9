// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"rocketd/store/vfs"
)

// syncsOfQueues runs fn and returns what was synced of the queues, and the whole
// file system.
func syncsOfQueues(m *vfs.Mem, fn func()) (syncs []string) {
	var mu sync.Mutex
	m.SetFault(func(op vfs.Op) error {
		if op.Syncs() && strings.HasPrefix(op.Name, "/store/consumequeue") {
			mu.Lock()
			defer mu.Unlock()
			syncs = append(syncs, op.Kind)
		}
		return nil
	})
	defer m.SetFault(nil)
	fn()
	return syncs
}

// putInto appends a message to each of n queues.
func putInto(t testing.TB, s *Store, n int) {
	for i := range n {
		mustPut(t, s, newMessage("T", int32(i), "x"))
	}
	require.NoError(t, s.dispatchAll())
}

// Few files are synced each, very many by one sync of everything.
func TestVeryManyFilesShareASync(t *testing.T) {
	for _, c := range []struct {
		queues int
		want   []string
	}{
		{syncWholeFrom - 1, []string{"sync", "syncdir"}},
		{syncWholeFrom, []string{"syncfs"}},
	} {
		m := vfs.NewMem()
		s := newStore(t, m, smallConfig("/store"))
		putInto(t, s, c.queues)
		syncs := syncsOfQueues(m, func() { require.NoError(t, s.flushAll()) })
		slices.Sort(syncs)
		require.Equal(t, c.want, slices.Compact(syncs), "%d queues", c.queues)

		later := newStoreAfter(t, m.CrashClone(rand.New(rand.NewSource(1))), *s.config(), " later")
		for i := range c.queues {
			require.Equal(t, []string{"x"}, readAll(t, later, "T", int32(i)))
		}
	}
}

// An error of the sync of everything is one that nothing is written after.
func TestAFailedSyncOfEverythingIsFinal(t *testing.T) {
	m, cfg := vfs.NewMem(), smallConfig("/store")
	s := newStore(t, m, cfg)
	putInto(t, s, syncWholeFrom)
	require.NoError(t, s.flushLog())
	m.SetFault(func(op vfs.Op) error {
		if op.Kind == "syncfs" {
			return syscall.EIO
		}
		return nil
	})
	require.ErrorIs(t, s.flushQueues(0), syscall.EIO)
	m.SetFault(nil)
	_, err := s.Put(newMessage("T", 0, "more"))
	require.ErrorIs(t, err, ErrNotWriteable)
	require.ErrorIs(t, s.Close(), syscall.EIO)
	for _, disk := range []*vfs.Mem{m.Clone(), m.CrashClone(rand.New(rand.NewSource(2)))} {
		later := newStoreAfter(t, disk, cfg, " later")
		for i := range syncWholeFrom {
			require.Equal(t, []string{"x"}, readAll(t, later, "T", int32(i)))
		}
	}
}

// A list of the queues is there soon, however many have to be synced for it, where
// one sync does that: a start after a kill need not look into their directories.
func TestAListIsThereSoon(t *testing.T) {
	const queues = unlistedSyncs + 1
	for _, whole := range []bool{true, false} {
		m, cfg := vfs.NewMem(), smallConfig("/store")
		s := newStore(t, m, cfg)
		if !whole {
			require.NoError(t, s.queues.closeVolumes())
		}
		putInto(t, s, queues)
		require.NoError(t, s.flushQueues(1<<40))
		require.NoError(t, s.saveCheckpoint())
		disk := m.Clone()
		var log strings.Builder
		deps := newDeps(disk)
		deps.Log = zerolog.New(&log)
		later, err := Open(cfg, deps)
		require.NoError(t, err)
		require.Contains(t, log.String(), fmt.Sprintf(`"listed":%v`, whole))
		if whole {
			require.Contains(t, log.String(), `"records":0`)
		}
		for i := range queues {
			require.Equal(t, []string{"x"}, readAll(t, later, "T", int32(i)))
		}
	}
}
