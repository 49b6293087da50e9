// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"math"
	"math/rand"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

// extStore is a store with extension units, whose hook gives the record's body
// as its bitmap.
func extStore(t *testing.T, fsys vfs.FS, cfg Config) *Store {
	t.Helper()
	cfg.EnableConsumeQueueExt, cfg.ConsumeQueueExtFileSize = true, 200
	deps := newDeps(fsys)
	deps.FilterBits = bodyBits
	s, err := Open(cfg, deps)
	require.NoError(t, err)
	return s
}

func bodyBits(_ string, rec []byte) []byte {
	var v message.View
	if v.Parse(rec, false) != nil {
		return nil
	}
	return append([]byte(nil), v.Body...)
}

func requireExts(t *testing.T, s *Store, bodies []string) {
	t.Helper()
	require.Equal(t, bodies, readAll(t, s, "T", 0))
	low, high, _ := s.QueueRange("T", 0)
	for offset := low; offset < high; offset++ {
		u, ok := s.QueueUnit("T", 0, offset)
		require.True(t, ok, offset)
		require.NotNil(t, u.Ext, offset)
		require.Equal(t, bodies[offset], string(u.Ext.Bitmap))
		require.Equal(t, message.TagsCode("TagA"), u.Ext.TagsCode)
		phyOffset, size, code, ok := s.TagsCodeAt("T", 0, offset)
		require.True(t, ok)
		require.Equal(t, QueueUnit{PhyOffset: phyOffset, Size: size, TagsCode: code, Ext: u.Ext}, u)
		require.Equal(t, u.Ext.TagsCode, code)
		at, ok := s.StoreTime("T", 0, offset)
		require.True(t, ok)
		require.Equal(t, at, u.Ext.StoreTimestampMs)
	}
}

func TestExtensionUnits(t *testing.T) {
	eachDisk(t, func(t *testing.T, fsys vfs.FS, cfg Config) {
		var bodies []string
		fill := func(s *Store, n int) {
			for range n {
				body := fmt.Sprint(len(bodies), strings.Repeat("b", len(bodies)%40))
				mustPut(t, s, newMessage("T", 0, body))
				bodies = append(bodies, body)
			}
			require.NoError(t, s.dispatchAll())
		}
		for range 2 {
			s := extStore(t, fsys, cfg)
			fill(s, 45)
			requireExts(t, s, bodies)
			require.NoError(t, s.Close())
		}
		clean(t, fsys, cfg)
		s := extStore(t, fsys, cfg)
		require.NoError(t, s.TruncateTo(mustOffset(t, s, 60)))
		bodies = bodies[:60]
		fill(s, 10)
		requireExts(t, s, bodies)
		require.NoError(t, s.Close())

		// Switched off, what is there is still read, and new units have none.
		plain, err := Open(cfg, newDeps(fsys))
		require.NoError(t, err)
		mustPut(t, plain, newMessage("T", 0, "plain"))
		require.Equal(t, append(bodies, "plain"), readAll(t, plain, "T", 0))
		_, _, code, _ := plain.TagsCodeAt("T", 0, 3)
		require.Equal(t, message.TagsCode("TagA"), code)
		u, ok := plain.QueueUnit("T", 0, 70)
		require.True(t, ok)
		require.Nil(t, u.Ext)
		require.False(t, u.ExtLost)
		require.NoError(t, plain.DeleteTopic("T"))
		infos, err := fsys.List(filepath.ToSlash(filepath.Join(cfg.StorePathRootDir, "consumequeue_ext")))
		require.NoError(t, err)
		if len(infos) > 0 {
			require.Empty(t, mustList(t, fsys, filepath.ToSlash(filepath.Join(cfg.StorePathRootDir, "consumequeue_ext/T"))))
		}
		require.NoError(t, plain.Close())
	})
}

func mustOffset(t *testing.T, s *Store, offset int64) int64 {
	phyOffset, _, _, ok := s.TagsCodeAt("T", 0, offset)
	require.True(t, ok)
	return phyOffset
}

func clean(t *testing.T, fsys vfs.FS, cfg Config) {
	t.Helper()
	damaged, err := Check(fsys, cfg, func(f Finding) { require.False(t, f.Damage, f) })
	require.NoError(t, err)
	require.Zero(t, damaged)
}

