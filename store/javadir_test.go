// SPDX-License-Identifier: Apache-2.0

package store

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/compat/fastjson"
	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

// javaDirectory unpacks a directory that Java 5.5.0 has left
// (conformance/interop), and returns what Java read in it: topic to records.
func javaDirectory(t *testing.T, name string) (*vfs.Mem, Config, map[string][]string) {
	t.Helper()
	file, err := os.Open("testdata/java-5.5.0/" + name + ".tar.gz")
	require.NoError(t, err)
	defer file.Close()
	zip, err := gzip.NewReader(file)
	require.NoError(t, err)
	fsys, read := vfs.NewMem(), map[string][]string{}
	archive := tar.NewReader(zip)
	for {
		head, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		text, err := io.ReadAll(archive)
		require.NoError(t, err)
		if head.Name == "read.json" {
			require.NoError(t, fastjson.Unmarshal(text, &read))
			continue
		}
		target := path.Join("/", head.Name)
		require.NoError(t, fsys.MkdirAll(path.Dir(target)))
		require.NoError(t, copySparse(fsys, target, text))
	}
	cfg := DefaultConfig()
	cfg.StorePathRootDir, cfg.MaxHashSlotNum, cfg.MaxIndexNum = "/store", 100, 200
	require.NotEmpty(t, read)
	return fsys, cfg, read
}

func requireReads(t *testing.T, s *Store, want map[string][]string) {
	t.Helper()
	for topic, lines := range want {
		var got []string
		for _, queue := range s.Queues(topic) {
			offset, _, _ := s.QueueRange(topic, queue)
			for {
				b, err := s.Get(GetRequest{Topic: topic, QueueID: queue, Offset: offset, MaxMsgs: 1})
				require.NoError(t, err)
				if b.Status != Found {
					b.Release()
					break
				}
				rec := b.Buffers()[0]
				got = append(got, fmt.Sprintf("%d/%d at %d: %x", queue, offset, message.RecordPhyOffset(rec), rec))
				offset = b.NextOffset
				b.Release()
			}
		}
		require.Equal(t, lines, got, topic)
	}
}

// A directory of Java's is whole to the check, is read as Java read it, goes on,
// and loses nothing that is Java's alone.
func TestJavaDirectories(t *testing.T) {
	for _, name := range []string{"stopped", "killed"} {
		t.Run(name, func(t *testing.T) {
			fsys, cfg, read := javaDirectory(t, name)
			clean(t, fsys, cfg)
			requireDumps(t, fsys, cfg)
			half := message.HalfTopic
			timers := readFile(t, fsys, "/store/timerlog/00000000000000000000")
			for round := range 2 {
				s := newStore(t, fsys, cfg)
				requireReads(t, s, read)
				_, high, _ := s.QueueRange(half, 0)
				require.EqualValues(t, 1, high, "the open transaction")
				for i := range 40 {
					mustPut(t, s, newMessage("Ours", 0, fmt.Sprint(round, i)))
				}
				require.NoError(t, s.Close())
				clean(t, fsys, cfg)
			}
			require.Equal(t, timers, readFile(t, fsys, "/store/timerlog/00000000000000000000"))

			// The same without the files that the log can give back.
			fsys, cfg, read = javaDirectory(t, name)
			require.NoError(t, vfs.RemoveAll(fsys, "/store/consumequeue"))
			require.NoError(t, vfs.RemoveAll(fsys, "/store/index"))
			require.NoError(t, Repair(cfg, newDeps(fsys), false, func(Finding) {}))
			s := newStore(t, fsys, cfg)
			requireReads(t, s, read)
			require.NoError(t, s.Close())
		})
	}
}

// requireDumps prints every file, and demands that nothing has changed by it.
func requireDumps(t *testing.T, fsys *vfs.Mem, cfg Config) {
	t.Helper()
	before, printed := fsys.Clone(), map[string]int{}
	var walk func(dir string)
	walk = func(dir string) {
		infos, err := fsys.List(path.Join("/store", dir))
		require.NoError(t, err)
		for _, info := range infos {
			name := path.Join(dir, info.Name)
			if info.Dir {
				walk(name)
				continue
			}
			var out bytes.Buffer
			switch err := Dump(fsys, cfg, name, &out); {
			case strings.HasPrefix(name, "timer"), name == "config/timercheck", strings.HasPrefix(name, "rocksdbstore/"):
			default:
				require.NoError(t, err)
			}
			kind, _, _ := strings.Cut(name, "/")
			printed[kind] += bytes.Count(out.Bytes(), []byte("\n"))
		}
	}
	walk("")
	var all bytes.Buffer
	require.NoError(t, Dump(fsys, cfg, "", &all))
	require.Contains(t, all.String(), "records, the newest of ")
	for _, kind := range []string{"commitlog", "consumequeue", "index", "checkpoint", "config"} {
		require.Positive(t, printed[kind], kind)
	}
	requireSameFiles(t, before, fsys)
}
