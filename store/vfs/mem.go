// SPDX-License-Identifier: Apache-2.0

// A file system in memory that knows what is durable. Pages written since the
// last Sync keep what they were before, names changed since the last SyncDir
// keep their order; CrashClone draws one of the states that a power loss could
// leave.

package vfs

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

const (
	memPage   = 4096
	memSector = 512
)

// Mem is a file system in memory. Make one with NewMem.
type Mem struct {
	mu       sync.Mutex
	dirs     map[string]bool
	files    map[string]*memNode // as the process sees them
	durable  map[string]*memNode // as they are after a crash
	durDirs  map[string]bool     // directories that are there after a crash
	pending  map[string][]memOp  // directory -> changes since its SyncDir
	locked   map[string]bool
	capacity int64 // bytes of pages that may be allocated, 0 means no limit
	used     int64
	fault    atomic.Pointer[func(op Op) error]
}

// memOp is one change of a directory: names taken away, names put there.
type memOp struct {
	remove string
	add    string
	node   *memNode // nil: add is a directory
}

type memNode struct {
	data      []byte           // as long as the file ever was; size says how much counts
	size      int64            //
	synced    int64            // size at the last Sync
	undo      map[int64][]byte // page -> its contents at the last Sync
	lost      map[int64][]byte // page -> its durable contents, when a Sync failed to write it
	allocated map[int64]bool   // pages that have a block
	mapped    int
	modMs     int64
}

// NewMem makes an empty file system.
func NewMem() *Mem {
	return &Mem{
		dirs: map[string]bool{"/": true, ".": true}, files: map[string]*memNode{}, durable: map[string]*memNode{},
		durDirs: map[string]bool{"/": true, ".": true},
		pending: map[string][]memOp{}, locked: map[string]bool{},
	}
}

// SetCapacity limits how many bytes may be allocated; 0 lifts the limit.
func (m *Mem) SetCapacity(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.capacity = bytes
}

// Used is how many bytes have blocks now.
func (m *Mem) Used() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}

// SetModTime sets a file's modification time, which otherwise stays 0.
func (m *Mem) SetModTime(name string, ms int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := m.files[path.Clean(name)]; n != nil {
		n.modMs = ms
	}
}

func notExist(op, name string) error {
	return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
}

func (m *Mem) Open(name string, flag Flag) (File, error) {
	if err := m.mayOpen(name, flag); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	name = path.Clean(name)
	if m.dirs[name] {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.EISDIR}
	}
	n := m.files[name]
	if n == nil {
		if flag == ReadOnly || flag == ReadWrite || !m.dirs[path.Dir(name)] {
			return nil, notExist("open", name)
		}
		n = &memNode{undo: map[int64][]byte{}, allocated: map[int64]bool{}}
		m.change(memOp{add: name, node: n})
	}
	f := &memFile{m: m, n: n, name: name, writable: flag != ReadOnly}
	if flag == Truncate {
		m.resize(n, 0)
	}
	return f, nil
}

// change applies a directory operation and remembers it until SyncDir.
func (m *Mem) change(op memOp) {
	apply(m.files, m.dirs, op)
	dir := path.Dir(op.add)
	if op.add == "" {
		dir = path.Dir(op.remove)
	}
	m.pending[dir] = append(m.pending[dir], op)
}

func apply(files map[string]*memNode, dirs map[string]bool, op memOp) {
	if op.remove != "" {
		delete(files, op.remove)
		delete(dirs, op.remove)
	}
	switch {
	case op.add == "":
	case op.node == nil:
		dirs[op.add] = true
	default:
		files[op.add] = op.node
	}
}

func (m *Mem) WriteFileAt(name string, p []byte, off int64) error {
	return writeFileAt(m, name, p, off)
}

func (m *Mem) Remove(name string) error {
	if err := m.may(Op{Kind: "remove", Name: name}); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	name = path.Clean(name)
	if n := m.files[name]; n != nil {
		m.used -= int64(len(n.allocated)) * memPage
		m.change(memOp{remove: name})
		return nil
	}
	if !m.dirs[name] {
		return notExist("remove", name)
	}
	if len(m.list(name)) > 0 {
		return &fs.PathError{Op: "remove", Path: name, Err: syscall.ENOTEMPTY}
	}
	m.change(memOp{remove: name})
	return nil
}

func (m *Mem) Rename(from, to string) error {
	if err := m.may(Op{Kind: "rename", Name: from}); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	from, to = path.Clean(from), path.Clean(to)
	n := m.files[from]
	if n == nil || !m.dirs[path.Dir(to)] {
		return notExist("rename", from)
	}
	if old := m.files[to]; old != nil && old != n {
		m.used -= int64(len(old.allocated)) * memPage
	}
	m.change(memOp{remove: from, add: to, node: n})
	return nil
}

// CopyMode does nothing: there are no permissions here.
func (m *Mem) CopyMode(string, string) error { return nil }

func (m *Mem) list(dir string) []Info {
	dir = path.Clean(dir)
	var infos []Info
	for name, n := range m.files {
		if path.Dir(name) == dir {
			infos = append(infos, Info{Name: path.Base(name), Size: n.size, ModTimeMs: n.modMs})
		}
	}
	for name := range m.dirs {
		if name != dir && path.Dir(name) == dir {
			infos = append(infos, Info{Name: path.Base(name), Dir: true})
		}
	}
	slices.SortFunc(infos, func(a, b Info) int { return strings.Compare(a.Name, b.Name) })
	return infos
}