// A unit has its extension before the dispatcher has written it. One that points to nothing says so.
func TestExtensionOfAQueueUnit(t *testing.T) {
	fsys, cfg := vfs.NewMem(), smallConfig("/store")
	s := extStore(t, fsys, cfg)
	mustPut(t, s, newMessage("T", 0, "ab"))
	mustPut(t, s, newMessage("T", 0, strings.Repeat("c", 177))) // too large for a file
	units := func(s *Store) (units [2]QueueUnit) {
		for i := range units {
			var ok bool
			units[i], ok = s.QueueUnit("T", 0, int64(i))
			require.True(t, ok)
		}
		_, ok := s.QueueUnit("T", 0, 2)
		require.False(t, ok)
		return units
	}
	before := units(s)
	require.Equal(t, "ab", string(before[0].Ext.Bitmap))
	require.Nil(t, before[1].Ext)
	require.NoError(t, s.dispatchAll())
	require.Equal(t, before, units(s))
	require.NoError(t, s.Close())

	require.NoError(t, fsys.Remove("/store/consumequeue_ext/T/0/00000000000000000000"))
	s = extStore(t, fsys, cfg)
	after := before
	after[0].Ext, after[0].ExtLost, after[0].TagsCode = nil, true, math.MinInt64
	require.Equal(t, after, units(s))
	for tag, want := range map[string]int{"TagA": 2, "TagB": 0} { // then the record itself says which tag it has
		code := message.TagsCode(tag)
		batch, err := s.Get(GetRequest{Topic: "T", MaxMsgs: 32, MatchTags: func(c int64) bool { return c == code }})
		require.NoError(t, err)
		require.Equal(t, want, batch.Count, tag)
		require.Equal(t, int64(2), batch.NextOffset)
		batch.Release()
	}
	require.NoError(t, s.Close())
}

// The bytes of a unit, of the end of a file and of the queue's unit that points
// to it are those of Java's ConsumeQueueExt.
func TestExtensionUnitBytes(t *testing.T) {
	fsys, cfg := vfs.NewMem(), smallConfig("/store")
	s := extStore(t, fsys, cfg)
	mustPut(t, s, newMessage("T", 0, "ab"))
	mustPut(t, s, newMessage("T", 0, strings.Repeat("c", 160)))
	require.NoError(t, s.Close())
	file := readFile(t, fsys, "/store/consumequeue_ext/T/0/00000000000000000000")
	require.Len(t, file, 200)
	require.Equal(t, "0016000000000027a8070000018bcfe568000002"+"6162"+"ffff", fmt.Sprintf("%x", file[:24]))
	require.Equal(t, make([]byte, 176), file[24:])
	file = readFile(t, fsys, "/store/consumequeue_ext/T/0/00000000000000000200")
	require.Equal(t, "00b4000000000027a8070000018bcfe5680000a063", fmt.Sprintf("%x", file[:21]))
	queue := readFile(t, fsys, "/store/consumequeue/T/0/00000000000000000000")
	require.Equal(t, "8000000000000000", fmt.Sprintf("%x", queue[12:20]))
	require.Equal(t, "80000000000000c8", fmt.Sprintf("%x", queue[32:40]))
}

func TestExtensionUnitsSurviveCrashes(t *testing.T) {
	for seed := range int64(30) {
		disk, cfg := vfs.NewMem(), smallConfig("/store")
		s := extStore(t, disk, cfg)
		var bodies []string
		for i := range 60 {
			bodies = append(bodies, fmt.Sprint(i, strings.Repeat("b", int(seed)%7)))
			mustPut(t, s, newMessage("T", 0, bodies[i]))
			switch rand.New(rand.NewSource(seed*100 + int64(i))).Intn(9) {
			case 0:
				require.NoError(t, s.dispatchAll())
			case 1:
				require.NoError(t, s.flushLog())
			case 2:
				require.NoError(t, s.flushQueues(0))
				require.NoError(t, s.saveCheckpoint())
			}
		}
		crashed := disk.CrashClone(rand.New(rand.NewSource(seed)))
		again := extStore(t, crashed, cfg)
		_, high, _ := again.QueueRange("T", 0)
		require.NoError(t, again.dispatchAll())
		if high > 0 {
			requireExts(t, again, bodies[:high])
		}
		require.NoError(t, again.Close())
		clean(t, crashed, cfg)
		require.NoError(t, s.Close())
	}
}

