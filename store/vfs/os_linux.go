// SPDX-License-Identifier: Apache-2.0

package vfs

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

func unsupported(err error) bool {
	return errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL)
}

func retryEINTR(fn func() error) error {
	for {
		if err := fn(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func allocate(f *os.File, off, n int64) error {
	err := retryEINTR(func() error { return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, off, n) })
	if unsupported(err) {
		return writeZeros(f, off, n, true)
	}
	if err != nil {
		return &os.PathError{Op: "fallocate", Path: f.Name(), Err: err}
	}
	return nil
}

func zero(f *os.File, off, n int64) error {
	err := retryEINTR(func() error {
		return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n)
	})
	if unsupported(err) {
		return writeZeros(f, off, n, false)
	}
	if err != nil {
		return &os.PathError{Op: "fallocate", Path: f.Name(), Err: err}
	}
	return nil
}

// dataSync leaves out what is not needed to read the data back (access and
// modification times); a changed size is written.
func dataSync(f *os.File) error {
	if err := retryEINTR(func() error { return unix.Fdatasync(int(f.Fd())) }); err != nil {
		return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
	}
	return nil
}
