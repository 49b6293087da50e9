// SPDX-License-Identifier: Apache-2.0

// Looking at many small files: a directory stays open while the names below it
// are looked up, and of a file only its size and its beginning are read.

package vfs

// Entry is a name in a directory. A symbolic link is neither a directory nor a
// regular file.
type Entry struct {
	Name    string
	Dir     bool
	Regular bool
}

// Dir is an open directory.
type Dir interface {
	// Entries returns the names, sorted. It may be called once.
	Entries() ([]Entry, error)
	// OpenDir opens a directory in it.
	OpenDir(name string) (Dir, error)
	// Head reads the beginning of a file in it.
	Head(name string, p []byte) (Head, error)
	Close() error
}

// Head is what the beginning of a file tells about it.
type Head struct {
	N    int   // bytes that were read
	Size int64 // of the file
	// Rest is false when everything behind what was read is zeros. True says
	// nothing.
	Rest bool
}
