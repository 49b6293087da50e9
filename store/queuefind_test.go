// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"path"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/store/vfs"
)

const manyTopics = 2 * spreadLeast

func manyBodies(topic int) (bodies []string) {
	for i := range 1 + topic%30 { // some need two files
		bodies = append(bodies, fmt.Sprint(topic, "-", i))
	}
	return bodies
}

func topicName(topic int) string { return fmt.Sprintf("topic%03d", topic) }

// manyQueues is a store with more queues than one goroutine opens, closed.
func manyQueues(t *testing.T, fsys vfs.FS, cfg Config) {
	cfg.MaxOpenQueueFiles = 8
	s := newStore(t, fsys, cfg)
	for topic := range manyTopics {
		for _, body := range manyBodies(topic) {
			mustPut(t, s, newMessage(topicName(topic), 3, body))
		}
	}
	require.NoError(t, s.Close())
}

func requireMany(t *testing.T, s *Store) {
	t.Helper()
	for topic := range manyTopics {
		require.Equal(t, manyBodies(topic), readAll(t, s, topicName(topic), 3), topicName(topic))
	}
}

// Whatever is lost or wrong among many queues, a start without the list finds it.
func TestManyQueuesWithoutList(t *testing.T) {
	queueFile := func(cfg Config, topic int) string {
		return path.Join(cfg.StorePathRootDir, "consumequeue", topicName(topic), "3", segmentName(0))
	}
	for name, harm := range map[string]func(t *testing.T, fsys vfs.FS, cfg Config){
		"none": func(*testing.T, vfs.FS, Config) {},
		"a file is missing": func(t *testing.T, fsys vfs.FS, cfg Config) {
			require.NoError(t, fsys.Remove(queueFile(cfg, 70)))
		},
		"a file is short": func(t *testing.T, fsys vfs.FS, cfg Config) {
			makeFile(t, fsys, queueFile(cfg, 71), 100)
		},
		"a file is empty": func(t *testing.T, fsys vfs.FS, cfg Config) {
			makeFile(t, fsys, queueFile(cfg, 72), 0)
		},
		"the first unit is torn": func(t *testing.T, fsys vfs.FS, cfg Config) {
			overwrite(t, fsys, queueFile(cfg, 73), 0, make([]byte, unitBytes))
		},
		"a stranger": func(t *testing.T, fsys vfs.FS, cfg Config) {
			makeFile(t, fsys, path.Join(path.Dir(queueFile(cfg, 5)), "notes"), 3)
			makeFile(t, fsys, path.Join(cfg.StorePathRootDir, "consumequeue", "notes"), 3)
			require.NoError(t, fsys.MkdirAll(path.Join(cfg.StorePathRootDir, "consumequeue", topicName(1), "x")))
		},
	} {
		for _, crashed := range []bool{false, true} {
			if !crashed && (name == "a file is missing" || name == "the first unit is torn") {
				continue // without the list only the log knows of these, and it is read after a crash
			}
			t.Run(fmt.Sprintf("%s, crashed=%v", name, crashed), func(t *testing.T) {
				eachDisk(t, func(t *testing.T, fsys vfs.FS, cfg Config) {
					manyQueues(t, fsys, cfg)
					forgetOurs(t, fsys, cfg)
					if crashed {
						makeFile(t, fsys, path.Join(cfg.StorePathRootDir, "abort"), 0)
					}
					harm(t, fsys, cfg)
					s := newStore(t, fsys, cfg)
					requireMany(t, s)
					require.NoError(t, s.Close())
					s = newStore(t, fsys, cfg)
					requireMany(t, s)
					require.NoError(t, s.Close())
				})
			})
		}
	}
}

// What a power loss left behind the end of a queue does not come back when the
// queue grows to there.
func TestUnitsBehindAHole(t *testing.T) {
	for _, at := range []int{3, 10, headBytes/unitBytes + 1, 1000} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			eachDisk(t, func(t *testing.T, fsys vfs.FS, cfg Config) {
				cfg.ConsumeQueueFileSize = 2000 * unitBytes
				s := newStore(t, fsys, cfg)
				mustPut(t, s, newMessage("T", 0, "a"))
				mustPut(t, s, newMessage("T", 0, "b"))
				require.NoError(t, s.Close())
				name := path.Join(cfg.StorePathRootDir, "consumequeue/T/0", segmentName(0))
				var raw [unitBytes]byte
				unit{phyOffset: 12345, size: 99}.put(raw[:])
				overwrite(t, fsys, name, int64(at*unitBytes), raw[:])
				makeFile(t, fsys, path.Join(cfg.StorePathRootDir, "abort"), 0)
				s = newStoreAfter(t, fsys, cfg, " other")
				require.Equal(t, []string{"a", "b"}, readAll(t, s, "T", 0))
				require.NoError(t, s.Close())
				require.True(t, zeros(readFile(t, fsys, name)[2*unitBytes:]))
			})
		})
	}
}

func TestSpread(t *testing.T) {
	for _, n := range []int{0, 1, spreadLeast - 1, spreadLeast, 10 * spreadLeast} {
		seen := make([]atomic.Int32, n)
		require.NoError(t, spread(n, func(i int) error {
			seen[i].Add(1)
			return nil
		}))
		for i := range seen {
			require.Equal(t, int32(1), seen[i].Load())
		}
		first := errors.New("first")
		err := spread(n, func(i int) error {
			switch {
			case i == n/2:
				return first
			case i > n/2:
				return errors.New("another")
			}
			return nil
		})
		if n > 0 {
			require.Equal(t, first, err)
		}
	}
}
