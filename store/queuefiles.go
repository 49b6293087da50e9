// SPDX-License-Identifier: Apache-2.0

// The files of one consume queue: fixed size, sparse, the unit of queue offset
// n at byte 20 n of the whole. They are read and written by pread and pwrite,
// opened at first use. Writers hold the dispatch lock, readers nothing.

package store

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"sort"
	"sync"
	"sync/atomic"

	"rocketd/store/vfs"
)

type queueFiles struct {
	fs     vfs.FS
	dir    string
	size   int64      // bytes of a file, a multiple of unitBytes
	opened *openFiles // nil: descriptors stay open
	list   atomic.Pointer[[]*queueFile]

	ext      *queueExt // nil: the units hold their tag codes themselves
	readOnly bool      // for a check
}

type queueFile struct {
	base  int64 // byte offset of its start
	dirty bool  // under the dispatch lock: written since its sync
	bytes int64 // under the dispatch lock: written since its sync
	named bool  // under the dispatch lock: the directory entry is durable

	used atomic.Bool // since the hand of openFiles passed
	gone bool        // under mu: closed for good
	mu   sync.Mutex  // opening and closing
	file atomic.Pointer[vfs.File]
}

func newQueueFiles(fsys vfs.FS, dir string, size int64) *queueFiles {
	f := &queueFiles{fs: fsys, dir: dir, size: size}
	f.list.Store(&[]*queueFile{})
	return f
}

// take takes over n files that are there, the first at a base. What is known to
// be durable needs no sync.
func (f *queueFiles) take(base int64, n int, durable bool) {
	list := make([]*queueFile, n)
	files := make([]queueFile, n)
	for i := range list {
		list[i] = &files[i]
		list[i].base, list[i].named, list[i].dirty = base+int64(i)*f.size, durable, !durable
	}
	f.list.Store(&list)
}

// takeToRead takes over the files of a queue that is only looked at.
func (f *queueFiles) takeToRead(files []offsetFile) {
	f.readOnly = true
	if len(files) > 0 {
		f.take(files[0].offset, len(files), true)
	}
}

func (f *queueFiles) open(q *queueFile, flag vfs.Flag) (vfs.File, error) {
	if p := q.file.Load(); p != nil {
		if !q.used.Load() {
			q.used.Store(true)
		}
		return *p, nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if p := q.file.Load(); p != nil {
		return *p, nil
	}
	if q.gone {
		return nil, fs.ErrClosed
	}
	file, err := f.fs.Open(f.nameOf(q.base), flag)
	if err != nil {
		return nil, err
	}
	q.file.Store(&file)
	if f.opened == nil {
		return file, nil
	}
	return file, f.opened.add(q)
}

func (q *queueFile) isGone() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.gone
}

func (q *queueFile) close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.gone = true
	if p := q.file.Swap(nil); p != nil {
		return (*p).Close()
	}
	return nil
}

// first is the byte offset that the files begin at, 0 without files.
func (f *queueFiles) first() int64 {
	if list := *f.list.Load(); len(list) > 0 {
		return list[0].base
	}
	return 0
}

// find returns the file that holds a byte offset, nil when there is none.
func (f *queueFiles) find(at int64) *queueFile {
	list := *f.list.Load()
	if len(list) == 0 || at < list[0].base {
		return nil
	}
	if i := (at - list[0].base) / f.size; i < int64(len(list)) {
		return list[i]
	}
	return nil
}

// place names the file and the byte in it that a byte offset is at, or would be.
func (f *queueFiles) place(at int64) (name string, pos int64) {
	pos = at % f.size
	return f.nameOf(at - pos), pos
}

func (f *queueFiles) nameOf(base int64) string { return path.Join(f.dir, segmentName(base)) }

// findOrCreate returns the file that holds a byte offset, made when it is missing.
func (f *queueFiles) findOrCreate(at int64) (*queueFile, error) {
	if q := f.find(at); q != nil {
		return q, nil
	}
	return f.create(at)
}

