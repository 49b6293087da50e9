// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

// openFail expects Open to fail and to leave the directory unlocked.
func openFail(t testing.TB, fsys vfs.FS, cfg Config) error {
	t.Helper()
	_, err := Open(cfg, newDeps(fsys))
	require.Error(t, err)
	l, lerr := fsys.Lock(path.Join(cfg.StorePathRootDir, "lock"))
	require.NoError(t, lerr)
	require.NoError(t, l.Close())
	return err
}

// filled is a cleanly stopped store of n messages over four queues.
func filled(t testing.TB, n int) (*vfs.Mem, Config, []string) {
	fsys, cfg := vfs.NewMem(), smallConfig("/store")
	s := newStore(t, fsys, cfg)
	var bodies []string
	for i := range n {
		body := fmt.Sprint(i)
		mustPut(t, s, newMessage("T", 0, body))
		bodies = append(bodies, body)
	}
	require.NoError(t, s.Close())
	return fsys, cfg, bodies
}

func overwrite(t testing.TB, fsys vfs.FS, name string, at int64, b []byte) {
	t.Helper()
	f, err := fsys.Open(name, vfs.ReadWrite)
	require.NoError(t, err)
	_, err = f.WriteAt(b, at)
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.NoError(t, f.Close())
}

func makeFile(t testing.TB, fsys vfs.FS, name string, size int64) {
	t.Helper()
	f, err := fsys.Open(name, vfs.Create)
	require.NoError(t, err)
	require.NoError(t, f.Truncate(size))
	require.NoError(t, f.Close())
}

func TestSizeMismatch(t *testing.T) {
	fsys, cfg, _ := filled(t, 200)
	makeFile(t, fsys, "/store/commitlog/stranger", 5)
	require.ErrorContains(t, openFail(t, fsys, cfg), "/store/commitlog/stranger")
	require.NoError(t, fsys.Remove("/store/commitlog/stranger"))
	require.NoError(t, fsys.Remove("/store/commitlog/00000000000000008192"))
	require.ErrorContains(t, openFail(t, fsys, cfg), "00000000000000016384 does not follow")
}

// Java allocates the next file ahead, and may leave an empty one.
func TestPreallocatedFiles(t *testing.T) {
	fsys, cfg, bodies := filled(t, 20)
	require.Equal(t, 1, len(mustList(t, fsys, "/store/commitlog")))
	makeFile(t, fsys, "/store/commitlog/00000000000000008192", cfg.CommitLogFileSize)
	makeFile(t, fsys, "/store/commitlog/00000000000000016384", 0)
	for range 2 {
		s := newStore(t, fsys, cfg)
		require.Equal(t, bodies, readAll(t, s, "T", 0))
		for i := range 30 {
			body := fmt.Sprint("more", i)
			mustPut(t, s, newMessage("T", 0, body))
			bodies = append(bodies, body)
		}
		require.Equal(t, bodies, readAll(t, s, "T", 0))
		require.NoError(t, s.Close())
	}
}

func mustList(t testing.TB, fsys vfs.FS, dir string) (names []string) {
	infos, err := fsys.List(dir)
	require.NoError(t, err)
	for _, info := range infos {
		names = append(names, info.Name)
	}
	return names
}

// Damage in what was stopped cleanly is reported with its place, not cut away.
func TestCorruptLog(t *testing.T) {
	fsys, cfg, _ := filled(t, 100)
	files := mustList(t, fsys, "/store/commitlog")
	last := path.Join("/store/commitlog", files[len(files)-1])
	overwrite(t, fsys, last, 0, make([]byte, 8192))
	err := openFail(t, fsys, cfg)
	require.ErrorContains(t, err, "/store/commitlog")
	require.ErrorContains(t, err, "damaged")
	var corrupt *CorruptError
	require.True(t, errors.As(err, &corrupt))
	// It is still refused when the refusal made the next start a crash start,
	// as long as flushed records show that it is damage.
	fsys, cfg, _ = filled(t, 100)
	overwrite(t, fsys, "/store/commitlog/00000000000000000000", 0, []byte("damage"))
	makeFile(t, fsys, "/store/abort", 0)
	overwrite(t, fsys, "/store/checkpoint", 0, binary.BigEndian.AppendUint64(nil, 1<<60))
	err = openFail(t, fsys, cfg)
	require.ErrorContains(t, err, "00000000000000000000: corrupt at byte 0")
	require.ErrorIs(t, err, message.ErrMagic)
}

