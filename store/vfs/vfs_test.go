// SPDX-License-Identifier: Apache-2.0

package vfs

import (
	"errors"
	"io/fs"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// eachFS runs a test over both file systems, with a directory to work in.
func eachFS(t *testing.T, fn func(t *testing.T, f FS, dir string)) {
	t.Run("os", func(t *testing.T) { fn(t, OS, t.TempDir()) })
	t.Run("mem", func(t *testing.T) {
		m := NewMem()
		require.NoError(t, m.MkdirAll("/dir"))
		fn(t, m, "/dir")
	})
	t.Run("log", func(t *testing.T) { fn(t, NewLog(OS), t.TempDir()) })
}

func TestFiles(t *testing.T) {
	eachFS(t, func(t *testing.T, f FS, dir string) {
		name := dir + "/sub/file"
		_, err := f.Open(name, Create)
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.NoError(t, f.MkdirAll(dir+"/sub"))
		for _, flag := range []Flag{ReadOnly, ReadWrite} {
			_, err = f.Open(name, flag)
			require.ErrorIs(t, err, fs.ErrNotExist)
		}
		require.NoError(t, WriteFile(f, name, []byte("hello")))
		require.NoError(t, WriteFileAtomic(f, name, []byte("hi")))
		b, err := ReadFile(f, name)
		require.NoError(t, err)
		require.Equal(t, "hi", string(b))
		infos, err := f.List(dir + "/sub")
		require.NoError(t, err)
		require.Len(t, infos, 1)
		require.Equal(t, "file", infos[0].Name)
		require.Equal(t, int64(2), infos[0].Size)
		require.Error(t, f.Remove(dir+"/sub"), "not empty")
		require.NoError(t, f.Rename(name, dir+"/sub/other"))
		_, err = f.Stat(name)
		require.ErrorIs(t, err, fs.ErrNotExist)
		ok, err := Exists(f, dir+"/sub/other")
		require.NoError(t, err)
		require.True(t, ok)
		require.NoError(t, RemoveAll(f, dir+"/sub"))
		require.NoError(t, RemoveAll(f, dir+"/sub"))
		_, err = f.List(dir + "/sub")
		require.ErrorIs(t, err, fs.ErrNotExist)
		u, err := f.Usage(dir)
		require.NoError(t, err)
		require.Positive(t, u.Total)
		require.Less(t, u.UsedRatio(), 1.0)
	})
}

func TestWriteFileAt(t *testing.T) {
	eachFS(t, func(t *testing.T, f FS, dir string) {
		require.ErrorIs(t, f.WriteFileAt(dir+"/a", []byte("x"), 0), fs.ErrNotExist)
		require.NoError(t, WriteFile(f, dir+"/a", []byte("hello")))
		require.NoError(t, f.WriteFileAt(dir+"/a", []byte("ipp"), 1))
		require.NoError(t, f.WriteFileAt(dir+"/a", []byte("!"), 6))
		b, err := ReadFile(f, dir+"/a")
		require.NoError(t, err)
		require.Equal(t, "hippo\x00!", string(b))
		if l, ok := f.(*Log); ok {
			ops := l.Ops()
			require.Equal(t, "write "+dir+"/a 6+1", ops[len(ops)-1])
		}
	})
}

func TestOpenDir(t *testing.T) {
	eachFS(t, func(t *testing.T, f FS, dir string) {
		_, err := f.OpenDir(dir + "/sub")
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.NoError(t, f.MkdirAll(dir+"/sub/below"))
		require.NoError(t, WriteFile(f, dir+"/sub/a", []byte("hello")))
		require.NoError(t, WriteFile(f, dir+"/sub/b", append(make([]byte, 1<<20), 1)))
		sparse, err := f.Open(dir+"/sub/c", Create)
		require.NoError(t, err)
		require.NoError(t, sparse.Truncate(1<<20))
		require.NoError(t, sparse.Close())
		_, err = f.OpenDir(dir + "/sub/a")
		require.Error(t, err)

		root, err := f.OpenDir(dir)
		require.NoError(t, err)
		sub, err := root.OpenDir("sub")
		require.NoError(t, err)
		entries, err := sub.Entries()
		require.NoError(t, err)
		require.Equal(t, []Entry{{"a", false, true}, {"b", false, true}, {"below", true, false}, {"c", false, true}}, entries)
		buf := make([]byte, 4096)
		h, err := sub.Head("a", buf)
		require.NoError(t, err)
		require.Equal(t, Head{N: 5, Size: 5}, h)
		require.Equal(t, "hello", string(buf[:5]))
		h, err = sub.Head("b", buf)
		require.NoError(t, err)
		require.Equal(t, Head{N: 4096, Size: 1<<20 + 1, Rest: true}, h)
		h, err = sub.Head("c", buf)
		require.NoError(t, err)
		require.Equal(t, Head{N: 4096, Size: 1 << 20, Rest: h.Rest}, h, "whether a hole is seen depends on the disk")
		_, err = sub.Head("d", buf)
		require.ErrorIs(t, err, fs.ErrNotExist)
		_, err = sub.Head("below", buf)
		require.Error(t, err)
		require.NoError(t, sub.Close())
		require.NoError(t, root.Close())
	})
}

func TestMapping(t *testing.T) {
	eachFS(t, func(t *testing.T, f FS, dir string) {
		file, err := f.Open(dir+"/m", Create)
		require.NoError(t, err)
		require.NoError(t, file.Truncate(20000))
		require.NoError(t, file.Allocate(0, 8192))
		m, err := file.Map(20000, true)
		require.NoError(t, err)
		require.NoError(t, m.Store(5000, []byte("mapped")))
		_, err = file.WriteAt([]byte("written"), 100)
		require.NoError(t, err)
		require.Equal(t, "written", string(m.Bytes()[100:107]))
		p := make([]byte, 6)
		_, err = file.ReadAt(p, 5000)
		require.NoError(t, err)
		require.Equal(t, "mapped", string(p))
		require.NoError(t, file.Zero(5001, 20000-5001))
		require.Equal(t, "m\x00\x00", string(m.Bytes()[5000:5003]))
		size, err := file.Size()
		require.NoError(t, err)
		require.Equal(t, int64(20000), size)
		require.NoError(t, file.Sync())
		require.NoError(t, file.Close())
		require.Equal(t, "written", string(m.Bytes()[100:107]), "a mapping outlives its file")
		require.NoError(t, m.Close())
		require.NoError(t, m.Close())

		file, err = f.Open(dir+"/m", ReadWrite)
		require.NoError(t, err)
		ro, err := file.Map(20000, false)
		require.NoError(t, err)
		require.Panics(t, func() { _ = ro.Store(0, []byte("x")) })
		require.NoError(t, ro.Close())
		require.NoError(t, file.Close())
	})
}

func TestLock(t *testing.T) {
	eachFS(t, func(t *testing.T, f FS, dir string) {
		l, err := f.Lock(dir + "/lock")
		require.NoError(t, err)
		_, err = f.Lock(dir + "/lock")
		require.ErrorIs(t, err, ErrLocked)
		require.NoError(t, l.Close())
		l, err = f.Lock(dir + "/lock")
		require.NoError(t, err)
		require.NoError(t, l.Close())
		b, err := ReadFile(f, dir+"/lock")
		require.NoError(t, err)
		require.Equal(t, "lock", string(b))
	})
}

func TestWriteZerosKeeps(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(name, []byte(strings.Repeat("x", 100000)), 0o600))
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, writeZeros(f, 10, 90000, true))
	require.NoError(t, writeZeros(f, 90000, 5000, false))
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("x", 90000)+strings.Repeat("\x00", 5000)+strings.Repeat("x", 5000), string(b))
}

