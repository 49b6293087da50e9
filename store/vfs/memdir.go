// SPDX-License-Identifier: Apache-2.0

// Directories of Mem.

package vfs

import (
	"bytes"
	"errors"
	"io"
	"path"
)

type memDir struct {
	m    *Mem
	name string
}

func (m *Mem) OpenDir(dir string) (Dir, error) {
	if err := m.mayOpen(dir, ReadOnly); err != nil {
		return nil, err
	}
	if !m.isDir(dir) {
		return nil, notExist("open", dir)
	}
	return &memDir{m, dir}, nil
}

func (d *memDir) Entries() ([]Entry, error) {
	infos, err := d.m.List(d.name)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(infos))
	for i, info := range infos {
		entries[i] = Entry{Name: info.Name, Dir: info.Dir, Regular: !info.Dir}
	}
	return entries, nil
}

func (d *memDir) OpenDir(name string) (Dir, error) { return d.m.OpenDir(path.Join(d.name, name)) }

func (d *memDir) Head(name string, p []byte) (h Head, err error) {
	f, err := d.m.Open(path.Join(d.name, name), ReadOnly)
	if err != nil {
		return h, err
	}
	if h.Size, err = f.Size(); err != nil {
		return h, err
	}
	if h.N, err = f.ReadAt(p, 0); err != nil && !errors.Is(err, io.EOF) {
		return h, err
	}
	n := f.(*memFile).n
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	h.Rest = len(bytes.TrimLeft(n.data[h.N:n.size], "\x00")) > 0
	return h, nil
}

func (d *memDir) Close() error { return nil }
