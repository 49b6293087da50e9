// SPDX-License-Identifier: Apache-2.0

// Extension units of a consume queue (docs/format/consumequeueext.md): tag code,
// store time and a filter's bitmap, to which the queue's unit points in place of
// its tag code. The dispatcher writes them before the units that point to them.
// Java: ConsumeQueueExt.

package store

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"path"
	"slices"

	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

const (
	extHeadBytes = 2 + 8 + 8 + 2
	maxExtBytes  = math.MaxInt16
	// extEndBytes stay free at the end of a file for the mark that ends it.
	extEndBytes = 4
	// maxExtAddress separates addresses from tag codes, which are 32-bit hashes
	// or times.
	maxExtAddress = math.MinInt32 - 1
)

// isExtAddress says whether what stands in the place of a tag code points to an
// extension unit.
func isExtAddress(code int64) bool { return code <= maxExtAddress }

func extAddress(offset int64) int64 { return offset + math.MinInt64 }
func extOffset(address int64) int64 { return address - math.MinInt64 }

// ExtUnit is one extension unit.
type ExtUnit struct {
	TagsCode         int64
	StoreTimestampMs int64
	Bitmap           []byte
}

// Size is that of the unit in the file, in bytes.
func (u *ExtUnit) Size() int { return extHeadBytes + len(u.Bitmap) }

func (u *ExtUnit) append(dst []byte) []byte {
	be := binary.BigEndian
	dst = be.AppendUint16(dst, uint16(u.Size()))
	dst = be.AppendUint64(dst, uint64(u.TagsCode))
	dst = be.AppendUint64(dst, uint64(u.StoreTimestampMs))
	dst = be.AppendUint16(dst, uint16(len(u.Bitmap)))
	return append(dst, u.Bitmap...)
}

var errExtUnit = errors.New("no extension unit")

// queueExt is the extension of one queue. Its files are kept like a queue's.
type queueExt struct {
	files *queueFiles
	// source gives the unit of a record; nil: the extension is only read, because
	// it was switched off.
	source func(u unit) ExtUnit
	end    int64 // under the dispatch lock: where the next unit goes
	buf    []byte
}

// load finds the end: behind the last unit of the last file. It returns the files that cannot be right. What is no such
// file is left alone; an empty last one was just being made. After a crash nothing is known to be durable, not even what
// is read.
func (x *queueExt) load(durable bool) (wrong []offsetFile, err error) {
	found, err := findOffsetFiles(x.files.fs, []string{x.files.dir})
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(f offsetFile) bool { return f.offset < 0 })
	if last := len(found) - 1; last >= 0 && found[last].size == 0 {
		if err := x.files.fs.Remove(found[last].name()); err != nil {
			return nil, err
		}
		found = found[:last]
	}
	x.files.size = foundFileSize(found, x.files.size, 1, extHeadBytes+extEndBytes)
	good, wrong := inOrder(found, x.files.size)
	if len(good) > 0 {
		x.files.take(good[0].offset, len(good), durable)
	}
	list := *x.files.list.Load()
	if len(list) == 0 {
		return wrong, nil
	}
	last := list[len(list)-1].base
	x.end = last
	for x.end < last+x.files.size {
		u, err := x.read(extAddress(x.end))
		if errors.Is(err, errExtUnit) {
			break
		}
		if err != nil {
			return nil, err
		}
		x.end += int64(u.Size())
	}
	return wrong, nil
}

// read returns the unit at an address.
func (x *queueExt) read(address int64) (ExtUnit, error) {
	at := extOffset(address)
	q := x.files.find(at)
	if q == nil || !isExtAddress(address) {
		return ExtUnit{}, errExtUnit
	}
	var head [extHeadBytes]byte
	if n, err := x.readAt(q, head[:], at-q.base); n < len(head) {
		if err == nil || errors.Is(err, io.EOF) {
			err = errExtUnit
		}
		return ExtUnit{}, err
	}
	be := binary.BigEndian
	size, bits := int(int16(be.Uint16(head[:]))), int(int16(be.Uint16(head[18:])))
	if size < extHeadBytes || bits < 0 || size != extHeadBytes+bits || at-q.base+int64(size) > x.files.size {
		return ExtUnit{}, errExtUnit
	}
	u := ExtUnit{TagsCode: int64(be.Uint64(head[2:])), StoreTimestampMs: int64(be.Uint64(head[10:]))}
	if bits > 0 {
		u.Bitmap = make([]byte, bits)
		if n, err := x.readAt(q, u.Bitmap, at-q.base+extHeadBytes); n < bits {
			return ExtUnit{}, errors.Join(errExtUnit, err)
		}
	}
	return u, nil
}

func (x *queueExt) readAt(q *queueFile, b []byte, pos int64) (n int, err error) {
	err = x.files.with(q, x.files.readFlag(), func(file vfs.File) (err error) {
		n, err = file.ReadAt(b, pos)
		return err
	})
	return n, err
}

// resolve puts the tag codes into units read from the queue's file. A unit
// whose extension cannot be read keeps the address. With
// match, the bits of refused are the units whose extensions do not match.
func (x *queueExt) resolve(units []unit, match func(ext *ExtUnit) bool) (refused uint64) {
	for i := range units {
		if !isExtAddress(units[i].tagsCode) {
			continue
		}
		u, err := x.read(units[i].tagsCode)
		if err != nil {
			continue
		}
		units[i].tagsCode = u.TagsCode
		if match != nil && !match(&u) {
			refused |= 1 << i
		}
	}
	return refused
}

