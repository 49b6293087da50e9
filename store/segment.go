// SPDX-License-Identifier: Apache-2.0

// One file of the commit log: mapped, pinned by readers, given disk blocks in
// steps ahead of what is written. Java: DefaultMappedFile.

package store

import (
	"fmt"
	"path"
	"sync/atomic"

	"rocketd/store/vfs"
)

type segment struct {
	base int64
	size int64
	name string
	file vfs.File
	m    vfs.Mapping
	data []byte // the mapping's bytes; read below the published end only

	pwrite    bool         // writes go through the file, the mapping is for reading
	allocated int64        // bytes from the start that have disk blocks; under the append lock
	named     atomic.Bool  // the directory entry is durable
	refs      atomic.Int64 // 1 for the log's list, 1 for each reader; 0: unmapped
}

func segmentName(base int64) string { return fmt.Sprintf("%020d", base) }

// createSegment makes a file of full size, a hole throughout.
func createSegment(fsys vfs.FS, dir string, base, size int64, pwrite bool) (*segment, error) {
	name := path.Join(dir, segmentName(base))
	f, err := fsys.Open(name, vfs.Create)
	if err != nil {
		return nil, err
	}
	if err := f.Truncate(size); err != nil {
		_ = f.Close() // the first error counts
		return nil, err
	}
	return mapSegment(f, name, base, size, pwrite)
}

// openSegment opens an existing file, whose size has been checked.
func openSegment(fsys vfs.FS, name string, base, size int64, pwrite, readOnly bool) (*segment, error) {
	flag := vfs.ReadWrite
	if readOnly {
		flag = vfs.ReadOnly
	}
	f, err := fsys.Open(name, flag)
	if err != nil {
		return nil, err
	}
	s, err := mapSegment(f, name, base, size, pwrite || readOnly)
	if err != nil {
		return nil, err
	}
	s.named.Store(true)
	return s, nil
}

func mapSegment(f vfs.File, name string, base, size int64, pwrite bool) (*segment, error) {
	m, err := f.Map(size, !pwrite)
	if err != nil {
		_ = f.Close() // the first error counts
		return nil, err
	}
	s := &segment{base: base, size: size, name: name, file: f, m: m, data: m.Bytes(), pwrite: pwrite}
	s.refs.Store(1)
	return s, nil
}

// reserve sees to it that [0, end) has disk blocks. It is what turns a full
// disk into an error instead of a fault in the middle of a store.
func (s *segment) reserve(end, step int64) error {
	for s.allocated < end {
		n := min(step-s.allocated%step, s.size-s.allocated)
		if err := s.file.Allocate(s.allocated, n); err != nil {
			return err
		}
		s.allocated += n
	}
	return nil
}

// write puts b at pos, which is reserved. When it returns, the bytes are in the
// page cache: killing the process loses nothing.
func (s *segment) write(pos int64, b []byte) error {
	if s.pwrite {
		_, err := s.file.WriteAt(b, pos)
		return err
	}
	return s.m.Store(pos, b)
}

// pin keeps the mapping alive until unpin; false when it is gone already.
func (s *segment) pin() bool {
	for {
		n := s.refs.Load()
		if n == 0 {
			return false
		}
		if s.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (s *segment) unpin() {
	if s.refs.Add(-1) == 0 {
		_ = s.m.Close() // nothing can be done about a failed unmap
		_ = s.file.Close()
	}
}