func TestMemCapacity(t *testing.T) {
	m := NewMem()
	m.SetCapacity(2 * memPage)
	f, err := m.Open("/a", Create)
	require.NoError(t, err)
	require.NoError(t, f.Truncate(10*memPage))
	require.NoError(t, f.Allocate(0, 2*memPage))
	require.ErrorIs(t, f.Allocate(2*memPage, 1), syscall.ENOSPC)
	_, err = f.WriteAt([]byte("x"), 5*memPage)
	require.ErrorIs(t, err, syscall.ENOSPC)
	mapping, err := f.Map(10*memPage, true)
	require.NoError(t, err)
	require.Panics(t, func() { _ = mapping.Store(3*memPage, []byte("x")) }, "a store over a hole")
	require.NoError(t, f.Zero(0, memPage))
	require.NoError(t, f.Allocate(3*memPage, 1))
	require.NoError(t, m.Remove("/a"))
	require.Zero(t, m.Used())
}

// What is synced is in every crash state, what is not is in some.
func TestMemCrash(t *testing.T) {
	m := NewMem()
	require.NoError(t, WriteFile(m, "/kept", []byte(strings.Repeat("a", 3*memPage))))
	require.NoError(t, m.SyncDir("/"))
	require.NoError(t, WriteFile(m, "/unnamed", []byte("x")))
	f, err := m.Open("/kept", ReadWrite)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte(strings.Repeat("b", memPage)), memPage)
	require.NoError(t, err)
	seen := map[string]int{}
	for seed := range int64(100) {
		c := m.CrashClone(rand.New(rand.NewSource(seed)))
		b, err := ReadFile(c, "/kept")
		require.NoError(t, err)
		require.Equal(t, strings.Repeat("a", memPage), string(b[:memPage]))
		require.Equal(t, strings.Repeat("a", memPage), string(b[2*memPage:]))
		switch n := strings.Count(string(b), "b"); n {
		case 0:
			seen["old"]++
		case memPage:
			seen["new"]++
		default:
			seen["torn"]++
		}
		if _, err := c.Stat("/unnamed"); err == nil {
			seen["named"]++
		}
	}
	require.Greater(t, seen["old"], 10)
	require.Greater(t, seen["new"], 10)
	require.Greater(t, seen["torn"], 10)
	require.Greater(t, seen["named"], 10)
	require.Less(t, seen["named"], 90)
	whole, err := ReadFile(m.Clone(), "/unnamed")
	require.NoError(t, err)
	require.Equal(t, "x", string(whole))
}

