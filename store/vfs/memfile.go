// SPDX-License-Identifier: Apache-2.0

// Files and mappings of Mem.

package vfs

import (
	"fmt"
	"io"
	"io/fs"
	"slices"
	"syscall"
)

type memFile struct {
	m        *Mem
	n        *memNode
	name     string
	writable bool
}

func (f *memFile) fail(op string, err error) error {
	return &fs.PathError{Op: op, Path: f.name, Err: err}
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.m.may(Op{Kind: "read", Name: f.name, Off: off, N: int64(len(p))}); err != nil {
		return 0, err
	}
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if off >= f.n.size {
		return 0, io.EOF
	}
	n := copy(p, f.n.data[off:f.n.size])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt of an operation that is to fail writes the first half.
func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	fault := f.m.may(Op{Kind: "write", Name: f.name, Off: off, N: int64(len(p))})
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if !f.writable {
		return 0, f.fail("write", syscall.EBADF)
	}
	if fault != nil {
		p = p[:len(p)/2]
	}
	if err := f.m.allocate(f.n, off, int64(len(p))); err != nil {
		return 0, f.fail("write", err)
	}
	if end := off + int64(len(p)); end > f.n.size {
		f.m.resize(f.n, end)
	}
	f.n.write(off, p)
	return len(p), fault
}

// write changes bytes, keeping the pages as they were at the last Sync.
func (n *memNode) write(off int64, p []byte) {
	for page := off / memPage; page*memPage < off+int64(len(p)); page++ {
		n.keep(page)
	}
	copy(n.data[off:], p)
}

func (n *memNode) keep(page int64) {
	if _, ok := n.undo[page]; !ok {
		at := page * memPage
		n.undo[page] = slices.Clone(n.data[at:min(at+memPage, int64(len(n.data)))])
	}
}

// allocate gives a range of pages their blocks.
func (m *Mem) allocate(n *memNode, off, length int64) error {
	if length == 0 {
		return nil
	}
	for page := off / memPage; page*memPage < off+length; page++ {
		if n.allocated[page] {
			continue
		}
		if m.capacity > 0 && m.used+memPage > m.capacity {
			return syscall.ENOSPC
		}
		n.allocated[page] = true
		m.used += memPage
	}
	return nil
}

// resize grows or cuts a file. A mapped file may not outgrow its memory.
func (m *Mem) resize(n *memNode, size int64) {
	if size < n.size {
		for page := size / memPage; page*memPage < n.size; page++ {
			n.keep(page)
			if page*memPage >= size && n.allocated[page] {
				delete(n.allocated, page)
				m.used -= memPage
			}
		}
		clear(n.data[size:n.size])
	}
	if size > int64(len(n.data)) {
		if n.mapped > 0 {
			panic("vfs: a mapped file grows")
		}
		// A file that grows by writes doubles, one that is given a size gets it.
		grown := make([]byte, max(size, min(2*int64(len(n.data)), 1<<20)))
		copy(grown, n.data)
		n.data = grown
	}
	n.size = size
}

func (f *memFile) Size() (int64, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	return f.n.size, nil
}

func (f *memFile) Truncate(size int64) error {
	if err := f.m.may(Op{Kind: "truncate", Name: f.name, N: size}); err != nil {
		return err
	}
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if !f.writable {
		return f.fail("truncate", syscall.EBADF)
	}
	f.m.resize(f.n, size)
	return nil
}

func (f *memFile) Allocate(off, n int64) error {
	if err := f.m.may(Op{Kind: "allocate", Name: f.name, Off: off, N: n}); err != nil {
		return err
	}
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if off+n > f.n.size {
		return f.fail("allocate", fmt.Errorf("range ends at %d, file at %d", off+n, f.n.size))
	}
	if err := f.m.allocate(f.n, off, n); err != nil {
		return f.fail("allocate", err)
	}
	return nil
}

func (f *memFile) Zero(off, n int64) error {
	if err := f.m.may(Op{Kind: "zero", Name: f.name, Off: off, N: n}); err != nil {
		return err
	}
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	end := min(off+n, f.n.size)
	for page := off / memPage; page*memPage < end; page++ {
		f.n.keep(page)
		if page*memPage >= off && (page+1)*memPage <= end && f.n.allocated[page] {
			delete(f.n.allocated, page)
			f.m.used -= memPage
		}
	}
	if off < end {
		clear(f.n.data[off:end])
	}
	return nil
}

// Sync that is to fail does what kernels do: the pages count as clean, and no
// later Sync writes them.
func (f *memFile) Sync() error {
	fault := f.m.may(Op{Kind: "sync", Name: f.name})
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	f.n.sync(fault == nil)
	return fault
}

// sync makes the pages count as clean, written or not.
func (n *memNode) sync(written bool) {
	if written {
		n.undo, n.synced = map[int64][]byte{}, n.size
		return
	}
	if n.lost == nil {
		n.lost = map[int64][]byte{}
	}
	for page, old := range n.undo {
		if _, ok := n.lost[page]; !ok {
			n.lost[page] = old
		}
	}
	n.undo = map[int64][]byte{}
}

func (f *memFile) Close() error { return nil }

func (f *memFile) Map(size int64, writable bool) (Mapping, error) {
	if err := f.m.may(Op{Kind: "map", Name: f.name, N: size}); err != nil {
		return nil, err
	}
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if size > f.n.size {
		return nil, f.fail("map", fmt.Errorf("%d bytes asked, file has %d", size, f.n.size))
	}
	f.n.mapped++
	return &memMapping{f: f, size: size, writable: writable, b: f.n.data[:size:size]}, nil
}

type memMapping struct {
	f        *memFile
	b        []byte
	size     int64
	writable bool
	closed   bool
}

func (m *memMapping) Bytes() []byte { return m.b }

// Store panics where the real disk might kill the process: over a hole. When the
// operation is to fail it stores the first half.
func (m *memMapping) Store(off int64, b []byte) error {
	fault := m.f.m.may(Op{Kind: "store", Name: m.f.name, Off: off, N: int64(len(b))})
	if fault != nil {
		b = b[:len(b)/2]
	}
	m.f.m.mu.Lock()
	defer m.f.m.mu.Unlock()
	if !m.writable || m.closed || off+int64(len(b)) > m.size {
		panic("vfs: store outside a writable mapping of " + m.f.name)
	}
	for page := off / memPage; page*memPage < off+int64(len(b)); page++ {
		if !m.f.n.allocated[page] {
			panic(fmt.Sprintf("vfs: store over a hole at byte %d of %s", off, m.f.name))
		}
	}
	m.f.n.write(off, b)
	return fault
}

func (m *memMapping) Load(int64, int64) {}

func (m *memMapping) Close() error {
	m.f.m.mu.Lock()
	defer m.f.m.mu.Unlock()
	if !m.closed {
		m.closed = true
		m.f.n.mapped--
	}
	return nil
}
