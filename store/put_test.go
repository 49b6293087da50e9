// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/hex"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

func readFile(t testing.TB, fsys vfs.FS, name string) []byte {
	t.Helper()
	b, err := vfs.ReadFile(fsys, name)
	require.NoError(t, err)
	return b
}

func TestPutLimits(t *testing.T) {
	s := newStore(t, vfs.NewMem(), smallConfig("/store"))
	defer s.Close()
	for name, change := range map[string]func(m *message.Message){
		"no body":     func(m *message.Message) { m.Body = nil },
		"big body":    func(m *message.Message) { m.Body = make([]byte, 4<<20+1) },
		"record":      func(m *message.Message) { m.Body = make([]byte, 8<<10) }, // larger than a file
		"long topic":  func(m *message.Message) { m.Topic = strings.Repeat("t", 128) },
		"long retry":  func(m *message.Message) { m.Topic = "%RETRY%" + strings.Repeat("t", 249) },
		"traversal":   func(m *message.Message) { m.Topic = "../../x" },
		"dot":         func(m *message.Message) { m.Topic = ".." },
		"slash":       func(m *message.Message) { m.Topic = "a/b" },
		"negative id": func(m *message.Message) { m.QueueID = -1 },
		"huge id":     func(m *message.Message) { m.QueueID = 1 << 30 },
	} {
		m := newMessage("T", 0, "x")
		change(m)
		_, err := s.Put(m)
		require.ErrorIs(t, err, ErrMessageIllegal, name)
	}
	m := newMessage("T", 0, "x")
	m.Properties = strings.Repeat("p", 32768)
	_, err := s.Put(m)
	require.ErrorIs(t, err, ErrPropertiesTooLarge)
	require.Zero(t, s.Marks().Appended)
	require.Empty(t, s.Topics())

	m = newMessage("%RETRY%"+strings.Repeat("t", 240), 0, "x")
	mustPut(t, s, m)
	_, ms := mustGet(t, s, GetRequest{Topic: m.Topic, MaxMsgs: 1})
	require.Equal(t, m.Topic, ms[0].Topic)
}

func TestPreparedEntersNoQueue(t *testing.T) {
	fsys := vfs.NewMem()
	s := newStore(t, fsys, smallConfig("/store"))
	mustPut(t, s, newMessage("T", 0, "0"))
	for _, flag := range []int32{message.TranPrepared, message.TranRollback} {
		m := newMessage("T", 0, "half")
		m.SysFlag = flag
		require.Zero(t, mustPut(t, s, m).QueueOffset)
	}
	m := newMessage("T", 0, "1")
	m.SysFlag = message.TranCommit
	require.Equal(t, int64(1), mustPut(t, s, m).QueueOffset)
	require.Equal(t, []string{"0", "1"}, readAll(t, s, "T", 0))
	s = newStore(t, fsys.Clone(), smallConfig("/store"))
	require.Equal(t, []string{"0", "1"}, readAll(t, s, "T", 0))
}

// A unit and a filler at the end of a file, byte for byte. The record of body n
// has 91+n+1 bytes here, properties aside.
func TestRollOver(t *testing.T) {
	eachDisk(t, func(t *testing.T, fsys vfs.FS, cfg Config) {
		cfg.CommitLogFileSize = 4096
		s := newStore(t, fsys, cfg)
		defer s.Close()
		put := func(n int) Receipt {
			return mustPut(t, s, &message.Message{Topic: "T", Body: make([]byte, n-92), BornHost: testHost, StoreHost: testHost})
		}
		require.Equal(t, int32(2000), put(2000).Size)
		require.Equal(t, int64(2000), put(2088).PhyOffset) // leaves exactly 8
		require.Equal(t, int64(4096), put(92).PhyOffset)   // so the smallest rolls
		require.Equal(t, int64(4188), put(2000).PhyOffset)
		require.Equal(t, int64(8192), put(2000).PhyOffset) // 2004 left: not with the filler
		dir := cfg.StorePathRootDir + "/commitlog/"
		require.Equal(t, "00000008cbd43194", hex.EncodeToString(readFile(t, fsys, dir+"00000000000000000000")[4088:]))
		second := readFile(t, fsys, dir+"00000000000000004096")
		require.Equal(t, "000007d4cbd43194", hex.EncodeToString(second[2092:2100]))
		require.Equal(t, make([]byte, 1996), second[2100:])
		require.Len(t, second, 4096)

		// A batch goes to the next file as a whole.
		var ms []message.Message
		for range 3 {
			ms = append(ms, message.Message{Topic: "T", Body: make([]byte, 700-92), BornHost: testHost, StoreHost: testHost})
		}
		rs, err := s.PutBatch(ms)
		require.NoError(t, err)
		for i, r := range rs {
			require.Equal(t, int64(12288+700*i), r.PhyOffset)
			require.Equal(t, int64(5+i), r.QueueOffset)
		}
		unit := readFileUnits(t, s, 7)
		require.Equal(t, fmt.Sprintf("%016x%08x%016x", 12288+1400, 700, 0), unit)
	})
}

