// SPDX-License-Identifier: Apache-2.0

// A directory may hold live state in forms that only Java reads: to serve the
// rest of it would lose messages or settings in silence. Such a directory is
// refused by one sentence that names the state and the way out. What Java makes
// but leaves empty is no reason (5.5.0 always makes an empty rocksdbstore), and
// files of which this program knows nothing are left alone.

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"rocketd/compat/fastjson"
	"rocketd/store/vfs"
)

// foreignState is a form of state that is not read here.
type foreignState struct {
	dir    string // under the root; or a file
	live   func(fsys vfs.FS, dir string) (bool, error)
	what   string
	wayOut string
}

var foreignStates = []foreignState{
	{"consumequeue", rocksDBExists, "consume queues in RocksDB (storeType=defaultRocksDB)",
		"set storeType=default and remove the directory: queues are built anew from the commit log"},
	{"consumequeue_rocksdb", rocksDBExists, "consume queues in RocksDB (storeType=defaultRocksDB)",
		"set storeType=default and remove the directory: queues are built anew from the commit log"},
	{"rocksdbstore", rocksDBHasData, "timer messages, half messages or keys in RocksDB (timerRocksDBEnable, transRocksDBEnable, indexRocksDBEnable)",
		"let Java deliver them with those keys switched off, then remove the directory"},
	{"kvStore", rocksDBHasData, "unacknowledged pops in RocksDB (popConsumerKVServiceEnable)",
		"let Java move them to the commit log (mqadmin exportPopRecord), then remove the directory"},
	{"config/topics", rocksDBExists, "topics in RocksDB", rocksDBConfigWayOut},
	{"config/subscriptionGroups", rocksDBExists, "consumer groups in RocksDB", rocksDBConfigWayOut},
	{"config/consumerOffsets", rocksDBExists, "consumer offsets in RocksDB", rocksDBConfigWayOut},
	{"config/metadata", rocksDBExists, "topics, groups and offsets in RocksDB (useSingleRocksDBForAllConfigs)", rocksDBConfigWayOut},
	{"config/rdb", rocksDBExists, "topics, groups and offsets in RocksDB (configManagerVersion=V2)", rocksDBConfigWayOut},
	{"config/users", rocksDBHasData, "ACL 2.0 users in RocksDB", "remove the directory if access control is not needed here, else stay with Java"},
	{"config/acls", rocksDBHasData, "ACL 2.0 permissions in RocksDB", "remove the directory if access control is not needed here, else stay with Java"},
	{"batchconsumequeue", filesExist, "queues of topics with queue.type=BatchCQ", "let consumers finish with those topics and delete them with Java"},
	{"config/topicQueueMapping.json", mappingsExist, "static topics, whose queues several brokers share", "let consumers finish with those topics and delete them with Java"},
	{"compaction/compactionLog", filesExist, "messages of topics with cleanup.policy=COMPACTION", "let consumers finish with those topics and delete them with Java"},
}

const rocksDBConfigWayOut = "write them as JSON files with Java's mqadmin rocksDBConfigToJson, then remove the directory"

// refuseForeign looks for such state. It changes nothing.
func refuseForeign(fsys vfs.FS, root string) error {
	for _, f := range foreignStates {
		dir := path.Join(root, f.dir)
		live, err := f.live(fsys, dir)
		if err != nil {
			return err
		}
		if live {
			return fmt.Errorf("%s holds %s, which cannot be read here: %s", dir, f.what, f.wayOut)
		}
	}
	infos, err := fsys.List(root)
	if err != nil {
		return err
	}
	for _, info := range infos {
		if info.Dir && strings.HasPrefix(info.Name, "dledger-") {
			dir := path.Join(root, info.Name)
			live, err := filesExist(fsys, dir)
			if err != nil {
				return err
			}
			if live {
				return fmt.Errorf("%s holds a DLedger commit log (enableDLegerCommitLog), which cannot be read here: "+
					"let consumers finish with Java and begin with an empty directory", dir)
			}
		}
	}
	return nil
}

// rocksDBExists says whether a directory is a RocksDB database, which has
// always a file CURRENT.
func rocksDBExists(fsys vfs.FS, dir string) (bool, error) {
	return vfs.Exists(fsys, path.Join(dir, "CURRENT"))
}

// rocksDBHasData says whether a RocksDB database has entries: in tables, or in
// a log that was not yet made into one.
func rocksDBHasData(fsys vfs.FS, dir string) (bool, error) {
	infos, err := fsys.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	for _, info := range infos {
		ext := path.Ext(info.Name)
		if !info.Dir && info.Size > 0 && (ext == ".sst" || ext == ".log" || ext == ".blob") {
			return true, nil
		}
	}
	return false, err
}

// mappingsExist says whether the file names a static topic.
func mappingsExist(fsys vfs.FS, file string) (bool, error) {
	text, err := vfs.ReadFile(fsys, file)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	var table struct {
		Mappings map[string]fastjson.Raw `json:"topicQueueMappingInfoMap"`
	}
	if err != nil || len(text) == 0 {
		return false, err
	}
	if err := fastjson.Unmarshal(text, &table); err != nil {
		return false, fmt.Errorf("%s cannot be read, and may name static topics, which are not served: %w", file, err)
	}
	return len(table.Mappings) > 0, nil
}

// filesExist says whether a directory has files in it, at any depth.
func filesExist(fsys vfs.FS, dir string) (bool, error) {
	infos, err := fsys.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	for _, info := range infos {
		if !info.Dir {
			return true, nil
		}
		if found, err := filesExist(fsys, path.Join(dir, info.Name)); err != nil || found {
			return found, err
		}
	}
	return false, err
}
