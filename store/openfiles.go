// SPDX-License-Identifier: Apache-2.0

// The descriptors of queue files: opened at first use, closed when they are not
// used for a while or when there are too many. Java maps them for good.

package store

import (
	"errors"
	"io/fs"
	"sync"

	"rocketd/store/vfs"
)

// openFiles are the queue files that have a descriptor, in the order in which a
// hand passes them: one that was used since its last visit is spared once.
type openFiles struct {
	limit func() int

	mu   sync.Mutex
	ring []*queueFile
	hand int
}

// add enters a file that has just been opened, and makes room. The caller holds
// that file's lock, so the hand must not come to it.
func (o *openFiles) add(q *queueFile) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var err error
	for spare := 2 * len(o.ring); len(o.ring) >= max(o.limit(), 1) && spare > 0; spare-- {
		err = errors.Join(err, o.visit())
	}
	q.used.Store(true)
	o.ring = append(o.ring, q)
	return err
}

// full says that opening another file would close one.
func (o *openFiles) full() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.ring) >= max(o.limit(), 1)
}

// visit closes the file under the hand, or passes it.
func (o *openFiles) visit() error {
	if o.hand >= len(o.ring) {
		o.hand = 0
	}
	q := o.ring[o.hand]
	if q.used.Swap(false) || !q.mu.TryLock() {
		o.hand++
		return nil
	}
	defer q.mu.Unlock()
	last := len(o.ring) - 1
	o.ring[o.hand], o.ring[last] = o.ring[last], nil
	o.ring = o.ring[:last]
	if p := q.file.Swap(nil); p != nil {
		return (*p).Close()
	}
	return nil
}

// sweep closes what was not used since the last sweep.
func (o *openFiles) sweep() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var err error
	for o.hand = 0; o.hand < len(o.ring); {
		err = errors.Join(err, o.visit())
	}
	return err
}

// with runs fn on a file's descriptor, opened if need be. One that is closed
// meanwhile to make room is opened again.
func (f *queueFiles) with(q *queueFile, flag vfs.Flag, fn func(file vfs.File) error) error {
	for {
		file, err := f.open(q, flag)
		if err != nil {
			return err
		}
		if err = fn(file); !errors.Is(err, fs.ErrClosed) || q.isGone() {
			return err
		}
	}
}

// writeAt writes to a file of the queue. When all descriptors are taken it leaves
// them to those that have them: with many queues each would be closed again
// before its next use.
func (f *queueFiles) writeAt(q *queueFile, p []byte, pos int64) error {
	if q.file.Load() == nil && f.opened != nil && f.opened.full() {
		return f.fs.WriteFileAt(f.nameOf(q.base), p, pos)
	}
	return f.with(q, vfs.Create, func(file vfs.File) error {
		_, err := file.WriteAt(p, pos)
		return err
	})
}
