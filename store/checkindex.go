// SPDX-License-Identifier: Apache-2.0

// Check of the key index: entries ascend and hang together, and each stands for
// a key of the record that it points to.

package store

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"path"
	"strings"

	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

func (c *checker) checkIndex() error {
	dir := path.Join(c.root, "index")
	infos, err := c.fs.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	g := indexGeometry{int64(c.cfg.MaxHashSlotNum), int64(c.cfg.MaxIndexNum)}
	for _, info := range infos {
		name := path.Join(dir, info.Name)
		switch {
		case info.Dir:
		case info.Size == 0:
			c.behind(name, -1, "empty, it was being made")
		case info.Size != g.size():
			c.damage(name, -1, "%d bytes, but maxHashSlotNum=%d and maxIndexNum=%d make %d: give the configuration with -c", info.Size, g.slots, g.entries, g.size())
		default:
			if err := c.checkIndexFile(name, g); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *checker) checkIndexFile(name string, g indexGeometry) error {
	file, err := c.fs.Open(name, vfs.ReadOnly)
	if err != nil {
		return err
	}
	m, err := file.Map(g.size(), false)
	if err != nil {
		return errors.Join(err, file.Close())
	}
	c.checkEntries(name, g, m.Bytes())
	return errors.Join(m.Close(), file.Close())
}

func (c *checker) checkEntries(name string, g indexGeometry, b []byte) {
	var h indexHeader
	h.get(b)
	if h.usedSlots < 0 || int64(h.count) > g.entries || h.beginPhy > h.endPhy {
		c.behind(name, 0, "the header is impossible: next id %d, from %d to %d", h.count, h.beginPhy, h.endPhy)
		return
	}
	newest := map[int64]int32{} // slot -> id of its last entry
	last := int64(0)
	var v message.View
	for id := int32(1); id < h.count; id++ {
		at := g.entriesAt() + int64(id)*indexEntryBytes
		e := entryAt(b[at:])
		if e.hash < 0 || e.seconds < 0 || e.phyOffset < last {
			c.behind(name, at, "entry %d is none: its offset is %d after %d", id, e.phyOffset, last)
			return
		}
		last = e.phyOffset
		slot := int64(e.hash) % g.slots
		if e.prev != newest[slot] {
			c.behind(name, at, "entry %d hangs on %d instead of %d", id, e.prev, newest[slot])
		}
		newest[slot] = id
		if e.phyOffset < c.logMin {
			continue
		}
		if err := c.record(e.phyOffset, &v); err != nil {
			c.behind(name, at, "entry %d points to %d, where no record is: %v", id, e.phyOffset, err)
		} else if !hasKey(&v, e.hash) {
			c.behind(name, at, "entry %d is of no key of the record at %d", id, e.phyOffset)
		}
	}
	for slot := range g.slots {
		at := indexHeaderBytes + slot*indexSlotBytes
		if id := int32(binary.BigEndian.Uint32(b[at:])); id != newest[slot] && (id > 0 && id < h.count || newest[slot] != 0) {
			c.behind(name, at, "slot %d begins with entry %d instead of %d", slot, id, newest[slot])
		}
	}
}

// hasKey says whether one of a record's keys has a hash.
func hasKey(v *message.View, hash int32) bool {
	props := string(v.Properties)
	prefix := string(v.Topic) + "#"
	uniq, ok := message.Property(props, message.PropUniqKey)
	if ok && keyHash(prefix+uniq) == hash {
		return true
	}
	if tags, _ := message.Property(props, message.PropTags); tags != "" && keyHash(prefix+TagKeyPrefix+tags) == hash {
		return true
	}
	keys, _ := message.Property(props, message.PropKeys)
	for one := range strings.SplitSeq(keys, message.KeySeparator) {
		if one != "" && keyHash(prefix+one) == hash {
			return true
		}
	}
	return false
}
