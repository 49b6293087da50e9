// SPDX-License-Identifier: Apache-2.0

package store

import (
	"path"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/store/vfs"
)

func TestLiveStateOfJavasIsRefused(t *testing.T) {
	for file, want := range map[string]string{
		"consumequeue/CURRENT":                              "storeType=defaultRocksDB",
		"consumequeue_rocksdb/CURRENT":                      "storeType=defaultRocksDB",
		"rocksdbstore/000009.sst":                           "timer messages, half messages or keys",
		"rocksdbstore/000012.log":                           "timer messages, half messages or keys",
		"kvStore/000012.log":                                "unacknowledged pops",
		"config/topics/CURRENT":                             "topics in RocksDB",
		"config/consumerOffsets/CURRENT":                    "rocksDBConfigToJson",
		"config/subscriptionGroups/CURRENT":                 "rocksDBConfigToJson",
		"config/metadata/CURRENT":                           "useSingleRocksDBForAllConfigs",
		"config/rdb/CURRENT":                                "configManagerVersion=V2",
		"config/users/000009.sst":                           "ACL 2.0 users",
		"config/acls/000009.sst":                            "ACL 2.0 permissions",
		"batchconsumequeue/T/0/00000000000000000000":        "queue.type=BatchCQ",
		"compaction/compactionLog/T/0/00000000000000000000": "cleanup.policy=COMPACTION",
		"config/topicQueueMapping.json":                     "static topics",
		"dledger-n0/data/00000000000000000000":              "DLedger",
	} {
		fsys, cfg, bodies := filled(t, 3)
		name := path.Join("/store", file)
		require.NoError(t, fsys.MkdirAll(path.Dir(name)))
		require.NoError(t, vfs.WriteFile(fsys, name, []byte(`{"topicQueueMappingInfoMap":{"S":{}}}`)))
		err := openFail(t, fsys, cfg)
		require.ErrorContains(t, err, want, file)
		require.ErrorContains(t, err, ": ", "the way out")
		require.NotContains(t, err.Error(), "\n", "one sentence")
		require.NoError(t, fsys.Remove(name))
		s := newStore(t, fsys, cfg)
		require.Equal(t, bodies, readAll(t, s, "T", 0))
		require.NoError(t, s.Close())
	}
}

// What Java 5.5.0 makes at every start, and what nobody knows, stays as it is.
func TestForeignFilesSurvive(t *testing.T) {
	fsys, cfg, bodies := filled(t, 3)
	files := map[string]string{
		"rocksdbstore/CURRENT": "MANIFEST-000005\n", "rocksdbstore/000004.log": "", "rocksdbstore/MANIFEST-000005": "m",
		"compaction/position-checkpoint": `{"queueOffsetMap":{}}`, "timerwheel": "wheel", "timerlog/00000000000000000000": "log",
		"config/timercheck": "check", "config/topicQueueMapping.json": `{"dataVersion":{},"topicQueueMappingInfoMap":{}}`, "config/tools.yml": "a: b", "notes.txt": "mine", "abort.bak": "", "commitlog/lost+found/x": "y",
		"consumequeue/T/lost+found/x": "y", "transaction/statetable/1": "z",
	}
	for name, text := range files {
		require.NoError(t, fsys.MkdirAll(path.Dir(path.Join("/store", name))))
		require.NoError(t, vfs.WriteFile(fsys, path.Join("/store", name), []byte(text)))
	}
	for range 2 {
		s := newStore(t, fsys, cfg)
		require.Equal(t, bodies, readAll(t, s, "T", 0))
		require.NoError(t, s.Close())
	}
	for name, text := range files {
		require.Equal(t, text, string(readFile(t, fsys, path.Join("/store", name))), name)
	}
}

