// SPDX-License-Identifier: Apache-2.0

// files.go: the few file operations of a NameServer, behind an interface so that tests can make them fail.

package namesrv

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// FS reads and replaces small files.
type FS interface {
	// ReadFile returns a file's content, or an error that is fs.ErrNotExist.
	ReadFile(name string) ([]byte, error)
	// ReplaceFile makes data the content of name for good: after a crash the file holds either the old content
	// or the new, and the old one stays beside it as name.bak. Missing folders are made, permissions are kept.
	ReplaceFile(name string, data []byte) error
	// Rename moves a file within its folder.
	Rename(from, to string) error
}

// OS is the file system of the machine.
var OS FS = osFS{}

type osFS struct{}

func (osFS) ReadFile(name string) ([]byte, error) { return os.ReadFile(name) }

func (osFS) Rename(from, to string) error { return os.Rename(from, to) }

func (osFS) ReplaceFile(name string, data []byte) error {
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	old, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	mode := fs.FileMode(newFileMode)
	if err == nil {
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		mode = info.Mode().Perm()
		if err := writeThenRename(name+".bak", old, mode); err != nil {
			return err
		}
	}
	if err := writeThenRename(name, data, mode); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

const newFileMode = 0o644

// writeThenRename never leaves a half-written file under name.
func writeThenRename(name string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(name+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, newFileMode)
	if err != nil {
		return err
	}
	if err = f.Chmod(mode); err == nil {
		_, err = f.Write(data)
	}
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(name+".tmp", name)
}