// A log that is gone, as when its disk is not there, is no empty log: the start is refused and changes nothing, unless
// somebody gives it up. Then queues and index go with it.
func TestMissingLog(t *testing.T) {
	for _, ending := range []string{"closed", "killed", "power loss", "closed by Java"} {
		for _, gone := range [][]string{{}, {"consumequeue"}, {listName}} {
			t.Run(fmt.Sprint(ending, gone), func(t *testing.T) {
				if ending == "closed by Java" && len(gone) > 0 && gone[0] == "consumequeue" {
					t.Skip("nothing says that there were messages")
				}
				d := leave(t, ending)
				log := d.fs.Clone()
				d.remove(t, append(gone, "commitlog")...)
				deps := newDeps(d.fs)
				deps.Host.BootID += d.boot
				for range 2 {
					_, err := Open(d.cfg, deps)
					require.ErrorContains(t, err, "/store/commitlog/"+segmentName(0))
					require.ErrorContains(t, err, "docs/format/commitlog.md says how to go on")
				}
				if len(gone) == 0 {
					require.ErrorContains(t, Repair(d.cfg, deps, false, func(Finding) {}), "/store/commitlog has no file of the commit log, and /store/consumequeue/T/0 has ")
				}
				again := *d
				again.fs = d.fs.Clone()
				for _, name := range mustList(t, log, "/store/commitlog") { // the disk is back
					require.NoError(t, copySparse(again.fs, "/store/commitlog/"+name, readFile(t, log, "/store/commitlog/"+name)))
				}
				again.open(t)

				require.NoError(t, Repair(d.cfg, deps, true, func(Finding) {}))
				s := newStoreAfter(t, d.fs, d.cfg, d.boot)
				require.Empty(t, s.Topics())
				require.Zero(t, mustPut(t, s, newMessage("T", 0, "x")).QueueOffset)
				offs, _, _, err := s.QueryIndex("T", "U5", 10, 0, 1<<60)
				require.NoError(t, err)
				require.Empty(t, offs)
				require.NoError(t, s.Close())
			})
		}
	}
}

// The last file of the log is gone, and what could say so in the queues, too.
func TestLastLogFileIsMissed(t *testing.T) {
	for _, gone := range []string{"consumequeue", listName, "index"} {
		d := leave(t, "closed")
		files := mustList(t, d.fs, "/store/commitlog")
		d.remove(t, gone, "commitlog/"+files[len(files)-1])
		require.ErrorContains(t, openFail(t, d.fs, d.cfg), "/store/commitlog/"+files[len(files)-1], gone)
	}
}

// Bytes behind the tail, here old records that would fit, are not read later.
func TestStaleBytesBehindTail(t *testing.T) {
	fsys, cfg, bodies := filled(t, 10)
	name := "/store/commitlog/00000000000000000000"
	log := readFile(t, fsys, name)
	s := newStore(t, fsys, cfg)
	end := s.Marks().Appended
	next := mustPut(t, s, newMessage("T", 0, "x"))
	require.NoError(t, s.Close())
	// The record after next, written by hand: it would be valid after the tail.
	stale, err := message.AppendRecord(nil, newMessage("T", 0, "stale"))
	require.NoError(t, err)
	message.PatchRecord(stale, 11, next.EndOffset, 5)
	overwrite(t, fsys, name, 0, log)
	overwrite(t, fsys, name, next.EndOffset, stale)
	overwrite(t, fsys, "/store/consumequeue/T/0/00000000000000000000", 10*unitBytes, make([]byte, 2*unitBytes))
	makeFile(t, fsys, "/store/abort", 0)
	forgetOurs(t, fsys, cfg) // the mark knows of the record after end
	for range 3 {
		s = newStore(t, fsys, cfg)
		if s.Marks().Appended == end {
			require.Equal(t, next.EndOffset, mustPut(t, s, newMessage("T", 0, "x")).EndOffset)
			bodies = append(bodies, "x")
		}
		require.Equal(t, next.EndOffset, s.Marks().Appended)
		require.Equal(t, bodies, readAll(t, s, "T", 0))
		require.NoError(t, s.Close())
		makeFile(t, fsys, "/store/abort", 0)
	}
}

