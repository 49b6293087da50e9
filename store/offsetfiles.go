// SPDX-License-Identifier: Apache-2.0

// Directories of fixed-size files that are named by their start offset, as the
// commit log and the consume queues have. Java: MappedFileQueue.doLoad.

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"

	"rocketd/store/vfs"
)

// listOffsetFiles returns the start offsets, ascending. An empty last file is
// removed. A wrong size or a hole between files is an error that names the
// file and the key; with repair, files from the first empty or missing one on
// are removed instead, because recovery writes them again.
func listOffsetFiles(fsys vfs.FS, dir string, size int64, key string, repair bool) ([]int64, error) {
	infos, err := fsys.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var files []vfs.Info
	for _, info := range infos {
		if !info.Dir {
			files = append(files, info)
		}
	}
	var bases []int64
	for i, info := range files {
		name := path.Join(dir, info.Name)
		base, err := strconv.ParseInt(info.Name, 10, 64)
		if err != nil || len(info.Name) != 20 {
			return nil, fmt.Errorf("%s: the name is not a 20-digit offset", name)
		}
		follows := i == 0 || base == bases[i-1]+size
		if info.Size == 0 && (i == len(files)-1 || repair) || !follows && repair {
			return bases, removeOffsetFiles(fsys, dir, files[i:])
		}
		if info.Size != size {
			return nil, fmt.Errorf("%s has %d bytes, but %s=%d; the key may not change once the store has files", name, info.Size, key, size)
		}
		if !follows {
			return nil, fmt.Errorf("%s does not follow %s: files of %s=%d are missing between them", name, segmentName(bases[i-1]), key, size)
		}
		bases = append(bases, base)
	}
	return bases, nil
}

// removeOffsetFiles removes the last files of a directory, the newest first.
func removeOffsetFiles(fsys vfs.FS, dir string, files []vfs.Info) error {
	for i := len(files) - 1; i >= 0; i-- {
		if err := fsys.Remove(path.Join(dir, files[i].Name)); err != nil {
			return err
		}
	}
	return nil
}