func (f *queueFiles) readFlag() vfs.Flag {
	if f.readOnly {
		return vfs.ReadOnly
	}
	return vfs.ReadWrite
}

// read fills dst with the units from an offset on, up to the end of a file. raw
// is scratch for at least as many units as are wanted.
func (f *queueFiles) read(offset int64, dst []unit, raw []byte) (int, error) {
	n, _, err := f.readMatching(offset, dst, raw, nil)
	return n, err
}

// readMatching is read that also says which of the first 64 units have an
// extension that does not match.
func (f *queueFiles) readMatching(offset int64, dst []unit, raw []byte, match func(ext *ExtUnit) bool) (n int, refused uint64, err error) {
	n, err = f.readPlain(offset, dst, raw)
	if f.ext != nil {
		refused = f.ext.resolve(dst[:n], match)
	}
	return n, refused, err
}

// readPlain is read without looking into the extension. Of a file that was
// deleted meanwhile it reads nothing.
func (f *queueFiles) readPlain(offset int64, dst []unit, raw []byte) (int, error) {
	at := offset * unitBytes
	q := f.find(at)
	if q == nil {
		return 0, nil
	}
	n := min(len(dst), len(raw)/unitBytes, int((q.base+f.size-at)/unitBytes))
	got := 0
	err := f.with(q, f.readFlag(), func(file vfs.File) (err error) {
		got, err = file.ReadAt(raw[:n*unitBytes], at-q.base)
		return err
	})
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, unlessDropped(err)
	}
	n = got / unitBytes
	for i := range dst[:n] {
		dst[i] = unitAt(raw[i*unitBytes:])
	}
	return n, nil
}

