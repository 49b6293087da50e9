// SPDX-License-Identifier: Apache-2.0

// Faults of Mem: a test sees each operation before it is done, to make it fail
// or to take the state of the disk at that point.

package vfs

import (
	"io/fs"
	"path"
	"syscall"
)

// Op is an operation that is about to be done. Kinds: open, create, read, write,
// store, truncate, allocate, zero, sync, map, remove, rename, mkdir, syncdir,
// syncfs, list, stat.
type Op struct {
	Kind   string
	Name   string
	Off, N int64
}

// Changes says whether the operation changes the disk or what is durable of it.
func (op Op) Changes() bool {
	switch op.Kind {
	case "open", "read", "map", "list", "stat":
		return false
	}
	return true
}

// Syncs says whether the operation only makes durable what is there.
func (op Op) Syncs() bool { return op.Kind == "sync" || op.Kind == "syncdir" || op.Kind == "syncfs" }

// SetFault has fn called before each operation; an error that it returns is the
// operation's. fn may look at the disk, clone it, and call SetFault. nil ends
// it.
func (m *Mem) SetFault(fn func(op Op) error) {
	if fn == nil {
		m.fault.Store(nil)
		return
	}
	m.fault.Store(&fn)
}

func (m *Mem) may(op Op) error {
	fn := m.fault.Load()
	if fn == nil {
		return nil
	}
	op.Name = path.Clean(op.Name)
	if err := (*fn)(op); err != nil {
		return &fs.PathError{Op: op.Kind, Path: op.Name, Err: err}
	}
	return nil
}

func (m *Mem) mayOpen(name string, flag Flag) error {
	kind := "open"
	if flag == Create || flag == Truncate {
		if _, err := m.stat(name); err != nil || flag == Truncate {
			kind = "create"
		}
	}
	return m.may(Op{Kind: kind, Name: name})
}

// FullDisk, ReadOnlyDisk and GoneDisk are faults for SetFault.
func FullDisk(op Op) error {
	switch op.Kind {
	case "create", "write", "allocate", "mkdir":
		return syscall.ENOSPC
	}
	return nil
}

// ReadOnlyDisk is what a file system becomes that was remounted after an error.
func ReadOnlyDisk(op Op) error {
	if op.Changes() && op.Kind != "store" && !op.Syncs() { // mapped pages can still be changed
		return syscall.EROFS
	}
	return nil
}

// GoneDisk answers nothing any more.
func GoneDisk(Op) error { return syscall.EIO }