func TestCheckpointFile(t *testing.T) {
	fsys, _, _ := filled(t, 100)
	b := readFile(t, fsys, "/store/checkpoint")
	require.Len(t, b, checkpointBytes)
	const at = "0000018bcfe56800" // 1700000000000
	require.Equal(t, at+at, hex.EncodeToString(b[:16]))
	require.Equal(t, strings.Repeat("0", 32), hex.EncodeToString(b[24:40]))
	require.Equal(t, "lock", string(readFile(t, fsys, "/store/lock")))
}

func TestAbortFile(t *testing.T) {
	fsys := vfs.NewMem()
	s := newStore(t, fsys, smallConfig("/store"))
	require.Equal(t, "7", string(readFile(t, fsys, "/store/abort")))
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Close(), ErrClosed)
	_, err := fsys.Stat("/store/abort")
	require.Error(t, err)
}

// The slot and entry that Java 5.5.0 wrote for this key.
func TestIndexGolden(t *testing.T) {
	require.Equal(t, int32(579139081), keyHash("Jodie_topic_1023#OrderID188"))
	fsys := vfs.NewMem()
	cfg := smallConfig("/store")
	s := newStore(t, fsys, cfg)
	m := newMessage("T", 0, "x")
	m.Properties = "KEYS\x01k1  k2\x02TAGS\x01a\x02"
	mustPut(t, s, m)
	require.NoError(t, s.Close())
	names := mustList(t, fsys, "/store/index")
	require.Len(t, names, 1)
	require.Len(t, names[0], 17)
	b := readFile(t, fsys, "/store/index/"+names[0])
	require.Len(t, b, 40+50*4+200*20)
	require.Equal(t, "0000018bcfe56800"+"0000018bcfe56800"+"0000000000000000"+"0000000000000000"+"00000003"+"00000004", hex.EncodeToString(b[:40]))
	for id, key := range []string{"T#k1", "T#k2", "T#T#a"} {
		hash := keyHash(key)
		require.Equal(t, uint32(id+1), binary.BigEndian.Uint32(b[40+hash%50*4:]))
		require.Equal(t, indexEntry{hash: hash}, entryAt(b[40+200+(id+1)*20:]))
	}
}