func TestLogOrder(t *testing.T) {
	l := NewLog(NewMem())
	require.NoError(t, WriteFileAtomic(l, "/a", []byte("abc")))
	require.Equal(t, []string{"create /a.tmp", "write /a.tmp 0+3", "sync /a.tmp", "rename /a.tmp /a", "syncdir /"}, l.Ops())
	require.Empty(t, l.Ops())
}

// Everything that was written is durable, with its name.
func TestVolume(t *testing.T) {
	eachFS(t, func(t *testing.T, f FS, dir string) {
		v, err := f.OpenVolume(dir)
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip("the system, or the file system of the directory for temporary files, has none that counts")
		}
		require.NoError(t, err)
		require.NoError(t, f.MkdirAll(dir+"/sub"))
		file, err := f.Open(dir+"/sub/a", Create)
		require.NoError(t, err)
		_, err = file.WriteAt([]byte("hello"), 0)
		require.NoError(t, err)
		require.NoError(t, v.Sync())
		if m, ok := f.(*Mem); ok {
			b, err := ReadFile(m.CrashClone(rand.New(rand.NewSource(1))), dir+"/sub/a")
			require.NoError(t, err)
			require.Equal(t, "hello", string(b))
		}
		if l, ok := f.(*Log); ok {
			ops := l.Ops()
			require.Equal(t, "syncfs "+dir, ops[len(ops)-1])
		}
		require.NoError(t, v.Close())
		_, err = f.OpenVolume(dir + "/none")
		require.ErrorIs(t, err, fs.ErrNotExist)
	})
}