func readFileUnits(t testing.TB, s *Store, offset int) string {
	require.NoError(t, s.dispatchAll())
	b := readFile(t, s.deps.FS, s.root+"/consumequeue/T/0/00000000000000000000")
	return hex.EncodeToString(b[offset*unitBytes : (offset+1)*unitBytes])
}

func TestBatchRefusals(t *testing.T) {
	s := newStore(t, vfs.NewMem(), smallConfig("/store"))
	defer s.Close()
	for name, ms := range map[string][]message.Message{
		"empty":      nil,
		"two queues": {*newMessage("T", 0, "1"), *newMessage("T", 1, "2")},
		"two topics": {*newMessage("T", 0, "1"), *newMessage("U", 0, "2")},
		"one bad":    {*newMessage("T", 0, "1"), {Topic: "T"}},
	} {
		_, err := s.PutBatch(ms)
		require.ErrorIs(t, err, ErrMessageIllegal, name)
	}
	big := *newMessage("T", 0, strings.Repeat("x", 3000))
	_, err := s.PutBatch([]message.Message{big, big, big})
	require.Error(t, err, "a batch larger than a file")
	require.Zero(t, s.Marks().Appended)
}

func TestDelayTagsCode(t *testing.T) {
	fsys := vfs.NewMem()
	s := newStore(t, fsys, smallConfig("/store"))
	level := func(text string) *message.Message {
		m := newMessage(message.ScheduleTopic, 0, "x")
		m.SetProperty(message.PropDelay, text)
		return m
	}
	for i, c := range []struct {
		text  string
		delay int64
	}{{"3", 10_000}, {"18", 7_200_000}, {"99", 7_200_000}, {"1", 1000}} {
		r := mustPut(t, s, level(c.text))
		phy, size, code, ok := s.TagsCodeAt(message.ScheduleTopic, 0, int64(i))
		require.True(t, ok)
		require.Equal(t, r.PhyOffset, phy)
		require.Equal(t, r.Size, size)
		require.Equal(t, r.StoreTimestampMs+c.delay, code)
	}
	mustPut(t, s, level("x"))
	_, _, code, _ := s.TagsCodeAt(message.ScheduleTopic, 0, 4)
	require.Equal(t, message.TagsCode("TagA"), code)
	// Recovery comes to the same codes.
	again := newStore(t, fsys.Clone(), smallConfig("/store"))
	for i := range int64(5) {
		_, _, want, _ := s.TagsCodeAt(message.ScheduleTopic, 0, i)
		_, _, got, ok := again.TagsCodeAt(message.ScheduleTopic, 0, i)
		require.True(t, ok)
		require.Equal(t, want, got)
	}
	cfg := DefaultConfig()
	levels, err := cfg.DelayLevels()
	require.NoError(t, err)
	require.Len(t, levels, 18)
	for _, bad := range []string{"1", "s", "1x", "-1s", "1s 2"} {
		cfg.MessageDelayLevel = bad
		_, err := cfg.DelayLevels()
		require.ErrorContains(t, err, "messageDelayLevel", bad)
	}
}

