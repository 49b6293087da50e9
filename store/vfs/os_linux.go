// SPDX-License-Identifier: Apache-2.0

package vfs

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

func unsupported(err error) bool {
	return errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL)
}

// onDescriptor runs a system call on a file that may be closed by somebody else
// meanwhile: then it is fs.ErrClosed, never a call on a descriptor of another
// file.
func onDescriptor(f *os.File, op string, call func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	err = conn.Control(func(fd uintptr) {
		for {
			if result = call(int(fd)); !errors.Is(result, unix.EINTR) {
				return
			}
		}
	})
	if err != nil {
		return &os.PathError{Op: op, Path: f.Name(), Err: fs.ErrClosed}
	}
	if result != nil {
		return &os.PathError{Op: op, Path: f.Name(), Err: result}
	}
	return nil
}

func allocate(f *os.File, off, n int64) error {
	err := onDescriptor(f, "fallocate", func(fd int) error { return unix.Fallocate(fd, unix.FALLOC_FL_KEEP_SIZE, off, n) })
	if unsupported(err) {
		return writeZeros(f, off, n, true)
	}
	return err
}

func zero(f *os.File, off, n int64) error {
	err := onDescriptor(f, "fallocate", func(fd int) error {
		return unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n)
	})
	if unsupported(err) {
		return writeZeros(f, off, n, false)
	}
	return err
}

// load brings mapped bytes, from the start of a page on, into memory. Mostly they
// are there, and asking is cheaper than having them looked up and mapped. Before
// Linux 5.14 nothing happens.
func load(b []byte) {
	var there [256]byte // a byte a page
	page := os.Getpagesize()
	for len(b) > 0 {
		piece := b[:min(len(b), len(there)*page)]
		b = b[len(piece):]
		pages := there[:(len(piece)+page-1)/page]
		_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&piece[0])), uintptr(len(piece)), uintptr(unsafe.Pointer(&pages[0])))
		if errno == 0 && !slices.ContainsFunc(pages, func(p byte) bool { return p&1 == 0 }) {
			continue
		}
		_ = unix.Madvise(piece, unix.MADV_POPULATE_READ) // who looks at a page that cannot be read finds out
	}
}

// dataSync leaves out what is not needed to read the data back (access and
// modification times); a changed size is written.
func dataSync(f *os.File) error {
	return onDescriptor(f, "fdatasync", unix.Fdatasync)
}

// hasData is false when the file is known to be zeros from off on: it has no
// block there.
func hasData(fd int, off, size int64) bool {
	if off >= size {
		return false
	}
	_, err := unix.Seek(fd, off, unix.SEEK_DATA)
	return !errors.Is(err, unix.ENXIO)
}
