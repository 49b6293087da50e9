// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

// TestKeysHandedOverAreThoseOfTheLog appends the same to two stores, of which one has its dispatcher read the log: the
// index files are the same bytes.
func TestKeysHandedOverAreThoseOfTheLog(t *testing.T) {
	var disks []*vfs.Mem
	for _, reads := range []bool{false, true} {
		mem := vfs.NewMem()
		s := newStore(t, mem, smallConfig("/store"))
		dispatch := func() {
			if s.log.mu.Lock(); reads {
				s.fresh.from = s.log.parsed
			}
			end := s.log.parsed
			s.log.mu.Unlock()
			require.NoError(t, s.dispatchAll())
			require.Equal(t, end, s.dispatch.done.Load())
		}
		var raw []byte
		for i := range 200 {
			m := newMessage("T", int32(i%3), fmt.Sprint("body", i))
			m.Properties = []string{
				"", fmt.Sprintf("UNIQ_KEY\x01U%d\x02", i), fmt.Sprintf("UNIQ_KEY\x01U%d\x02KEYS\x01a  b %d\x02TAGS\x01x\x02", i, i),
				"TAGS\x01\u00fcber\x02KEYS\x01caf\u00e9\x02", "KEYS\x01x\x02KEYS\x01y\x02", "KEYS\x01\x02TAGS\x01z",
			}[i%6]
			if i%17 == 0 {
				m.SysFlag |= message.TranRollback
			}
			if i%50 == 7 { // a replica's append, which hands nothing over
				var err error
				m.PhyOffset = s.Marks().Appended
				m.QueueOffset = s.queues.get("T", m.QueueID).end.Load()
				raw, err = message.AppendRecord(raw[:0], m)
				require.NoError(t, err)
				require.NoError(t, s.AppendRaw(m.PhyOffset, raw))
			} else {
				_, err := s.Put(m)
				require.NoError(t, err)
			}
			if i%10 == 9 {
				dispatch()
			}
		}
		dispatch()
		require.NoError(t, s.Close())
		disks = append(disks, mem)
	}
	names := mustList(t, disks[0], "/store/index")
	require.NotEmpty(t, names)
	require.Equal(t, names, mustList(t, disks[1], "/store/index"))
	for _, name := range names {
		require.Equal(t, readFile(t, disks[1], "/store/index/"+name), readFile(t, disks[0], "/store/index/"+name), name)
	}
}

func TestFreshKeysStayWithinTheirLimit(t *testing.T) {
	var k freshKeys
	a := &appending{recs: []appendingRecord{{keys: 1 << 10}}, hashes: make([]int32, 1<<10)}
	for i := range int64(2000) {
		k.add(100*i, 100*i+100, a)
		require.LessOrEqual(t, len(k.hashes), maxFreshKeys)
		require.Equal(t, len(k.hashes), len(k.recs)<<10)
	}
	require.False(t, k.cover(0, 200_000))
	require.True(t, k.cover(100*(2000-int64(len(k.recs))), 200_000))
}