func (m *Mem) List(dir string) ([]Info, error) {
	if err := m.may(Op{Kind: "list", Name: dir}); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.dirs[path.Clean(dir)] {
		return nil, notExist("list", dir)
	}
	return m.list(dir), nil
}

func (m *Mem) Stat(name string) (Info, error) {
	if err := m.may(Op{Kind: "stat", Name: name}); err != nil {
		return Info{}, err
	}
	return m.stat(name)
}

func (m *Mem) stat(name string) (Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name = path.Clean(name)
	if n := m.files[name]; n != nil {
		return Info{Name: path.Base(name), Size: n.size, ModTimeMs: n.modMs}, nil
	}
	if m.dirs[name] {
		return Info{Name: path.Base(name), Dir: true}, nil
	}
	return Info{}, notExist("stat", name)
}

func (m *Mem) MkdirAll(dir string) error {
	if m.isDir(dir) {
		return nil
	}
	if err := m.may(Op{Kind: "mkdir", Name: dir}); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var missing []string
	for dir = path.Clean(dir); !m.dirs[dir]; dir = path.Dir(dir) {
		if m.files[dir] != nil {
			return &fs.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR}
		}
		missing = append(missing, dir)
	}
	for _, dir := range slices.Backward(missing) {
		m.change(memOp{add: dir})
	}
	return nil
}

func (m *Mem) isDir(dir string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dirs[path.Clean(dir)]
}

func (m *Mem) SyncDir(dir string) error {
	if err := m.may(Op{Kind: "syncdir", Name: dir}); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	dir = path.Clean(dir)
	if !m.dirs[dir] {
		return notExist("sync", dir)
	}
	m.syncDir(dir)
	return nil
}

func (m *Mem) syncDir(dir string) {
	for _, op := range m.pending[dir] {
		apply(m.durable, m.durDirs, op)
	}
	delete(m.pending, dir)
}

func (m *Mem) Usage(string) (Usage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.capacity == 0 {
		return Usage{Total: 1 << 50, Free: 1<<50 - m.used}, nil
	}
	return Usage{Total: m.capacity, Free: max(m.capacity-m.used, 0)}, nil
}

type memLock struct {
	m    *Mem
	name string
}

func (m *Mem) Lock(name string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name = path.Clean(name)
	if m.locked[name] {
		return nil, fmt.Errorf("%s: %w", name, ErrLocked)
	}
	if m.files[name] == nil {
		if !m.dirs[path.Dir(name)] {
			return nil, notExist("lock", name)
		}
		n := &memNode{data: []byte("lock"), size: 4, synced: 4, undo: map[int64][]byte{}, allocated: map[int64]bool{}}
		m.change(memOp{add: name, node: n})
	}
	m.locked[name] = true
	return &memLock{m, name}, nil
}

func (l *memLock) Close() error {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	delete(l.m.locked, l.name)
	return nil
}

// Clone is the file system as a killed process leaves it: everything written
// is there, nothing is locked.
func (m *Mem) Clone() *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.clone(m.files, m.dirs, func(n *memNode) ([]byte, int64) { return slices.Clone(n.data), n.size })
}

// CrashClone is one file system that a power loss could leave, drawn with rng:
// of each directory's changes since its SyncDir a prefix is kept; each page
// written since the file's Sync is new, old, or torn between sectors.
func (m *Mem) CrashClone(rng *rand.Rand) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	files, dirs := maps.Clone(m.durable), maps.Clone(m.durDirs)
	for _, dir := range sortedKeys(m.pending) {
		ops := m.pending[dir]
		for _, op := range ops[:rng.Intn(len(ops)+1)] {
			apply(files, dirs, op)
		}
	}
	for _, dir := range sortedKeys(dirs) {
		if !dirs[path.Dir(dir)] { // a directory goes with the one it is in
			delete(dirs, dir)
		}
	}
	maps.DeleteFunc(files, func(name string, _ *memNode) bool { return !dirs[path.Dir(name)] })
	return m.clone(files, dirs, func(n *memNode) ([]byte, int64) { return n.crash(rng) })
}

func (n *memNode) crash(rng *rand.Rand) ([]byte, int64) {
	data, size := slices.Clone(n.data), n.size
	if n.synced != n.size && rng.Intn(2) == 0 {
		size = n.synced
	}
	undo := n.undo
	if len(n.lost) > 0 {
		undo = maps.Clone(n.undo)
		maps.Copy(undo, n.lost)
	}
	for _, page := range sortedKeys(undo) {
		old, at := undo[page], page*memPage
		switch rng.Intn(3) {
		case 0:
			copy(data[at:], old)
		case 1:
			for s := 0; s < len(old); s += memSector {
				if rng.Intn(2) == 0 {
					copy(data[at+int64(s):], old[s:min(s+memSector, len(old))])
				}
			}
		}
	}
	if int64(len(data)) > size {
		clear(data[size:])
	}
	return data, size
}

func sortedKeys[K int64 | string, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

func (m *Mem) clone(files map[string]*memNode, dirs map[string]bool, contents func(*memNode) ([]byte, int64)) *Mem {
	c := NewMem()
	c.capacity = m.capacity
	c.dirs, c.durDirs = maps.Clone(dirs), maps.Clone(dirs)
	for _, name := range sortedKeys(files) {
		n := files[name]
		data, size := contents(n)
		copied := &memNode{data: data, size: size, synced: size, undo: map[int64][]byte{}, allocated: map[int64]bool{}, modMs: n.modMs}
		for p := range n.allocated {
			copied.allocated[p] = true
		}
		c.used += int64(len(copied.allocated)) * memPage
		c.files[name], c.durable[name] = copied, copied
	}
	return c
}
