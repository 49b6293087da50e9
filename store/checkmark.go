// SPDX-License-Identifier: Apache-2.0

// Check and dump of the two files that are ours alone, mark and queue list
// (docs/format/mark.md). Java's directories have neither.

package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"

	"rocketd/store/vfs"
)

const readsAll = "the next start reads the whole commit log"

// checkMark looks whether mark, list and checkpoint fit together, and whether the log and the files of queues and index are as
// they say.
func (c *checker) checkMark() error {
	name, listed := path.Join(c.root, markName), path.Join(c.root, listName)
	b, noMark, err := c.readOurs(name)
	if err != nil {
		return err
	}
	list, noList, err := c.readOurs(listed)
	if err != nil || noMark && noList {
		return err
	}
	k, err := loadCheckpoint(c.fs, path.Join(c.root, "checkpoint"))
	if err != nil {
		return err
	}
	var m markState
	switch {
	case noMark:
		c.damage(name, -1, "missing, but %s is there; %s", listName, readsAll)
	case !m.parse(b):
		c.damage(name, -1, "no mark or a damaged one; %s", readsAll)
	case !slices.Contains(m.java[:], k.onDisk()):
		c.note(name, -1, "it knows another checkpoint: somebody else has had the store since, and it does not count")
	default:
		if m.clean && !c.crashed && m.end != c.logEnd {
			c.damage(name, -1, "the store was closed with records up to %d, the log ends at %d", m.end, c.logEnd)
		}
		return c.checkList(listed, list, noList, &m)
	}
	return nil
}

// readOurs reads a file that may be missing.
func (c *checker) readOurs(name string) (b []byte, missing bool, err error) {
	b, err = vfs.ReadFile(c.fs, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, true, nil
	}
	return b, false, err
}

func (c *checker) checkList(name string, b []byte, missing bool, m *markState) error {
	l, err := decodeList(b, m.listID)
	switch {
	case m.listID == 0:
		return nil
	case missing:
		c.damage(name, -1, "missing; %s", readsAll)
	case !isList(b):
		c.damage(name, -1, "no queue list or a damaged one; %s", readsAll)
	case err != nil && m.clean:
		c.damage(name, -1, "not the list that %s names; %s", markName, readsAll)
	case err != nil:
		c.note(name, -1, "not the list that %s names; a kill came between the two", markName)
	default:
		return c.checkListed(l)
	}
	return nil
}

// checkListed looks whether what the list names is there.
func (c *checker) checkListed(l *queueList) error {
	t := newQueueTable(c.fs, path.Join(c.root, "consumequeue"), l.fileSize, func() int { return 1 })
	for i := range l.queues {
		var not *notAsListed
		switch err := t.asListed(&l.queues[i], l.fileSize); {
		case errors.As(err, &not):
			c.damage(not.file, -1, "not as the queue list has it: %s", not.what)
		case err != nil:
			return err
		}
	}
	for _, f := range l.index {
		name := path.Join(c.root, "index", f.name)
		if there, err := vfs.Exists(c.fs, name); err != nil || there {
			if err != nil {
				return err
			}
			continue
		}
		if f.endPhy >= c.logMin {
			c.damage(name, -1, "missing, the queue list has it")
		}
	}
	return nil
}

func (c *checker) dumpMark(w io.Writer, name string) error {
	b, err := vfs.ReadFile(c.fs, name)
	if err != nil {
		return err
	}
	var m markState
	if !m.parse(b) {
		return fmt.Errorf("%s is no mark, or a damaged one", name)
	}
	fmt.Fprintf(w, "closed %v, queues distrusted %v, recovery at work %v, boot %x\n", m.clean, m.distrust, m.cutting, m.boot)
	fmt.Fprintf(w, "flushed up to %d, end %d with checksum %08x before it, list %016x\n", m.flushed, m.end, m.tailSum, m.listID)
	for i, what := range []string{"before", "after"} {
		var k checkpoint
		k.decode(m.java[i][:])
		fmt.Fprintf(w, "checkpoint %s: log %d, queues %d, index %d; master's end %d, confirmed %d\n", what, k.physic, k.logics, k.index, k.masterFlushed, k.confirm)
	}
	return nil
}

func (c *checker) dumpList(w io.Writer, name string) error {
	b, err := vfs.ReadFile(c.fs, name)
	if err != nil {
		return err
	}
	if !isList(b) {
		return fmt.Errorf("%s is no queue list, or a damaged one", name)
	}
	id := binary.BigEndian.Uint64(b[8:])
	l, err := decodeList(b, id)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	fmt.Fprintf(w, "list %016x: the log from %d to %d, the newest record of %d, queue files of %d bytes\n", id, l.logMin, l.mark, l.lastMs, l.fileSize)
	for i := range l.queues {
		q := &l.queues[i]
		fmt.Fprintf(w, "%s/%d: offsets %d to %d, %d files from %s on\n", q.topic, q.id, q.min, q.end, q.files, segmentName(q.base))
	}
	for _, f := range l.index {
		fmt.Fprintf(w, "index/%s: up to %d\n", f.name, f.endPhy)
	}
	return nil
}
