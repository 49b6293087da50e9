// SPDX-License-Identifier: Apache-2.0

//go:build unix

// The real disk.

package vfs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// OS is the operating system's file system.
var OS FS = osFS{}

type osFS struct{}

func (osFS) Open(name string, flag Flag) (File, error) {
	mode := os.O_RDWR
	switch flag {
	case ReadOnly:
		mode = os.O_RDONLY
	case Create:
		mode |= os.O_CREATE
	case Truncate:
		mode |= os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(name, mode, 0o644)
	if err != nil {
		return nil, err
	}
	return &osFile{f: f}, nil
}

func (osFS) Remove(name string) error     { return os.Remove(name) }
func (osFS) Rename(from, to string) error { return os.Rename(from, to) }

func (osFS) CopyMode(from, to string) error {
	fi, err := os.Stat(from)
	if err != nil {
		return err
	}
	return os.Chmod(to, fi.Mode().Perm())
}

func (osFS) MkdirAll(dir string) error { return os.MkdirAll(dir, 0o755) }

func (osFS) List(dir string) ([]Info, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	infos := make([]Info, 0, len(entries))
	for _, e := range entries {
		fi, err := e.Info()
		if errors.Is(err, os.ErrNotExist) {
			continue // removed since the directory was read
		}
		if err != nil {
			return nil, err
		}
		infos = append(infos, infoOf(fi))
	}
	return infos, nil
}

func (osFS) Stat(name string) (Info, error) {
	fi, err := os.Stat(name)
	if err != nil {
		return Info{}, err
	}
	return infoOf(fi), nil
}

func infoOf(fi os.FileInfo) Info {
	return Info{Name: fi.Name(), Size: fi.Size(), Dir: fi.IsDir(), ModTimeMs: fi.ModTime().UnixMilli()}
}

func (osFS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}

func (osFS) Usage(dir string) (Usage, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return Usage{}, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	block := int64(st.Bsize) //nolint:unconvert // its type differs between systems
	// What only root may use counts neither as used nor as free, as in df and Java.
	used := int64(st.Blocks) - int64(st.Bfree)
	return Usage{Total: (used + int64(st.Bavail)) * block, Free: int64(st.Bavail) * block}, nil
}

// locks are the files this process holds. POSIX record locks do not exclude
// the process that has them, so a second Lock here must be refused by hand.
var locks = struct {
	sync.Mutex
	held map[string]bool
}{held: map[string]bool{}}

type osLock struct {
	f    *os.File
	name string
}

// Lock uses a POSIX record lock on bytes [0,1), which is what Java's
// FileChannel.tryLock(0, 1, false) takes. Nobody else in the process may open
// the file: closing any descriptor of it would drop the lock. The contents
// become "lock", as Java writes.
func (osFS) Lock(name string) (io.Closer, error) {
	abs, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	locks.Lock()
	defer locks.Unlock()
	if locks.held[abs] {
		return nil, fmt.Errorf("%s: %w", name, ErrLocked)
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	l := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: 0, Len: 1}
	if err := unix.FcntlFlock(f.Fd(), unix.F_SETLK, &l); err != nil {
		_ = f.Close() // the first error counts
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
			err = ErrLocked
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if _, err := f.WriteAt([]byte("lock"), 0); err != nil {
		_ = f.Close() // the first error counts
		return nil, err
	}
	locks.held[abs] = true
	return &osLock{f: f, name: abs}, nil
}

func (l *osLock) Close() error {
	locks.Lock()
	defer locks.Unlock()
	delete(locks.held, l.name)
	return l.f.Close()
}

type osFile struct {
	f *os.File
}

func (f *osFile) ReadAt(p []byte, off int64) (int, error)  { return f.f.ReadAt(p, off) }
func (f *osFile) WriteAt(p []byte, off int64) (int, error) { return f.f.WriteAt(p, off) }
func (f *osFile) Truncate(size int64) error                { return f.f.Truncate(size) }
func (f *osFile) Close() error                             { return f.f.Close() }
func (f *osFile) Sync() error                              { return dataSync(f.f) }
func (f *osFile) Allocate(off, n int64) error              { return allocate(f.f, off, n) }
func (f *osFile) Zero(off, n int64) error                  { return zero(f.f, off, n) }

func (f *osFile) Size() (int64, error) {
	fi, err := f.f.Stat()
	if err != nil {
		return 0, err
	}
	return fi.Size(), nil
}

// writeZeros is the slow form of Allocate and Zero. Allocating keeps what is
// there: blocks that hold something are written back as they are.
func writeZeros(f *os.File, off, n int64, keep bool) error {
	buf := make([]byte, 64<<10)
	for n > 0 {
		p := buf[:min(n, int64(len(buf)))]
		clear(p)
		if keep {
			if _, err := f.ReadAt(p, off); err != nil {
				return err
			}
		}
		if _, err := f.WriteAt(p, off); err != nil {
			return err
		}
		off, n = off+int64(len(p)), n-int64(len(p))
	}
	return nil
}

type osMapping struct {
	b        []byte
	writable bool
}

func (f *osFile) Map(size int64, writable bool) (Mapping, error) {
	if size == 0 {
		return &osMapping{}, nil
	}
	prot := unix.PROT_READ
	if writable {
		prot |= unix.PROT_WRITE
	}
	b, err := unix.Mmap(int(f.f.Fd()), 0, int(size), prot, unix.MAP_SHARED)
	if err != nil {
		return nil, &os.PathError{Op: "mmap", Path: f.f.Name(), Err: err}
	}
	return &osMapping{b: b, writable: writable}, nil
}

func (m *osMapping) Bytes() []byte { return m.b }

func (m *osMapping) Store(off int64, b []byte) error {
	if !m.writable {
		panic("vfs: store through a read-only mapping")
	}
	return Guard(func() error {
		copy(m.b[off:off+int64(len(b))], b)
		return nil
	})
}

func (m *osMapping) Load(off, n int64) {
	page := int64(os.Getpagesize())
	from := off - off%page
	if to := min(off+n, int64(len(m.b))); from >= 0 && from < to {
		load(m.b[from:to])
	}
}

func (m *osMapping) Close() error {
	if m.b == nil {
		return nil
	}
	b := m.b
	m.b = nil
	return unix.Munmap(b)
}