// upcoming is the extension of a unit that is yet to be written; false when it gets
// none. One that is too large is left out, as in Java.
func (x *queueExt) upcoming(u unit) (ext ExtUnit, ok bool) {
	if x.source == nil || u.isBlank() {
		return ExtUnit{}, false
	}
	ext = x.source(u)
	size := int64(ext.Size())
	return ext, size <= maxExtBytes && size+extEndBytes <= x.files.size
}

// enter writes the extension of a unit and returns the unit as it goes into
// the queue's file.
func (x *queueExt) enter(u unit) (unit, error) {
	ext, ok := x.upcoming(u)
	size := int64(ext.Size())
	if !ok || x.end+size > extOffset(maxExtAddress) {
		return u, nil
	}
	if left := x.files.size - x.end%x.files.size; size+extEndBytes > left {
		if err := x.put(x.end, []byte{0xff, 0xff}); err != nil {
			return u, err
		}
		x.end += left
	}
	x.buf = ext.append(x.buf[:0])
	if err := x.put(x.end, x.buf); err != nil {
		return u, err
	}
	u.tagsCode = extAddress(x.end)
	x.end += size
	return u, nil
}

func (x *queueExt) put(at int64, b []byte) error {
	q, err := x.files.findOrCreate(at)
	if err != nil {
		return err
	}
	err = x.files.with(q, vfs.Create, func(file vfs.File) error {
		_, err := file.WriteAt(b, at-q.base)
		return err
	})
	if err != nil {
		return err
	}
	q.dirty = true
	q.bytes += int64(len(b))
	return nil
}

// truncate makes the unit at last the newest; an address that is none empties
// the extension.
func (x *queueExt) truncate(last int64) error {
	if !isExtAddress(last) {
		x.end = 0
		return x.files.clear()
	}
	u, err := x.read(last)
	if errors.Is(err, errExtUnit) {
		return nil // nothing is known of its size: what is behind is overwritten
	}
	if err != nil {
		return err
	}
	x.end = extOffset(last) + int64(u.Size())
	return x.files.truncateBytes(x.end)
}

// dropBefore removes the files all of whose units are before an address.
func (x *queueExt) dropBefore(first int64) error {
	if !isExtAddress(first) {
		return nil
	}
	n, list := 0, *x.files.list.Load()
	for n < len(list)-1 && list[n].base+x.files.size <= extOffset(first) {
		n++
	}
	return x.files.dropFirst(n)
}

// newExt makes the extension of a queue, with a source when it is to be written.
func (t *queueTable) newExt(topic, id string, write bool) *queueExt {
	x := &queueExt{files: newQueueFiles(t.fs, path.Join(t.extDir, topic, id), t.extFileSize)}
	x.files.opened = &t.opened
	if write {
		x.source = func(u unit) ExtUnit { return t.extOf(topic, u) }
	}
	return x
}

// extOf makes the extension unit of a record, with the bits that the hook gives.
func (s *Store) extOf(topic string, u unit) ExtUnit {
	ext := ExtUnit{TagsCode: u.tagsCode}
	rec, seg := s.log.slice(u.phyOffset, int64(u.size))
	if seg == nil {
		return ext
	}
	defer seg.unpin()
	ext.StoreTimestampMs = message.RecordStoreTimestamp(rec)
	if s.deps.FilterBits != nil {
		ext.Bitmap = s.deps.FilterBits(topic, rec)
	}
	return ext
}

// QueueUnit is one unit of a consume queue with its extension. When ExtLost, the
// extension to which the unit points cannot be read, and TagsCode is its address.
type QueueUnit struct {
	PhyOffset int64
	Size      int32
	TagsCode  int64
	Ext       *ExtUnit // nil: none, or lost
	ExtLost   bool
}

// QueueUnit returns the unit at a queue offset; false when there is none.
func (s *Store) QueueUnit(topic string, queueID int32, offset int64) (QueueUnit, bool) {
	q := s.queues.get(topic, queueID)
	if q == nil || offset < q.min.Load() {
		return QueueUnit{}, false
	}
	u, ok := q.unit(offset)
	if !ok {
		return QueueUnit{}, false
	}
	found := QueueUnit{PhyOffset: u.phyOffset, Size: u.size, TagsCode: u.tagsCode, ExtLost: isExtAddress(u.tagsCode)}
	if ext, ok := q.files.extAt(offset, u); ok && !found.ExtLost {
		found.Ext = &ext
	}
	return found, true
}

// extAt is the extension of a unit: as it was written, or as the dispatcher is
// about to write it.
func (f *queueFiles) extAt(offset int64, u unit) (ext ExtUnit, ok bool) {
	if f.ext == nil {
		return ExtUnit{}, false
	}
	if address, written := f.codeAt(offset); written {
		ext, err := f.ext.read(address)
		return ext, err == nil
	}
	err := vfs.Guard(func() error {
		ext, ok = f.ext.upcoming(u)
		return nil
	})
	return ext, ok && err == nil
}

// codeAt is what stands in the file in the place of a tag code.
func (f *queueFiles) codeAt(offset int64) (code int64, ok bool) {
	var one [1]unit
	var raw [unitBytes]byte
	n, err := f.readPlain(offset, one[:], raw[:])
	if err != nil || n == 0 || !one[0].valid() {
		return 0, false
	}
	return one[0].tagsCode, true
}