// unlessDropped passes over the errors of a file that retention has just taken.
func unlessDropped(err error) error {
	if errors.Is(err, fs.ErrClosed) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// write puts a run of units at an offset, making files as needed; a queue that
// begins inside a file gets blank units before its first one.
func (f *queueFiles) write(offset int64, units []unit, scratch []byte) error {
	for len(units) > 0 {
		at := offset * unitBytes
		q, err := f.findOrCreate(at)
		if err != nil {
			return err
		}
		n := min(len(units), len(scratch)/unitBytes, int((q.base+f.size-at)/unitBytes))
		for i, u := range units[:n] {
			if f.ext != nil {
				if u, err = f.ext.enter(u); err != nil {
					return err
				}
			}
			u.put(scratch[i*unitBytes:])
		}
		if err := f.writeAt(q, scratch[:n*unitBytes], at-q.base); err != nil {
			return err
		}
		q.dirty = true
		q.bytes += int64(n * unitBytes)
		offset, units = offset+int64(n), units[n:]
	}
	return nil
}

// create makes the file that holds a byte offset. It is the one after the last,
// or the first of all.
func (f *queueFiles) create(at int64) (*queueFile, error) {
	list := *f.list.Load()
	q := &queueFile{base: at - at%f.size, dirty: true}
	if err := f.fs.MkdirAll(f.dir); err != nil {
		return nil, err
	}
	err := f.with(q, vfs.Create, func(file vfs.File) error {
		if err := file.Truncate(f.size); err != nil || len(list) > 0 {
			return err
		}
		return writeBlanks(file, at-q.base)
	})
	if err != nil {
		return nil, errors.Join(err, q.close())
	}
	grown := append(append(make([]*queueFile, 0, len(list)+1), list...), q)
	f.list.Store(&grown)
	return q, nil
}

// writeBlanks fills the first n bytes of a file with blank units.
func writeBlanks(file vfs.File, n int64) error {
	buf := make([]byte, min(n, 1024*unitBytes))
	for i := 0; i < len(buf); i += unitBytes {
		blank.put(buf[i:])
	}
	for at := int64(0); at < n; at += int64(len(buf)) {
		if _, err := file.WriteAt(buf[:min(n-at, int64(len(buf)))], at); err != nil {
			return err
		}
	}
	return nil
}

// boundsUnits is how much of a file is read at once to find its end.
const boundsUnits = 256

// bounds looks for the first and the end offset of what the files hold, and for
// the last unit. Units are written in order, so the end is found by bisection; a
// power loss may leave holes, and then it is the end of some run that is not
// before the last durable unit.
func (f *queueFiles) bounds() (first, end int64, last unit, err error) {
	list := *f.list.Load()
	if len(list) == 0 {
		return 0, 0, unit{}, nil
	}
	for i := len(list) - 1; i >= 0; i-- {
		base := list[i].base / unitBytes
		var n int
		if n, last, err = f.written(base); err != nil {
			return 0, 0, unit{}, err
		}
		if n > 0 || i == 0 {
			end = base + int64(n)
			break
		}
	}
	return list[0].base / unitBytes, end, last, nil
}

// written is how many units the file that begins at an offset has, and the last
// of them. Most files are young: their end is in the first piece.
func (f *queueFiles) written(base int64) (n int, last unit, err error) {
	var piece [boundsUnits]unit
	var raw [boundsUnits * unitBytes]byte
	got, err := f.read(base, piece[:], raw[:])
	if err != nil {
		return 0, unit{}, err
	}
	for n < got && piece[n].valid() {
		last = piece[n]
		n++
	}
	if n < got || got < boundsUnits {
		return n, last, nil
	}
	n += sort.Search(int(f.size/unitBytes)-n, func(k int) bool {
		got, rerr := f.read(base+int64(n+k), piece[:1], raw[:])
		if rerr != nil {
			err = rerr
		}
		return got == 0 || !piece[0].valid()
	})
	if got, rerr := f.read(base+int64(n-1), piece[:1], raw[:]); rerr != nil || got == 0 {
		err = errors.Join(err, rerr)
	}
	return n, piece[0], err
}

// truncate removes what is at and after an offset: later files go, the rest of
// the file reads as zeros.
func (f *queueFiles) truncate(end int64) error {
	if f.ext != nil {
		if code, ok := f.codeAt(end - 1); isExtAddress(code) || !ok {
			if err := f.ext.truncate(code); err != nil {
				return err
			}
		}
	}
	return f.truncateBytes(end * unitBytes)
}

func (f *queueFiles) truncateBytes(at int64) error {
	list := *f.list.Load()
	keep := len(list)
	for keep > 0 && list[keep-1].base >= at && (keep > 1 || at < list[0].base) {
		keep--
	}
	kept := slices.Clone(list[:keep])
	f.list.Store(&kept)
	for i := len(list) - 1; i >= keep; i-- {
		if err := list[i].close(); err != nil {
			return err
		}
		if err := f.fs.Remove(f.nameOf(list[i].base)); err != nil {
			return err
		}
	}
	if keep < len(list) { // they may not come back behind what is written now
		if err := f.fs.SyncDir(f.dir); err != nil {
			return err
		}
	}
	if keep == 0 || at >= list[keep-1].base+f.size {
		return nil
	}
	q := list[keep-1]
	q.dirty = true
	return f.with(q, vfs.ReadWrite, func(file vfs.File) error { return file.Zero(at-q.base, q.base+f.size-at) })
}

// clear removes all files.
func (f *queueFiles) clear() error {
	if f.ext != nil {
		if err := f.ext.truncate(0); err != nil {
			return err
		}
	}
	list := *f.list.Load()
	f.list.Store(&[]*queueFile{})
	for i := len(list) - 1; i >= 0; i-- {
		if err := errors.Join(list[i].close(), f.fs.Remove(f.nameOf(list[i].base))); err != nil {
			return err
		}
	}
	if len(list) == 0 {
		return nil
	}
	return f.fs.SyncDir(f.dir)
}

func (f *queueFiles) close() error {
	var errs []error
	if f.ext != nil {
		errs = append(errs, f.ext.files.close())
	}
	for _, q := range *f.list.Load() {
		errs = append(errs, q.close())
	}
	return errors.Join(errs...)
}
