// SPDX-License-Identifier: Apache-2.0

// Check of the small files: checkpoint, lock, the JSON tables, and the
// extension units of queues.

package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"rocketd/compat/fastjson"
	"rocketd/store/vfs"
)

// tableFile is the member of a file that has the table, none: any object, and an empty table to read it into.
type tableFile struct {
	member string
	empty  func() any
}

func anyTable() any { return new(map[string]fastjson.Raw) }

// tableFiles are the JSON files under config that Java 5.5.0 and this server write.
var tableFiles = map[string]tableFile{
	"topics.json":             {"topicConfigTable", func() any { return new(topicTable) }},
	"subscriptionGroup.json":  {"subscriptionGroupTable", anyTable},
	"consumerOffset.json":     {"offsetTable", func() any { return new(offsetTable) }},
	"lmqConsumerOffset.json":  {"offsetTable", anyTable},
	"delayOffset.json":        {"offsetTable", func() any { return new(delayTable) }},
	"consumerFilter.json":     {"filterDataByTopic", anyTable},
	"consumerOrderInfo.json":  {"table", anyTable},
	"topicQueueMapping.json":  {"topicQueueMappingInfoMap", anyTable},
	"messageRequestMode.json": {"messageRequestModeMap", anyTable},
	"timermetrics":            {}, "transactionMetrics": {},
}

func (c *checker) checkCheckpoint() error {
	name := path.Join(c.root, "checkpoint")
	b, err := vfs.ReadFile(c.fs, name)
	if errors.Is(err, fs.ErrNotExist) {
		if len(c.log) > 0 {
			c.note(name, -1, "missing; the next start makes it")
		}
		return nil
	}
	if err != nil {
		return err
	}
	if len(b) != checkpointBytes {
		c.behind(name, -1, "%d bytes instead of %d", len(b), checkpointBytes)
		return nil
	}
	for i, what := range []string{"log", "queue", "index"} {
		if at := int64(binary.BigEndian.Uint64(b[8*i:])); at < 0 || at > c.lastMs && c.lastMs > 0 {
			c.note(name, int64(8*i), "the %s is said to be flushed up to %d, the newest record is of %d", what, at, c.lastMs)
		}
	}
	return nil
}

func (c *checker) checkLock() error {
	lock := path.Join(c.root, "lock")
	if text, err := vfs.ReadFile(c.fs, lock); err == nil && string(text) != "lock" {
		c.note(lock, 0, "holds %.20q instead of \"lock\"", text)
	}
	return nil
}

// checkTables reads every JSON table and its backup, and says what a start makes of them (docs/format/tables.md).
func (c *checker) checkTables() error {
	dir := path.Join(c.root, "config")
	infos, err := c.fs.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, info := range infos {
		if !info.Dir && strings.Contains(info.Name, ".damaged-") {
			c.note(path.Join(dir, info.Name), -1, "set aside by an earlier start")
		}
	}
	for _, base := range slices.Sorted(maps.Keys(tableFiles)) {
		c.checkTable(path.Join(dir, base), tableFiles[base])
	}
	return nil
}

func (c *checker) checkTable(name string, shape tableFile) {
	table, err := readTable(c.fs, name, shape)
	backup, berr := readTable(c.fs, name+".bak", shape)
	missing, noBackup := errors.Is(err, fs.ErrNotExist), errors.Is(berr, fs.ErrNotExist)
	switch {
	case missing && noBackup, err == nil && (berr == nil || noBackup):
	case err == nil:
		c.note(name+".bak", -1, "the backup cannot be read: %v", berr)
	case missing && berr == nil:
		c.note(name, -1, "missing; the next start uses its backup")
	case berr == nil:
		c.damage(name, -1, "%v; the next start uses its backup", err)
	default:
		c.damage(name, -1, "%v; its backup cannot be read either: %v", err, berr)
	}
	switch {
	case err == nil:
		c.checkContents(name, table)
	case berr == nil:
		c.checkContents(name+".bak", backup)
	}
}

// readTable reads a table's file; nil is one whose member is missing.
func readTable(fsys vfs.FS, name string, shape tableFile) (table any, err error) {
	text, err := vfs.ReadFile(fsys, name)
	if err != nil {
		return nil, err
	}
	if len(text) == 0 {
		return nil, errors.New("the file is empty")
	}
	if !bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		return nil, errors.New("no JSON object")
	}
	var members map[string]fastjson.Raw
	if err := fastjson.Unmarshal(text, &members); err != nil {
		return nil, fmt.Errorf("no JSON object: %w", err)
	}
	if shape.member == "" || members[shape.member] == nil {
		return nil, nil
	}
	table = shape.empty()
	if err := fastjson.Unmarshal(members[shape.member], table); err != nil {
		return nil, fmt.Errorf("%s: %w", shape.member, err)
	}
	return table, nil
}

// checkExts looks at the extension units that queue units point to.
func (c *checker) checkExts() error {
	dir := path.Join(c.root, "consumequeue_ext")
	for _, key := range c.queueDirs(dir) {
		x := &queueExt{files: newQueueFiles(c.fs, path.Join(dir, key.topic, strconv.Itoa(int(key.id))), c.cfg.ConsumeQueueExtFileSize)}
		files, size, err := c.offsetFiles([]string{x.files.dir}, x.files.size, 1, extHeadBytes+extEndBytes)
		if err != nil {
			return err
		}
		x.files.size = size
		x.files.takeToRead(files)
		q := c.openQueue(key)
		if q.files == nil {
			c.note(x.files.dir, -1, "extension units of a queue that is not there")
			continue
		}
		if err := errors.Join(c.checkExt(q.files, x), q.files.close(), x.files.close()); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) checkExt(f *queueFiles, x *queueExt) error {
	first, end, _, err := f.bounds()
	if err != nil {
		return err
	}
	for offset := first; offset < end; offset++ {
		code, ok := f.codeAt(offset)
		if !ok || !isExtAddress(code) {
			continue
		}
		if _, err := x.read(code); err != nil {
			name, pos := f.place(offset * unitBytes)
			c.behind(name, pos, "points to byte %d of %s: %v", extOffset(code), x.files.dir, err)
		}
	}
	return nil
}
