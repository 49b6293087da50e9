// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vfs

import (
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// inMemory says which pages of a mapping are in the page cache.
func inMemory(t *testing.T, b []byte) []bool {
	t.Helper()
	there := make([]byte, len(b)/os.Getpagesize())
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), uintptr(unsafe.Pointer(&there[0])))
	require.Zero(t, errno)
	pages := make([]bool, len(there))
	for i, p := range there {
		pages[i] = p&1 != 0
	}
	return pages
}

func TestLoadBringsPagesIntoMemory(t *testing.T) {
	const pages = 1000
	page := int64(os.Getpagesize())
	name := filepath.Join(t.TempDir(), "cold")
	require.NoError(t, os.WriteFile(name, make([]byte, pages*page), 0o600))
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, f.Sync()) // only clean pages can be dropped
	require.NoError(t, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED))
	m, err := (&osFile{f: f}).Map(pages*page, false)
	require.NoError(t, err)
	defer m.Close()
	if inMemory(t, m.Bytes())[pages/2] {
		t.Skip("this file system keeps its files in memory")
	}
	m.Load(pages/2*page+1, 600*page)
	require.NotContains(t, inMemory(t, m.Bytes())[pages/2:], false, "up to the mapping's end")
	m.Load(pages*page, 1)
	m.Load(-1, 1)
}
