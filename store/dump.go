// SPDX-License-Identifier: Apache-2.0

// Dump prints what a data directory that nobody uses holds: an overview, or one
// line for each record, unit or entry of a file.

package store

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

// Dump prints the directory, or of one of its files, named as it stands under
// the directory, each part.
func Dump(fsys vfs.FS, cfg Config, name string, to io.Writer) error {
	release, err := lockToRead(fsys, cfg.StorePathRootDir)
	if err != nil {
		return err
	}
	defer release()
	w := bufio.NewWriter(to)
	c := newChecker(fsys, cfg, func(Finding) {})
	defer c.close()
	if name == "" {
		err = c.dumpAll(w)
	} else {
		err = c.dumpFile(w, path.Join(cfg.StorePathRootDir, path.Clean("/"+name)))
	}
	return errors.Join(err, w.Flush())
}

func (c *checker) dumpAll(w io.Writer) error {
	if err := c.checkLog(); err != nil {
		return err
	}
	records := 0
	for _, s := range c.log {
		n := 0
		c.eachRecord(s, func(int64, *message.View) { n++ })
		fmt.Fprintf(w, "%s: %d records\n", s.name, n)
		records += n
	}
	fmt.Fprintf(w, "log: %d to %d, %d records, the newest of %d\n", c.logMin, c.logEnd, records, c.lastMs)
	keys := c.queueDirs(path.Join(c.root, "consumequeue"))
	for _, key := range keys {
		q := c.openQueue(key)
		if q.files == nil {
			continue
		}
		first, end, _, err := q.files.bounds()
		if err := errors.Join(err, q.files.close()); err != nil {
			return err
		}
		fmt.Fprintf(w, "%s: offsets %d to %d\n", q.files.dir, first, end)
	}
	for _, dir := range []string{"index", "config", ""} {
		infos, err := c.fs.List(path.Join(c.root, dir))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for _, info := range infos {
			if !info.Dir {
				fmt.Fprintf(w, "%s: %d bytes\n", path.Join(c.root, dir, info.Name), info.Size)
			}
		}
	}
	return nil
}

func (c *checker) dumpFile(w io.Writer, name string) error {
	info, err := c.fs.Stat(name)
	if err != nil {
		return err
	}
	if info.Dir {
		return fmt.Errorf("%s is a directory", name)
	}
	logs := newLogPaths(&c.cfg).all()
	switch dir := path.Dir(name); {
	case slices.Contains(logs, dir):
		return c.dumpSegment(w, name, info.Size)
	case path.Dir(path.Dir(dir)) == path.Join(c.root, "consumequeue"):
		return c.dumpUnits(w, name)
	case path.Dir(path.Dir(dir)) == path.Join(c.root, "consumequeue_ext"):
		return c.dumpExts(w, name, info.Size)
	case dir == path.Join(c.root, "index"):
		return c.dumpIndex(w, name)
	case name == path.Join(c.root, "checkpoint"):
		return c.dumpCheckpoint(w, name)
	case name == path.Join(c.root, markName):
		return c.dumpMark(w, name)
	case name == path.Join(c.root, listName):
		return c.dumpList(w, name)
	}
	b, err := vfs.ReadFile(c.fs, name)
	if err != nil {
		return err
	}
	if slices.Contains(b, 0) {
		return fmt.Errorf("%s is of no kind that can be printed", name)
	}
	_, err = w.Write(b)
	return err
}

func (c *checker) eachRecord(s *segment, fn func(pos int64, v *message.View)) {
	var v message.View
	for pos := int64(0); pos+message.FillerBytes <= s.size; {
		if v.Parse(s.data[pos:], false) != nil {
			return
		}
		fn(pos, &v)
		pos += int64(v.Size)
	}
}

