// SPDX-License-Identifier: Apache-2.0

// The checkpoint file: store times up to which log, queues and index are known
// to be durable (docs/format/checkpoint.md). Recovery after a crash begins at a
// log file that is older. Java: StoreCheckpoint.

package store

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"path"
	"sync"

	"rocketd/store/vfs"
)

const checkpointBytes = 4096

// checkpointMarginMs is taken off the times before they are believed.
const checkpointMarginMs = 3000

type checkpoint struct {
	name    string
	damaged bool // when it was read: missing, of a wrong size, or with impossible times

	saving sync.Mutex // one save at a time; before mu
	file   vfs.File
	saved  javaCheckpoint // what the file has

	mu sync.Mutex
	// physic, logics, index: store times; masterFlushed, confirm: log offsets
	// that only replication sets, kept as they were read.
	physic, logics, index, masterFlushed, confirm int64
}

// loadCheckpoint reads the file; a missing or short one counts as all zeros.
func loadCheckpoint(fsys vfs.FS, name string) (*checkpoint, error) {
	c := &checkpoint{name: name}
	b, err := vfs.ReadFile(fsys, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	copy(c.saved[:], b)
	c.damaged = len(b) != checkpointBytes
	if len(b) >= len(c.saved) {
		c.decode(b)
		c.damaged = c.damaged || min(c.physic, c.logics, c.index) < 0
	}
	return c, nil
}

// safeMs is the store time before which a crash has lost nothing.
func (c *checkpoint) safeMs() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(min(c.physic, c.logics)-checkpointMarginMs, 0)
}

func (c *checkpoint) physicMs() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.physic
}

func (c *checkpoint) setPhysic(ms int64) { c.raise(&c.physic, ms) }
func (c *checkpoint) setLogics(ms int64) { c.raise(&c.logics, ms) }
func (c *checkpoint) setIndex(ms int64)  { c.raise(&c.index, ms) }

func (c *checkpoint) raise(field *int64, ms int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*field = max(*field, ms)
}

// lower takes back what is not true any more after a truncation of the log.
func (c *checkpoint) lower(ms int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.physic, c.logics, c.index = min(c.physic, ms), min(c.logics, ms), min(c.index, ms)
}

// distrust has any broker read the whole log after a crash, and keeps what is known of the log itself.
func (c *checkpoint) distrust() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.logics, c.index = 0, 0
}

// restore puts back what the file had.
func (c *checkpoint) restore(fsys vfs.FS, was javaCheckpoint) error {
	c.saving.Lock()
	defer c.saving.Unlock()
	c.mu.Lock()
	c.decode(was[:])
	c.mu.Unlock()
	return c.write(fsys, was)
}

// decode reads the numbers.
func (c *checkpoint) decode(b []byte) {
	for i, p := range []*int64{&c.physic, &c.logics, &c.index, &c.masterFlushed, &c.confirm} {
		*p = int64(binary.BigEndian.Uint64(b[8*i:]))
	}
}

// bytes is what the file is to have. Under mu.
func (c *checkpoint) bytes() (b javaCheckpoint) {
	for i, v := range [...]int64{c.physic, c.logics, c.index, c.masterFlushed, c.confirm} {
		binary.BigEndian.PutUint64(b[8*i:], uint64(v))
	}
	return b
}

// onDisk is what the last save wrote.
func (c *checkpoint) onDisk() javaCheckpoint {
	c.saving.Lock()
	defer c.saving.Unlock()
	return c.saved
}

// save writes the file in place and syncs it, when something has changed. The
// 40 bytes lie in one sector, so they are old or new; before is told both.
func (c *checkpoint) save(fsys vfs.FS, before func(old, next javaCheckpoint) error) error {
	c.saving.Lock()
	defer c.saving.Unlock()
	c.mu.Lock()
	next := c.bytes()
	c.mu.Unlock()
	if err := before(c.saved, next); err != nil {
		return err
	}
	return c.write(fsys, next)
}

// write makes next the file's contents, durably. Under saving.
func (c *checkpoint) write(fsys vfs.FS, next javaCheckpoint) error {
	if c.file != nil && next == c.saved {
		return nil
	}
	if err := c.open(fsys); err != nil {
		return err
	}
	if _, err := c.file.WriteAt(next[:], 0); err != nil {
		return err
	}
	if err := c.file.Sync(); err != nil {
		return err
	}
	c.saved = next
	return nil
}

// open makes the file, if this has not been done yet. Under saving.
func (c *checkpoint) open(fsys vfs.FS) error {
	if c.file != nil {
		return nil
	}
	f, err := fsys.Open(c.name, vfs.Create)
	if err != nil {
		return err
	}
	if err := f.Truncate(checkpointBytes); err != nil {
		_ = f.Close() // the first error counts
		return err
	}
	if err := fsys.SyncDir(path.Dir(c.name)); err != nil {
		_ = f.Close() // the first error counts
		return err
	}
	c.file = f
	return nil
}

func (c *checkpoint) close() error {
	c.saving.Lock()
	defer c.saving.Unlock()
	if c.file == nil {
		return nil
	}
	err := c.file.Close()
	c.file = nil
	return err
}