func TestSeveralLogPaths(t *testing.T) {
	fsys := vfs.NewMem()
	cfg := retentionConfig("/store")
	cfg.StorePathCommitLog = "/b/log, /a/log"
	r := newRetained(t, fsys, cfg)
	r.fill(t, 4)
	require.Equal(t, []string{"00000000000000000000", "00000000000000016384"}, mustList(t, fsys, "/a/log"))
	require.Equal(t, []string{"00000000000000008192", "00000000000000024576"}, mustList(t, fsys, "/b/log"))
	require.NoError(t, r.Close())

	cfg.StorePathCommitLog, cfg.ReadOnlyCommitLogStorePaths = "/c/log,/b/log", "/a/log,/b/log,/missing"
	again := newRetained(t, fsys, cfg)
	again.bodies = r.bodies
	again.requireTail(t)
	again.fill(t, 2)
	again.requireTail(t)
	require.Len(t, mustList(t, fsys, "/a/log"), 2, "a path that is only read gets no new files")
	require.Equal(t, []string{"00000000000000032768", "00000000000000040960"}, mustList(t, fsys, "/c/log"))
	require.NoError(t, again.Close())

	cfg.ReadOnlyCommitLogStorePaths = "/a/log"
	require.ErrorContains(t, openFail(t, fsys, withLogPath(cfg, "/c/log")), "/a/log/00000000000000016384 does not follow 00000000000000000000")
	makeFile(t, fsys, "/c/log/00000000000000016384", 8192)
	require.ErrorContains(t, openFail(t, fsys, withLogPath(cfg, "/b/log,/c/log")), "/a/log/00000000000000016384 and /c/log/00000000000000016384 are the same")
	require.ErrorContains(t, openFail(t, fsys, withLogPath(cfg, "/a/log")), "leave no path for new files")
}

func withLogPath(cfg Config, paths string) Config {
	cfg.StorePathCommitLog = paths
	return cfg
}

// New files stay off a path that is nearly full, unless all are.
func TestFullLogPathIsLeftOut(t *testing.T) {
	disk := roomFS{vfs.NewMem(), map[string]int64{"/a": 86}}
	cfg := retentionConfig("/store")
	cfg.StorePathCommitLog = "/a,/b"
	r := newRetained(t, disk, cfg)
	defer r.Close()
	r.fill(t, 3)
	require.Empty(t, mustList(t, disk, "/a"))
	r.round(t)
	require.Len(t, r.log.segments(), 3, "another path has room")
	disk.used["/b"] = 87
	r.checkDisk(r.config())
	r.fill(t, 2)
	require.NotEmpty(t, mustList(t, disk, "/a"))
	disk.used["/a"], disk.used["/b"] = 95, 92
	r.checkDisk(r.config())
	require.ErrorContains(t, r.Writeable(), "92% of the partition of /b")
}

// Files keep the size that they have, whatever is configured now.
func TestFileSizesAsFound(t *testing.T) {
	fsys, cfg, bodies := filled(t, 200)
	cfg.CommitLogFileSize, cfg.ConsumeQueueFileSize = 1<<20, 6_000_000
	for range 2 {
		s := newStore(t, fsys, cfg)
		require.Equal(t, bodies, readAll(t, s, "T", 0))
		for i := range 80 {
			body := string(rune('a' + i%26))
			mustPut(t, s, newMessage("T", 0, body))
			mustPut(t, s, newMessage("Other", 0, body))
			bodies = append(bodies, body)
		}
		require.Equal(t, bodies, readAll(t, s, "T", 0))
		require.NoError(t, s.SetConfig(cfg))
		_, err := s.Put(newMessage("T", 0, string(make([]byte, 9000))))
		require.ErrorIs(t, err, ErrMessageIllegal, "it does not fit into a file")
		require.NoError(t, s.Close())
	}
	infos, err := fsys.List("/store/commitlog")
	require.NoError(t, err)
	for _, info := range infos {
		require.EqualValues(t, 8192, info.Size, info.Name)
	}
	infos, err = fsys.List("/store/consumequeue/Other/0")
	require.NoError(t, err)
	require.EqualValues(t, 400, infos[0].Size, "all queues of a store have files of one size, which is what Java needs, too")

	makeFile(t, fsys, "/store/commitlog/00000000000000000000", 9000)
	require.ErrorContains(t, openFail(t, fsys, cfg), "/store/commitlog/00000000000000000000 has 9000 bytes, but mappedFileSizeCommitLog=1048576")
}