// Extension files go with the queue's.
func TestExtensionFilesGoWithTheLog(t *testing.T) {
	cfg := retentionConfig("/store")
	cfg.EnableConsumeQueueExt, cfg.ConsumeQueueExtFileSize = true, 100
	r := newRetained(t, vfs.NewMem(), cfg)
	defer r.Close()
	r.fill(t, 6)
	before := len(r.files(t, "consumequeue_ext/T/0"))
	r.clock.Advance(100 * 3600e9)
	r.DeleteExpired()
	r.round(t)
	require.Less(t, len(r.files(t, "consumequeue_ext/T/0")), before/2)
	r.requireTail(t)
}

// What an extension refuses is passed over without a look at its record.
func TestGetPassesOverWhatTheExtensionRefuses(t *testing.T) {
	eachDisk(t, func(t *testing.T, fsys vfs.FS, cfg Config) {
		s := extStore(t, fsys, cfg)
		for i := range 100 {
			mustPut(t, s, newMessage("T", 0, fmt.Sprint("m", i)))
		}
		require.NoError(t, s.Close())
		s = extStore(t, fsys, cfg)
		defer func() { require.NoError(t, s.Close()) }()
		looked := 0
		get := func(offset int64, match func(ext *ExtUnit) bool) (GetStatus, int64, int) {
			looked = 0
			b, err := s.Get(GetRequest{Topic: "T", Offset: offset, MaxMsgs: 32, MatchExt: match,
				MatchRecord: func([]byte) bool { looked++; return true }})
			require.NoError(t, err)
			defer b.Release()
			return b.Status, b.NextOffset, b.Count
		}
		status, next, count := get(50, func(ext *ExtUnit) bool { return string(ext.Bitmap) == "m63" || string(ext.Bitmap) == "m99" })
		require.Equal(t, []any{Found, int64(100), 2, 2}, []any{status, next, count, looked})
		status, next, count = get(0, func(*ExtUnit) bool { return false })
		require.Equal(t, []any{NoMatchedMessage, int64(100), 0, 0}, []any{status, next, count, looked})
	})
}

// Files of an extension that cannot be right are removed, after any kind of stop, and the log makes them again; what is none
// of them stays.
func TestWrongExtensionFilesAreMadeAgain(t *testing.T) {
	file := func(n int64) string { return "/store/consumequeue_ext/T/0/" + segmentName(n*200) }
	for name, harm := range map[string]func(fsys *vfs.Mem){
		"short":   func(fsys *vfs.Mem) { makeFile(t, fsys, file(1), 77) },
		"long":    func(fsys *vfs.Mem) { makeFile(t, fsys, file(0), 201) },
		"empty":   func(fsys *vfs.Mem) { makeFile(t, fsys, file(1), 0) },
		"missing": func(fsys *vfs.Mem) { require.NoError(t, fsys.Remove(file(1))) },
		"strange": func(fsys *vfs.Mem) { makeFile(t, fsys, "/store/consumequeue_ext/T/0/notes", 7) },
	} {
		for _, ending := range []string{"closed", "killed"} {
			t.Run(ending+"/"+name, func(t *testing.T) {
				fsys, cfg := vfs.NewMem(), smallConfig("/store")
				s := extStore(t, fsys, cfg)
				var bodies []string
				for i := range 30 {
					bodies = append(bodies, fmt.Sprint("body", i))
					mustPut(t, s, newMessage("T", 0, bodies[i]))
				}
				require.NoError(t, s.dispatchAll())
				if ending == "closed" {
					require.NoError(t, s.Close())
				} else {
					fsys = fsys.Clone()
				}
				harm(fsys)
				s = extStore(t, fsys, cfg)
				requireExts(t, s, bodies)
				require.NoError(t, s.Close())
				s = extStore(t, fsys, cfg)
				requireExts(t, s, bodies)
				require.NoError(t, s.Close())
				there, err := vfs.Exists(fsys, "/store/consumequeue_ext/T/0/notes")
				require.NoError(t, err)
				require.Equal(t, name == "strange", there)
			})
		}
	}
}
