// SPDX-License-Identifier: Apache-2.0

//go:build unix

// Directories of the real disk, and files that are opened for a moment.

package vfs

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

func (osFS) OpenDir(name string) (Dir, error) { return openDir(unix.AT_FDCWD, name, name) }

type osDir struct {
	f  *os.File
	fd int // of f, which nobody else closes
}

func openDir(at int, name, full string) (Dir, error) {
	fd, err := openAt(at, name, full, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	return &osDir{os.NewFile(uintptr(fd), full), fd}, nil
}

// openAt opens a file for a moment. The descriptor is a bare one: os.Open would
// tell the runtime's poller of it, which costs as much as reading it.
func openAt(at int, name, full string, flags int) (fd int, err error) {
	err = again(func() error {
		fd, err = unix.Openat(at, name, unix.O_CLOEXEC|flags, 0)
		return err
	})
	if err != nil {
		return 0, &os.PathError{Op: "open", Path: full, Err: err}
	}
	return fd, nil
}

func again(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func (d *osDir) Entries() ([]Entry, error) {
	found, err := d.f.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(found))
	for i, e := range found {
		entries[i] = Entry{Name: e.Name(), Dir: e.IsDir(), Regular: e.Type().IsRegular()}
	}
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return entries, nil
}

func (d *osDir) full(name string) string { return d.f.Name() + "/" + name }

func (d *osDir) OpenDir(name string) (Dir, error) { return openDir(d.fd, name, d.full(name)) }

func (d *osDir) Head(name string, p []byte) (h Head, err error) {
	fd, err := openAt(d.fd, name, d.full(name), unix.O_RDONLY)
	if err != nil {
		return h, err
	}
	defer func() { _ = unix.Close(fd) }() // it was only read
	var st unix.Stat_t
	if err := again(func() error { return unix.Fstat(fd, &st) }); err != nil {
		return h, &os.PathError{Op: "stat", Path: d.full(name), Err: err}
	}
	h.Size = st.Size
	for h.N < len(p) {
		var n int
		err := again(func() (err error) {
			n, err = unix.Pread(fd, p[h.N:], int64(h.N))
			return err
		})
		if err != nil {
			return h, &os.PathError{Op: "read", Path: d.full(name), Err: err}
		}
		if n == 0 {
			break
		}
		h.N += n
	}
	h.Rest = hasData(fd, int64(h.N), h.Size)
	return h, nil
}

func (d *osDir) Close() error { return d.f.Close() }

func (osFS) WriteFileAt(name string, p []byte, off int64) error {
	fd, err := openAt(unix.AT_FDCWD, name, name, unix.O_RDWR)
	if err != nil {
		return err
	}
	for len(p) > 0 && err == nil {
		n := 0
		err = again(func() (err error) {
			n, err = unix.Pwrite(fd, p, off)
			return err
		})
		if n == 0 && err == nil {
			err = io.ErrUnexpectedEOF
		}
		p, off = p[max(n, 0):], off+int64(max(n, 0))
	}
	if cerr := unix.Close(fd); err == nil {
		err = cerr
	}
	if err != nil {
		return &os.PathError{Op: "write", Path: name, Err: err}
	}
	return nil
}
