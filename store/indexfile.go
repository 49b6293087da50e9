// SPDX-License-Identifier: Apache-2.0

// One file of the key index: header, hash slots, entries that are chained from
// the slots backwards (docs/format/index.md). Slots and header are written
// through a mapping, whose blocks are allocated first; entries come in order
// and are written in runs. Java: IndexFile, IndexHeader.

package store

import (
	"encoding/binary"
	"errors"
	"math"

	"rocketd/store/vfs"
)

const (
	indexHeaderBytes = 40
	indexSlotBytes   = 4
	indexEntryBytes  = 20
)

// indexGeometry is the shape of all index files.
type indexGeometry struct {
	slots, entries int64
}

func (g indexGeometry) entriesAt() int64 { return indexHeaderBytes + g.slots*indexSlotBytes }
func (g indexGeometry) size() int64      { return g.entriesAt() + g.entries*indexEntryBytes }

// indexHeader is the first 40 bytes.
type indexHeader struct {
	beginMs, endMs   int64
	beginPhy, endPhy int64
	usedSlots        int32
	count            int32 // the next entry's id; 1 in an empty file
}

func (h *indexHeader) get(b []byte) {
	be := binary.BigEndian
	h.beginMs, h.endMs = int64(be.Uint64(b)), int64(be.Uint64(b[8:]))
	h.beginPhy, h.endPhy = int64(be.Uint64(b[16:])), int64(be.Uint64(b[24:]))
	h.usedSlots, h.count = int32(be.Uint32(b[32:])), max(int32(be.Uint32(b[36:])), 1)
}

func (h *indexHeader) put(b []byte) {
	be := binary.BigEndian
	be.PutUint64(b, uint64(h.beginMs))
	be.PutUint64(b[8:], uint64(h.endMs))
	be.PutUint64(b[16:], uint64(h.beginPhy))
	be.PutUint64(b[24:], uint64(h.endPhy))
	be.PutUint32(b[32:], uint32(h.usedSlots))
	be.PutUint32(b[36:], uint32(h.count))
}

type indexEntry struct {
	hash      int32
	phyOffset int64
	seconds   int32 // after the header's beginMs
	prev      int32 // the entry before it in the chain
}

func entryAt(b []byte) indexEntry {
	be := binary.BigEndian
	return indexEntry{
		hash: int32(be.Uint32(b)), phyOffset: int64(be.Uint64(b[4:])),
		seconds: int32(be.Uint32(b[12:])), prev: int32(be.Uint32(b[16:])),
	}
}

func (e indexEntry) append(dst []byte) []byte {
	be := binary.BigEndian
	dst = be.AppendUint32(dst, uint32(e.hash))
	dst = be.AppendUint64(dst, uint64(e.phyOffset))
	dst = be.AppendUint32(dst, uint32(e.seconds))
	return be.AppendUint32(dst, uint32(e.prev))
}

type indexFile struct {
	name string
	g    indexGeometry
	file vfs.File
	m    vfs.Mapping // header and slots
	h    indexHeader
	run  []byte // entries that are in slots and header but not yet in the file
	runs int64  // id of the first of them
	dirt bool   // written since the last sync
	id   [indexSlotBytes]byte
}

// createIndexFile makes an empty file that continues after prev.
func createIndexFile(fsys vfs.FS, name string, g indexGeometry, prev indexHeader) (*indexFile, error) {
	file, err := fsys.Open(name, vfs.Create)
	if err != nil {
		return nil, err
	}
	if err = file.Truncate(g.size()); err == nil {
		err = file.Allocate(0, g.entriesAt())
	}
	if err != nil {
		return nil, errors.Join(err, file.Close(), fsys.Remove(name))
	}
	f, err := mapIndexFile(file, name, g)
	if err != nil {
		return nil, err
	}
	f.h = indexHeader{endMs: prev.endMs, endPhy: prev.endPhy, count: 1}
	if err := f.putHeader(); err != nil {
		return nil, errors.Join(err, f.close(), fsys.Remove(name))
	}
	return f, nil
}