func (c *checker) dumpSegment(w io.Writer, name string, size int64) error {
	base, err := strconv.ParseInt(path.Base(name), 10, 64)
	if err != nil {
		return fmt.Errorf("%s: the name is not an offset", name)
	}
	s, err := openSegment(c.fs, name, base, size, true, true)
	if err != nil {
		return err
	}
	defer s.unpin()
	c.eachRecord(s, func(pos int64, v *message.View) {
		fmt.Fprintf(w, "%d: %d bytes, %s/%d/%d, stored %d, sysFlag %d, body %d bytes, %s\n", base+pos, v.Size, v.Topic, v.QueueID, v.QueueOffset,
			v.StoreTimestampMs, v.SysFlag, len(v.Body), printable(v.Properties))
	})
	return nil
}

// printable writes the separators of a property text as '=' and ' '.
func printable(props []byte) string {
	return strconv.QuoteToGraphic(strings.NewReplacer("\x01", "=", "\x02", " ").Replace(string(props)))
}

func (c *checker) dumpUnits(w io.Writer, name string) error {
	b, err := vfs.ReadFile(c.fs, name)
	if err != nil {
		return err
	}
	base, err := strconv.ParseInt(path.Base(name), 10, 64)
	if err != nil {
		return fmt.Errorf("%s: the name is not an offset", name)
	}
	for at := 0; at+unitBytes <= len(b); at += unitBytes {
		u := unitAt(b[at:])
		switch offset := (base + int64(at)) / unitBytes; {
		case u.isBlank():
			fmt.Fprintf(w, "%d: blank\n", offset)
		case isExtAddress(u.tagsCode):
			fmt.Fprintf(w, "%d: at %d, %d bytes, extension at %d\n", offset, u.phyOffset, u.size, extOffset(u.tagsCode))
		case u.valid():
			fmt.Fprintf(w, "%d: at %d, %d bytes, tag code %d\n", offset, u.phyOffset, u.size, u.tagsCode)
		default:
			return nil
		}
	}
	return nil
}

func (c *checker) dumpExts(w io.Writer, name string, size int64) error {
	x := &queueExt{files: newQueueFiles(c.fs, path.Dir(name), size)}
	base, err := strconv.ParseInt(path.Base(name), 10, 64)
	if err != nil {
		return fmt.Errorf("%s: the name is not an offset", name)
	}
	x.files.takeToRead([]offsetFile{{offset: base}})
	for at := base; ; {
		u, err := x.read(extAddress(at))
		if err != nil {
			return x.files.close()
		}
		fmt.Fprintf(w, "%d: tag code %d, stored %d, bitmap %x\n", at, u.TagsCode, u.StoreTimestampMs, u.Bitmap)
		at += int64(u.Size())
	}
}

func (c *checker) dumpIndex(w io.Writer, name string) error {
	b, err := vfs.ReadFile(c.fs, name)
	if err != nil {
		return err
	}
	g := indexGeometry{int64(c.cfg.MaxHashSlotNum), int64(c.cfg.MaxIndexNum)}
	if int64(len(b)) != g.size() {
		return fmt.Errorf("%s has %d bytes, but maxHashSlotNum=%d and maxIndexNum=%d make %d", name, len(b), g.slots, g.entries, g.size())
	}
	var h indexHeader
	h.get(b)
	fmt.Fprintf(w, "offsets %d to %d, stored %d to %d, %d slots used, next id %d\n", h.beginPhy, h.endPhy, h.beginMs, h.endMs, h.usedSlots, h.count)
	for id := int64(1); id < min(int64(h.count), g.entries); id++ {
		e := entryAt(b[g.entriesAt()+id*indexEntryBytes:])
		fmt.Fprintf(w, "%d: hash %d, at %d, %d s, after %d\n", id, e.hash, e.phyOffset, e.seconds, e.prev)
	}
	return nil
}

func (c *checker) dumpCheckpoint(w io.Writer, name string) error {
	k, err := loadCheckpoint(c.fs, name)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "flushed up to: log %d, queues %d, index %d; master's end %d, confirmed %d\n", k.physic, k.logics, k.index, k.masterFlushed, k.confirm)
	return err
}