// A full disk is an error with its cause, and goes by itself.
func TestFullDisk(t *testing.T) {
	for _, path := range []string{"mmap", "pwrite"} {
		fsys := vfs.NewMem()
		cfg := smallConfig("/store")
		cfg.CommitLogWritePath = path
		cfg.CommitLogFileSize = 16 << 10
		cfg.DiskSpaceWarningLevelRatio = 90
		s := newStore(t, fsys, cfg)
		var want []string
		put := func() error {
			body := fmt.Sprintf("%d", len(want))
			m := newMessage("T", 0, body)
			_, err := s.Put(m)
			if err == nil {
				want = append(want, body)
			}
			return err
		}
		require.NoError(t, put())
		fsys.SetCapacity(fsys.Used())
		var err error
		for err == nil && len(want) < 1000 {
			err = put()
		}
		require.ErrorIs(t, err, ErrNotWriteable)
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.ErrorIs(t, put(), syscall.ENOSPC)
		require.Equal(t, want, readAll(t, s, "T", 0))
		// The queue's files need room, too.
		require.ErrorIs(t, s.dispatchAll(), syscall.ENOSPC)
		require.Equal(t, want, readAll(t, s, "T", 0))
		s.checkDisk(s.config())
		require.ErrorIs(t, put(), errDiskFull)

		fsys.SetCapacity(0)
		s.checkDisk(s.config())
		for range 100 {
			require.NoError(t, put())
		}
		require.Equal(t, want, readAll(t, s, "T", 0))
		require.NoError(t, s.Close())
		s = newStore(t, fsys, cfg)
		require.Equal(t, want, readAll(t, s, "T", 0))
		require.NoError(t, s.Close())
	}
}

func TestDeleteTopic(t *testing.T) {
	eachDisk(t, func(t *testing.T, fsys vfs.FS, cfg Config) {
		s := newStore(t, fsys, cfg)
		for i := range 50 {
			mustPut(t, s, newMessage("T", int32(i%2), fmt.Sprint(i)))
			mustPut(t, s, newMessage("U", 0, fmt.Sprint(i)))
			if i == 25 {
				require.NoError(t, s.dispatchAll())
			}
		}
		require.NoError(t, s.DeleteTopic("T"))
		require.NoError(t, s.DeleteTopic("Unknown"))
		require.ErrorIs(t, s.DeleteTopic("../T"), ErrMessageIllegal)
		require.Equal(t, []string{"U"}, s.Topics())
		_, err := fsys.Stat(cfg.StorePathRootDir + "/consumequeue/T")
		require.Error(t, err)
		require.Zero(t, mustPut(t, s, newMessage("T", 1, "new")).QueueOffset)
		require.Equal(t, []string{"new"}, readAll(t, s, "T", 1))
		require.NoError(t, s.Close())
		s = newStore(t, fsys, cfg)
		require.Equal(t, []string{"new"}, readAll(t, s, "T", 1))
		require.Len(t, readAll(t, s, "U", 0), 50)
		// After a crash the records of the old queue come first, then the log
		// shows that it began anew.
		s.log.close()
		require.NoError(t, s.lock.Close())
		s = newStore(t, fsys, cfg)
		require.Equal(t, []string{"new"}, readAll(t, s, "T", 1))
		require.NoError(t, s.Close())
	})
}

// Nothing that a send does waits for the disk, and the tail's bound is kept.
func TestPutNeverSyncs(t *testing.T) {
	log := vfs.NewLog(vfs.NewMem())
	cfg := smallConfig("/store")
	s := newStore(t, log, cfg)
	defer s.Close()
	log.Ops()
	for i := range 30 {
		mustPut(t, s, newMessage("T", 0, fmt.Sprint(i)))
	}
	for _, op := range log.Ops() {
		require.NotContains(t, op, "sync")
		require.NotContains(t, op, "rename")
	}
	for i := range 1000 {
		mustPut(t, s, newMessage("T", int32(i%5), "x"))
		require.LessOrEqual(t, s.pending.Load(), int64(cfg.QueueTailMaxUnits))
	}
}