// openIndexFile opens a file of Java's or ours. Its slots may be a hole that
// Java left, so they get their blocks now.
func openIndexFile(fsys vfs.FS, name string, g indexGeometry) (*indexFile, error) {
	file, err := fsys.Open(name, vfs.ReadWrite)
	if err != nil {
		return nil, err
	}
	if err := file.Allocate(0, g.entriesAt()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	f, err := mapIndexFile(file, name, g)
	if err != nil {
		return nil, err
	}
	f.h.get(f.m.Bytes())
	return f, nil
}

func mapIndexFile(file vfs.File, name string, g indexGeometry) (*indexFile, error) {
	m, err := file.Map(g.entriesAt(), true)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &indexFile{name: name, g: g, file: file, m: m}, nil
}

func (f *indexFile) full() bool { return int64(f.h.count) >= f.g.entries }

func (f *indexFile) slot(hash int32) (at int64, id int32) {
	at = indexHeaderBytes + int64(hash)%f.g.slots*indexSlotBytes
	id = int32(binary.BigEndian.Uint32(f.m.Bytes()[at:]))
	if id <= 0 || id > f.h.count {
		id = 0
	}
	return at, id
}

// add enters one key. The caller sees to it that the file is not full.
func (f *indexFile) add(hash int32, phyOffset, storeMs int64) error {
	at, prev := f.slot(hash)
	var seconds int64
	if f.h.beginMs > 0 {
		seconds = min(max((storeMs-f.h.beginMs)/1000, 0), math.MaxInt32)
	}
	if len(f.run) == 0 {
		f.runs = int64(f.h.count)
	}
	f.run = indexEntry{hash, phyOffset, int32(seconds), prev}.append(f.run)
	binary.BigEndian.PutUint32(f.id[:], uint32(f.h.count))
	if err := f.m.Store(at, f.id[:]); err != nil {
		f.run = f.run[:len(f.run)-indexEntryBytes]
		return err
	}
	if f.h.count <= 1 {
		f.h.beginPhy, f.h.beginMs = phyOffset, storeMs
	}
	if prev == 0 {
		f.h.usedSlots++
	}
	f.h.count++
	f.h.endPhy, f.h.endMs = phyOffset, storeMs
	return nil
}

// writeRun puts the gathered entries and the header into the file. On an error
// they stay gathered.
func (f *indexFile) writeRun() error {
	if len(f.run) == 0 {
		return nil
	}
	if _, err := f.file.WriteAt(f.run, f.g.entriesAt()+f.runs*indexEntryBytes); err != nil {
		return err
	}
	f.run = f.run[:0]
	return f.putHeader()
}

func (f *indexFile) putHeader() error {
	var b [indexHeaderBytes]byte
	f.h.put(b[:])
	f.dirt = true
	return f.m.Store(0, b[:])
}

func (f *indexFile) sync() error {
	if !f.dirt {
		return nil
	}
	if err := f.file.Sync(); err != nil {
		return err
	}
	f.dirt = false
	return nil
}

// entry reads one entry that is in the file.
func (f *indexFile) entry(id int32) (indexEntry, error) {
	var b [indexEntryBytes]byte
	if _, err := f.file.ReadAt(b[:], f.g.entriesAt()+int64(id)*indexEntryBytes); err != nil {
		return indexEntry{}, err
	}
	return entryAt(b[:]), nil
}

// overlaps says whether the file can have entries of a time range.
func (f *indexFile) overlaps(beginMs, endMs int64) bool {
	return f.h.count > 1 && beginMs <= f.h.endMs && endMs >= f.h.beginMs
}

// find appends the offsets that are entered under a hash, the newest first.
func (f *indexFile) find(found []int64, hash int32, maxNum int, beginMs, endMs int64) ([]int64, error) {
	_, id := f.slot(hash)
	for id > 0 && id < f.h.count && len(found) < maxNum {
		e, err := f.entry(id)
		if err != nil {
			return found, err
		}
		if e.seconds < 0 {
			break
		}
		at := f.h.beginMs + int64(e.seconds)*1000
		if e.hash == hash && at >= beginMs && at <= endMs {
			found = append(found, e.phyOffset)
		}
		if at < beginMs || e.prev >= id {
			break // a chain goes to older entries, else it is not one
		}
		id = e.prev
	}
	return found, nil
}

// settled says whether header, slots and entries are of the same moment.
func (f *indexFile) settled() bool {
	if int64(f.h.count) > f.g.entries {
		return false
	}
	if f.h.count > 1 {
		if e, err := f.entry(f.h.count - 1); err != nil || e.phyOffset != f.h.endPhy {
			return false
		}
	}
	be, slots := binary.BigEndian, f.m.Bytes()[indexHeaderBytes:]
	for i := 0; i < len(slots); i += indexSlotBytes {
		if int32(be.Uint32(slots[i:])) >= f.h.count {
			return false
		}
	}
	return true
}

// rebuild makes header and slots from the entries, after a crash: entries are
// taken as long as their offsets ascend and stay below limit. The rest is
// dispatched again. Without the header's time entries say nothing.
func (f *indexFile) rebuild(limit int64, durably bool) error {
	h := f.h
	slots := make([]byte, f.g.entriesAt())
	h.count, h.usedSlots, h.endPhy, h.endMs = 1, 0, 0, 0
	if h.beginMs == 0 {
		limit = 0
	}
	be := binary.BigEndian
	buf := make([]byte, 4096*indexEntryBytes)
	for done := false; !done && int64(h.count) < f.g.entries; {
		n := min(int64(len(buf)/indexEntryBytes), f.g.entries-int64(h.count))
		at := f.g.entriesAt() + int64(h.count)*indexEntryBytes
		if _, err := f.file.ReadAt(buf[:n*indexEntryBytes], at); err != nil {
			return err
		}
		for i := int64(0); i < n; i++ {
			e := entryAt(buf[i*indexEntryBytes:])
			if e == (indexEntry{}) || e.hash < 0 || e.seconds < 0 || e.phyOffset < h.endPhy || e.phyOffset >= limit {
				done = true
				break
			}
			slot := slots[indexHeaderBytes+int64(e.hash)%f.g.slots*indexSlotBytes:]
			if prev := be.Uint32(slot); prev == 0 {
				h.usedSlots++
			}
			be.PutUint32(slot, uint32(h.count))
			h.count++
			h.endPhy, h.endMs = e.phyOffset, h.beginMs+int64(e.seconds)*1000
		}
	}
	h.put(slots)
	if _, err := f.file.WriteAt(slots, 0); err != nil {
		return err
	}
	// What is behind may not be found by another rebuild, when newer entries
	// stand before it.
	rest := f.g.entriesAt() + int64(h.count)*indexEntryBytes
	if rest < f.g.size() {
		if err := f.file.Zero(rest, f.g.size()-rest); err != nil {
			return err
		}
	}
	f.h = h
	if f.dirt = !durably; f.dirt {
		return nil
	}
	return f.file.Sync()
}

func (f *indexFile) close() error { return errors.Join(f.m.Close(), f.file.Close()) }
