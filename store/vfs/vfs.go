// SPDX-License-Identifier: Apache-2.0

// Package vfs is the disk as the store and the tables see it: OS is the real
// one, Mem keeps everything in memory and can be cloned as a crash would leave
// it, Log records the operations of another FS. Every write, stores through a
// mapping included, is one call here, so that Mem and Log see all of them.
package vfs

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
)

// Flag says how Open treats a file.
type Flag int

const (
	ReadOnly  Flag = iota // must exist
	ReadWrite             // must exist
	Create                // read and write, made when missing
	Truncate              // read and write, made when missing, emptied
)

// ErrLocked is what Lock returns when another process holds the lock.
var ErrLocked = errors.New("locked by another process")

// Info describes a file or directory. ModTimeMs is in Unix milliseconds.
type Info struct {
	Name      string
	Size      int64
	Dir       bool
	ModTimeMs int64
}

// Usage is the room of the partition that holds a path.
type Usage struct {
	Total, Free int64
}

// UsedRatio is the used share of the partition, 0 to 1.
func (u Usage) UsedRatio() float64 {
	if u.Total <= 0 {
		return 0
	}
	return float64(u.Total-u.Free) / float64(u.Total)
}

// FS is a file system. Names use '/'. A missing file is fs.ErrNotExist, a full
// disk is syscall.ENOSPC, both through errors.Is.
type FS interface {
	Open(name string, flag Flag) (File, error)
	// WriteFileAt is Open with ReadWrite, WriteAt and Close in one, which costs less.
	WriteFileAt(name string, p []byte, off int64) error
	Remove(name string) error
	Rename(from, to string) error
	// CopyMode gives the file to the permissions of the file from.
	CopyMode(from, to string) error
	List(dir string) ([]Info, error) // sorted by name; a missing directory is an error
	OpenDir(dir string) (Dir, error)
	Stat(name string) (Info, error)
	MkdirAll(dir string) error
	// SyncDir makes creations, removals and renames in dir durable.
	SyncDir(dir string) error
	// OpenVolume opens the file system that a directory is on. errors.ErrUnsupported where its Sync would not tell of
	// every write that failed.
	OpenVolume(dir string) (Volume, error)
	// Lock takes the exclusive lock on byte 0 of a file, making the file when it
	// is missing, without waiting: ErrLocked when somebody else has it.
	Lock(name string) (io.Closer, error)
	Usage(dir string) (Usage, error)
}

// File is an open file. ReadAt and WriteAt may be called from several
// goroutines at once.
type File interface {
	io.ReaderAt
	io.WriterAt
	Size() (int64, error)
	Truncate(size int64) error
	// Allocate gives [off, off+n) disk blocks without changing what is read
	// there; it fails on a full disk. The file's size must cover the range.
	Allocate(off, n int64) error
	// Zero makes [off, off+n) read as zeros, and may give its blocks back.
	Zero(off, n int64) error
	Sync() error
	// Map maps the first size bytes; the file must have that size. A mapping
	// that is not writable refuses Store.
	Map(size int64, writable bool) (Mapping, error)
	Close() error
}

// Volume is a whole file system.
type Volume interface {
	// Sync makes everything durable that has been written to any file of it, with sizes and names. An error can be about
	// a file that nobody here has written; it may have happened at any time since OpenVolume.
	Sync() error
	Close() error
}

// Mapping is a mapped file. It stays valid when the File is closed.
type Mapping interface {
	// Bytes is the file's contents, to be read only.
	Bytes() []byte
	// Store copies b to off. The range must be allocated: a store over a hole
	// on a full disk would kill the process. A disk that has gone is an error.
	Store(off int64, b []byte) error
	// Load brings [off, off+n) into memory if it is not there, as far as the
	// system can. It waits for the disk in a system call, where a goroutine that
	// looks at a page that is not in memory holds a processor of the scheduler.
	Load(off, n int64)
	Close() error
}

// ReadFile returns the contents of a file.
func ReadFile(fsys FS, name string) ([]byte, error) {
	f, err := fsys.Open(name, ReadOnly)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	b := make([]byte, size)
	if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return b, nil
}

// writeFileAt is WriteFileAt by its parts.
func writeFileAt(fsys FS, name string, p []byte, off int64) error {
	f, err := fsys.Open(name, ReadWrite)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(p, off)
	return errors.Join(err, f.Close())
}

// WriteFile replaces the contents of a file in place and syncs it.
func WriteFile(fsys FS, name string, b []byte) error { return writeFile(fsys, name, "", b) }

// writeFile is WriteFile; with a like, the file has that file's permissions before anything is in it.
func writeFile(fsys FS, name, like string, b []byte) error {
	f, err := fsys.Open(name, Truncate)
	if err != nil {
		return err
	}
	if like != "" {
		if err := fsys.CopyMode(like, name); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	if _, err = f.WriteAt(b, 0); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// WriteFileAtomic replaces a file so that a crash leaves the old or the new
// contents: a temporary file is written and synced, then renamed over it.
func WriteFileAtomic(fsys FS, name string, b []byte) error { return WriteFileLike(fsys, name, "", b) }

// WriteFileLike is WriteFileAtomic for a file that gets the permissions of the file like, which may be itself.
func WriteFileLike(fsys FS, name, like string, b []byte) error {
	tmp := name + ".tmp"
	if err := writeFile(fsys, tmp, like, b); err != nil {
		_ = fsys.Remove(tmp)
		return err
	}
	if err := fsys.Rename(tmp, name); err != nil {
		return err
	}
	return fsys.SyncDir(path.Dir(name))
}

// MkdirAllSync makes directories, and those above them, durably. Those that
// lie in one directory share its sync.
func MkdirAllSync(fsys FS, dirs ...string) error {
	var changed []string // the inner ones first
	for _, dir := range dirs {
		for d := path.Clean(dir); ; d = path.Dir(d) {
			if ok, err := Exists(fsys, d); err != nil {
				return err
			} else if ok {
				break
			}
			if parent := path.Dir(d); !slices.Contains(changed, parent) {
				changed = append(changed, parent)
			}
		}
		if err := fsys.MkdirAll(dir); err != nil {
			return err
		}
	}
	for _, dir := range slices.Backward(changed) {
		if err := fsys.SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// Exists says whether a file or directory is there.
func Exists(fsys FS, name string) (bool, error) {
	_, err := fsys.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// RemoveAll removes a directory and what is in it; a missing one is no error.
func RemoveAll(fsys FS, name string) error {
	info, err := fsys.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Dir {
		entries, err := fsys.List(name)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := RemoveAll(fsys, path.Join(name, e.Name)); err != nil {
				return err
			}
		}
	}
	return fsys.Remove(name)
}
