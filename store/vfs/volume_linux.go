// SPDX-License-Identifier: Apache-2.0

package vfs

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// OpenVolume wants a kernel whose syncfs tells of every failure: those of writing back since Linux 5.8, to who had the
// descriptor open before, those of the file system's own sync since 5.17. Of a file system that passes its files on to
// another one, such as overlayfs, it may tell nothing.
func (osFS) OpenVolume(dir string) (Volume, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return nil, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	switch uint32(st.Type) {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC:
	default:
		return nil, errors.ErrUnsupported
	}
	if !kernelSince(5, 17) {
		return nil, errors.ErrUnsupported
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	return &osVolume{f}, nil
}

// kernelSince says whether the kernel is of a version or later; one whose name
// cannot be read is not.
func kernelSince(major, minor int) bool {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return false
	}
	return releaseSince(unix.ByteSliceToString(u.Release[:]), major, minor)
}

func releaseSince(release string, major, minor int) bool {
	var isMajor, isMinor int
	if n, _ := fmt.Sscanf(release, "%d.%d", &isMajor, &isMinor); n < 2 { // what follows them is the distribution's
		return false
	}
	return isMajor > major || isMajor == major && isMinor >= minor
}

type osVolume struct{ f *os.File }

func (v *osVolume) Sync() error  { return onDescriptor(v.f, "syncfs", unix.Syncfs) }
func (v *osVolume) Close() error { return v.f.Close() }
