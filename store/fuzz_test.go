// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

// FuzzSegment opens a store whose only log file begins with arbitrary bytes, as
// left by a crash or in order. It never panics; what is served are records that
// stand in the file at their own offset with the right checksum; the store goes
// on, and a restart serves the same.
func FuzzSegment(f *testing.F) {
	rec, err := message.AppendRecord(nil, newMessage("T", 0, "x"))
	require.NoError(f, err)
	f.Add(rec, true)
	f.Add(append(bytes.Clone(rec), rec...), false)
	second := bytes.Clone(rec)
	message.PatchRecord(second, 1, int64(len(rec)), 5)
	f.Add(append(bytes.Clone(rec), second...), true)
	message.PatchRecord(second, 1<<40, int64(len(rec)), 5)
	f.Add(append(bytes.Clone(rec), second...), true)
	f.Add([]byte("\x00\x00\x20\x00\xcb\xd4\x31\x94"), true)
	f.Fuzz(func(t *testing.T, data []byte, crashed bool) {
		fsys, cfg := vfs.NewMem(), smallConfig("/store")
		name := "/store/commitlog/" + segmentName(0)
		require.NoError(t, fsys.MkdirAll("/store/commitlog"))
		makeFile(t, fsys, name, cfg.CommitLogFileSize)
		overwrite(t, fsys, name, 0, data[:min(len(data), int(cfg.CommitLogFileSize))])
		if crashed {
			makeFile(t, fsys, "/store/abort", 0)
		}
		was := readFile(t, fsys, name)
		s, err := Open(cfg, newDeps(fsys))
		if err != nil {
			require.Equal(t, was, readFile(t, fsys, name), "a refused start changes nothing")
			return
		}
		served := serveAll(t, s, was)
		mustPut(t, s, newMessage("After", 0, "after"))
		s = newStore(t, fsys.Clone(), cfg)
		require.Equal(t, served, serveAll(t, s, was))
		require.Equal(t, []string{"after"}, readAll(t, s, "After", 0))
		require.NoError(t, s.Close())
	})
}

// serveAll reads each queue and compares with the file.
func serveAll(t *testing.T, s *Store, file []byte) (served int) {
	for _, topic := range s.Topics() {
		if topic == "After" {
			continue
		}
		for _, id := range s.Queues(topic) {
			from, to, _ := s.QueueRange(topic, id)
			for from < to {
				b, ms := mustGet(t, s, GetRequest{Topic: topic, QueueID: id, Offset: from, MaxMsgs: 32})
				for _, m := range ms {
					require.Equal(t, topic, m.Topic)
					require.Equal(t, id, m.QueueID)
					var v message.View
					require.NoError(t, v.Parse(file[m.PhyOffset:], true))
					require.Equal(t, string(m.Body), string(v.Body))
					served++
				}
				require.Greater(t, b.NextOffset, from)
				from = b.NextOffset
			}
		}
	}
	return served
}

// FuzzQueueList takes arbitrary bytes for a list that the mark names: it is
// taken apart or refused, never more memory than it has bytes for, and what is
// taken apart is what was put together.
func FuzzQueueList(f *testing.F) {
	l := queueList{mark: 5, fileSize: 400, queues: []listedQueue{{topic: "T", id: 1, files: 2, base: 400, min: 20, end: 50}}, index: []listedIndex{{"20261124101530123", 7}}}
	b, _ := l.encode()
	f.Add(b[16:])
	f.Fuzz(func(t *testing.T, payload []byte) {
		b, id := sealed(payload)
		l, err := decodeList(b, id)
		if err != nil {
			return
		}
		again, _ := l.encode()
		require.Equal(t, b, again)
		fsys := vfs.NewMem()
		require.NoError(t, fsys.MkdirAll("/q"))
		_, err = newQueueTable(fsys, "/q", 400, func() int { return 1 }).adopt(l, func(string, string) {})
		require.NoError(t, err)
	})
}

// sealed gives a payload its head.
func sealed(payload []byte) ([]byte, uint64) {
	return seal(append(make([]byte, 16), payload...))
}
