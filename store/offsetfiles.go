// SPDX-License-Identifier: Apache-2.0

// Directories of fixed-size files that are named by their start offset, as the
// commit log, the consume queues and the extension units have. The files of
// one log may lie in several directories. Java: MappedFileQueue.doLoad.

package store

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"

	"rocketd/store/vfs"
)

// offsetFile is one file found in a directory.
type offsetFile struct {
	dir, base string
	offset    int64 // -1: the name is none
	size      int64
}

func (f offsetFile) name() string { return path.Join(f.dir, f.base) }

// offsetOf is the offset that a file is named after, -1 if it is not.
func offsetOf(name string) int64 {
	offset, err := strconv.ParseInt(name, 10, 64)
	if err != nil || len(name) != 20 {
		return -1
	}
	return offset
}

// findOffsetFiles returns the files of the directories, by name. A missing
// directory has none; sub-directories are passed over.
func findOffsetFiles(fsys vfs.FS, dirs []string) ([]offsetFile, error) {
	var files []offsetFile
	for _, dir := range dirs {
		infos, err := fsys.List(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, info := range infos {
			if info.Dir {
				continue
			}
			files = append(files, offsetFile{dir, info.Name, offsetOf(info.Name), info.Size})
		}
	}
	slices.SortFunc(files, func(a, b offsetFile) int {
		return cmp.Or(cmp.Compare(a.base, b.base), cmp.Compare(a.dir, b.dir))
	})
	return files, nil
}

// foundFileSize is the size of the files that are there, if all agree on one
// and are named after it; configured otherwise, and then listOffsetFiles says
// what is wrong. It is a multiple of unit and not below least.
func foundFileSize(files []offsetFile, configured, unit, least int64) int64 {
	size := int64(0)
	for _, f := range files {
		switch {
		case f.size == 0:
		case f.size%unit != 0, f.size < least, size != 0 && f.size != size, f.offset < 0, f.offset%f.size != 0:
			return configured
		default:
			size = f.size
		}
	}
	if size == 0 {
		return configured
	}
	return size
}

// listOffsetFiles checks the files found and returns those that hold data,
// ascending. An empty last file is removed. A wrong size, a hole between files
// or the same file twice is an error that names the file and the key.
func listOffsetFiles(fsys vfs.FS, files []offsetFile, size int64, key string) ([]offsetFile, error) {
	for i, f := range files {
		if f.offset < 0 {
			return nil, fmt.Errorf("%s: the name is not a 20-digit offset", f.name())
		}
		if i > 0 && f.offset == files[i-1].offset {
			return nil, fmt.Errorf("%s and %s are the same part of the log: remove the one that is not wanted", files[i-1].name(), f.name())
		}
		if f.size == 0 && i == len(files)-1 {
			return files[:i], fsys.Remove(f.name())
		}
		if f.size != size {
			return nil, fmt.Errorf("%s has %d bytes, but %s=%d: it is damaged, or it is of another log (docs/format/commitlog.md says how to go on)", f.name(), f.size, key, size)
		}
		if i > 0 && f.offset != files[i-1].offset+size {
			return nil, fmt.Errorf("%s does not follow %s: files of %s=%d are missing between them (docs/format/commitlog.md says how to go on)", f.name(), files[i-1].base, key, size)
		}
	}
	return files, nil
}

// inOrder parts files: those from the first one on that has the wrong size or
// place are bad.
func inOrder(files []offsetFile, size int64) (good, bad []offsetFile) {
	for i, f := range files {
		if f.size != size || f.offset%size != 0 || i > 0 && f.offset != files[i-1].offset+size {
			return files[:i], files[i:]
		}
	}
	return files, nil
}