// FuzzRecoverSegment writes anything into the log behind good records, and into
// the queue. Whatever it is, opening does not panic, keeps the good records,
// and a second opening finds what the first one left.
func FuzzRecoverSegment(f *testing.F) {
	rec, _ := message.AppendRecord(nil, newMessage("T", 0, "fuzz"))
	message.PatchRecord(rec, 3, 516, 1_700_000_000_000)
	f.Add(rec, []byte{}, uint16(0), true)
	f.Add([]byte("\x00\x00\x10\x00\xcb\xd4\x31\x94"), make([]byte, 40), uint16(20), true)
	f.Add([]byte{}, []byte("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), uint16(40), false)
	f.Fuzz(func(t *testing.T, tail, units []byte, at uint16, crashed bool) {
		fsys, cfg, bodies := filled(t, 3)
		log := "/store/commitlog/00000000000000000000"
		end := int64(0)
		for b := readFile(t, fsys, log); message.RecordMagic(b[end:]) == message.MagicV1; {
			end += int64(message.RecordSize(b[end:]))
		}
		overwrite(t, fsys, log, end, tail[:min(len(tail), 4000)])
		if crashed {
			makeFile(t, fsys, "/store/abort", 0)
			forgetOurs(t, fsys, cfg) // the mark would say that the units are durable
			room := int64(400) - int64(at)%400
			overwrite(t, fsys, "/store/consumequeue/T/0/00000000000000000000", int64(at)%400, units[:min(int64(len(units)), room)])
		}
		s, err := Open(cfg, newDeps(fsys))
		if err != nil {
			var corrupt *CorruptError
			require.True(t, errors.As(err, &corrupt), err)
			return
		}
		require.Equal(t, bodies, readAll(t, s, "T", 0)[:len(bodies)])
		mustPut(t, s, newMessage("T", 0, "after"))
		got := readAll(t, s, "T", 0)
		require.Equal(t, "after", got[len(got)-1])
		s = newStore(t, fsys.Clone(), cfg)
		require.Equal(t, got, readAll(t, s, "T", 0))
	})
}

// What the log has behind the list is in the queues when a start after a kill
// returns, and is written later; a kill before that changes nothing.
func TestKilledUnitsAreWrittenBehind(t *testing.T) {
	m, cfg := vfs.NewMem(), smallConfig("/store")
	s := newStore(t, m, cfg)
	want := map[int32][]string{}
	put := func(from, to int) {
		for i := from; i < to; i++ {
			q, body := int32(i%7), strconv.Itoa(i)
			mustPut(t, s, newMessage("T", q, body))
			want[q] = append(want[q], body)
		}
	}
	compare := func() {
		for q := range want {
			require.Equal(t, want[q], readAll(t, s, "T", q))
		}
		offs, _, _, err := s.QueryIndex("T", "common", 1000, 0, 1<<60)
		require.NoError(t, err)
		require.Len(t, offs, min(len(want)*len(want[6]), cfg.MaxMsgsNumBatch))
	}
	put(0, 14)
	require.NoError(t, s.dispatchAll())
	require.NoError(t, s.flushAll())
	put(14, 28)
	require.NoError(t, s.dispatchAll()) // queues and log have them, the list has not
	put(28, 49)
	for range 3 {
		m = m.Clone()
		writes := 0
		m.SetFault(func(op vfs.Op) error {
			if op.Kind == "write" && strings.HasPrefix(op.Name, "/store/consumequeue") {
				writes++
			}
			return nil
		})
		s = newStore(t, m, cfg)
		require.Zero(t, writes)
		require.Positive(t, s.DispatchBehind())
		for q := range want {
			require.Equal(t, want[q], readAll(t, s, "T", q))
		}
	}
	require.NoError(t, s.DeleteTopic("None")) // the list is void
	require.NoError(t, s.flushQueues(0))
	m = m.Clone()
	s = newStore(t, m, cfg)
	compare()
	require.Zero(t, s.DispatchBehind())
	put(49, 63)
	compare()
	require.NoError(t, s.Close())
	s = newStore(t, m, cfg)
	compare()
	require.Zero(t, s.DispatchBehind())
}

// A file of the log that was cut off is refused with the way on, and repair gives up only what was in it.
func TestAShortLogFile(t *testing.T) {
	fsys, cfg, bodies := filled(t, 200)
	files := mustList(t, fsys, "/store/commitlog")
	last := "/store/commitlog/" + files[len(files)-1]
	makeFile(t, fsys, last, 5000)
	require.ErrorContains(t, openFail(t, fsys, cfg), last+" has 5000 bytes, but mappedFileSizeCommitLog=8192: it is damaged, or it is of another log (docs/format/commitlog.md says how to go on)")
	require.ErrorContains(t, Repair(cfg, newDeps(fsys), false, func(Finding) {}), last+" does not fit into the log")
	require.NoError(t, Repair(cfg, newDeps(fsys), true, func(Finding) {}))
	require.Len(t, readFile(t, fsys, "/store/damaged-1700000000000/commitlog/"+path.Base(last)), 5000)
	s := newStore(t, fsys, cfg)
	kept := readAll(t, s, "T", 0)
	require.Equal(t, bodies[:len(kept)], kept)
	require.Greater(t, len(kept), 100)
	require.NoError(t, s.Close())
}
