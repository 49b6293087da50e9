// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

// logBytes returns a range of the log.
func logBytes(t testing.TB, s *Store, from, to int64) (out []byte) {
	t.Helper()
	for from < to {
		seg := s.log.at(from)
		require.NotNil(t, seg)
		pos := from - seg.base
		b := seg.data[pos:min(seg.size, pos+to-from)]
		out = append(out, b...)
		from += int64(len(b))
		seg.unpin()
	}
	return out
}

func TestReplica(t *testing.T) {
	eachDisk(t, func(t *testing.T, fsys vfs.FS, cfg Config) {
		masterFS := vfs.NewMem()
		masterCfg := cfg
		masterCfg.StorePathRootDir = "/master"
		master := newStore(t, masterFS, masterCfg)
		defer master.Close()
		for i := range 150 {
			mustPut(t, master, newMessage("T", int32(i%2), fmt.Sprint(i)))
		}
		end := master.Marks().Appended
		all := logBytes(t, master, 0, end)

		var arrived int
		deps := newDeps(fsys)
		deps.OnArrive = func(Arrival) { arrived++ }
		s, err := Open(cfg, deps)
		require.NoError(t, err)
		rng := rand.New(rand.NewSource(1))
		for at := 0; at < len(all); {
			n := min(1+rng.Intn(1500), len(all)-at)
			require.NoError(t, s.AppendRaw(int64(at), all[at:at+n]))
			require.ErrorIs(t, s.AppendRaw(int64(at), all[at:at+n]), ErrOffsetMismatch)
			at += n
			require.Equal(t, int64(at), s.Marks().Appended)
		}
		require.Equal(t, 150, arrived)
		for q := range int32(2) {
			require.Equal(t, readAll(t, master, "T", q), readAll(t, s, "T", q))
		}
		require.NoError(t, s.Close())
		s = newStore(t, fsys, cfg)
		require.Equal(t, all, logBytes(t, s, 0, end))
		require.Equal(t, readAll(t, master, "T", 1), readAll(t, s, "T", 1))

		// Half a record, then it becomes master: the rest has to go first.
		r := mustPut(t, master, newMessage("T", 0, "half"))
		half := logBytes(t, master, r.PhyOffset, r.PhyOffset+40)
		from := s.Marks().Appended
		require.NoError(t, s.AppendRaw(r.PhyOffset, half))
		_, err = s.Put(newMessage("T", 0, "refused"))
		require.ErrorIs(t, err, ErrNotWriteable)
		require.ErrorIs(t, s.TruncateTo(from+10), message.ErrShort)
		require.NoError(t, s.TruncateTo(from))
		require.Equal(t, int64(75), mustPut(t, s, newMessage("T", 0, "mine")).QueueOffset)
		require.NoError(t, s.Close())
	})
}

// A replica may begin in the middle of the master's log.
func TestReplicaBeginsLate(t *testing.T) {
	cfg := smallConfig("/store")
	master := newStore(t, vfs.NewMem(), cfg)
	defer master.Close()
	for i := range 150 {
		mustPut(t, master, newMessage("T", 0, fmt.Sprint(i)))
	}
	segs := master.log.segments()
	base, end := segs[len(segs)-1].base, master.Marks().Appended
	fsys := vfs.NewMem()
	s := newStore(t, fsys, cfg)
	require.NoError(t, s.AppendRaw(base, logBytes(t, master, base, end)))
	check := func(s *Store) {
		min, max, ok := s.QueueRange("T", 0)
		require.True(t, ok)
		require.Equal(t, int64(150), max)
		require.Positive(t, min)
		bodies := readAll(t, s, "T", 0)
		require.Len(t, bodies, int(max-min))
		require.Equal(t, fmt.Sprint(min), bodies[0])
		require.Equal(t, base, s.Marks().Min)
	}
	check(s)
	crashed := newStore(t, fsys.Clone(), cfg)
	check(crashed)
	require.NoError(t, crashed.Close())
	require.NoError(t, s.Close())
	s = newStore(t, fsys, cfg)
	check(s)
	require.NoError(t, s.Close())
}
