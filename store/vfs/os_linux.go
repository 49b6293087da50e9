// SPDX-License-Identifier: Apache-2.0

package vfs

import (
	"errors"
	"io/fs"
	"os"

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
