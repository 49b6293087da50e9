// SPDX-License-Identifier: Apache-2.0

package store

import (
	"path"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/store/vfs"
)

func TestLiveStateOfJavasIsRefused(t *testing.T) {
	const (
		asJSON   = "write them as JSON files with Java's mqadmin rocksDBConfigToJson, then remove the directory"
		noACL    = "remove the directory if access control is not needed here, else stay with Java"
		finish   = "let consumers finish with those topics and delete them with Java"
		rebuilt  = "set storeType=default and remove the directory: queues are built anew from the commit log"
		rocks    = "timer messages, half messages or keys in RocksDB (timerRocksDBEnable, transRocksDBEnable, indexRocksDBEnable)"
		switched = "let Java deliver them with those keys switched off, then remove the directory"
		inRocks  = "consume queues in RocksDB (storeType=defaultRocksDB)"
	)
	for _, c := range []struct{ file, place, what, wayOut string }{
		{"consumequeue/CURRENT", "consumequeue", inRocks, rebuilt},
		{"consumequeue_rocksdb/CURRENT", "consumequeue_rocksdb", inRocks, rebuilt},
		{"rocksdbstore/000009.sst", "rocksdbstore", rocks, switched},
		{"rocksdbstore/000012.log", "rocksdbstore", rocks, switched},
		{"rocksdbstore/000013.blob", "rocksdbstore", rocks, switched},
		{"kvStore/000012.log", "kvStore", "unacknowledged pops in RocksDB (popConsumerKVServiceEnable)",
			"let Java move them to the commit log (mqadmin exportPopRecord), then remove the directory"},
		{"config/topics/CURRENT", "config/topics", "topics in RocksDB", asJSON},
		{"config/subscriptionGroups/CURRENT", "config/subscriptionGroups", "consumer groups in RocksDB", asJSON},
		{"config/consumerOffsets/CURRENT", "config/consumerOffsets", "consumer offsets in RocksDB", asJSON},
		{"config/metadata/CURRENT", "config/metadata", "topics, groups and offsets in RocksDB (useSingleRocksDBForAllConfigs)", asJSON},
		{"config/rdb/CURRENT", "config/rdb", "topics, groups and offsets in RocksDB (configManagerVersion=V2)", asJSON},
		{"config/users/000009.sst", "config/users", "ACL 2.0 users in RocksDB", noACL},
		{"config/acls/000004.log", "config/acls", "ACL 2.0 permissions in RocksDB", noACL},
		{"batchconsumequeue/T/0/00000000000000000000", "batchconsumequeue", "queues of topics with queue.type=BatchCQ", finish},
		{"compaction/compactionLog/T/0/00000000000000000000", "compaction/compactionLog", "messages of topics with cleanup.policy=COMPACTION", finish},
		{"config/topicQueueMapping.json", "config/topicQueueMapping.json", "static topics, whose queues several brokers share", finish},
		{"dledger-n0/data/00000000000000000000", "dledger-n0", "a DLedger commit log (enableDLegerCommitLog)",
			"let consumers finish with Java and begin with an empty directory"},
	} {
		fsys, cfg, bodies := filled(t, 3)
		name := path.Join("/store", c.file)
		require.NoError(t, fsys.MkdirAll(path.Dir(name)))
		require.NoError(t, vfs.WriteFile(fsys, name, []byte(`{"topicQueueMappingInfoMap":{"S":{}}}`)))
		before := fsys.Clone()
		require.EqualError(t, openFail(t, fsys, cfg), "/store/"+c.place+" holds "+c.what+", which cannot be read here: "+c.wayOut)
		requireSameFiles(t, before, fsys)
		lines, damaged := findings(t, fsys, cfg)
		require.Equal(t, 1, damaged, lines)
		require.Contains(t, lines[0], c.wayOut)
		require.ErrorContains(t, Repair(cfg, newDeps(fsys), true, func(Finding) {}), c.wayOut)
		requireSameFiles(t, before, fsys)
		require.NoError(t, vfs.RemoveAll(fsys, path.Join("/store", c.place))) // the way out, as far as we are concerned
		s := newStore(t, fsys, cfg)
		require.Equal(t, bodies, readAll(t, s, "T", 0))
		require.NoError(t, s.Close())
	}
}

// A static-topic table that cannot be read may name some.
func TestAnUnreadableMappingIsRefused(t *testing.T) {
	fsys, cfg, _ := filled(t, 3)
	require.NoError(t, fsys.MkdirAll("/store/config"))
	require.NoError(t, vfs.WriteFile(fsys, "/store/config/topicQueueMapping.json", []byte(`{"topicQueueMapp`)))
	require.ErrorContains(t, openFail(t, fsys, cfg), "/store/config/topicQueueMapping.json cannot be read, and may name static topics")
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
