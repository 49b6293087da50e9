// SPDX-License-Identifier: Apache-2.0

// All consume queues, by topic and queue id. Looking a queue up takes no lock:
// each shard is an immutable map that is copied when a queue is added.
// Java: ConsumeQueueStore.

package store

import (
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

const topicShards = 64

// maxQueueID bounds the queue ids that the store makes directories for.
const maxQueueID = 1<<16 - 1

type queueTable struct {
	fs       vfs.FS
	dir      string
	fileSize int64
	opened   openFiles

	volumes       []vfs.Volume // none: files are synced one by one
	syncWholeFrom int          // files

	extDir      string
	extFileSize int64
	extEnabled  bool // new units get extensions
	extThere    bool // queues may have extensions
	extOf       func(topic string, u unit) ExtUnit

	seed   maphash.Seed
	mu     sync.Mutex               // adding and removing
	all    atomic.Pointer[[]*queue] // in the order of their making; appended to and replaced under mu
	shards [topicShards]atomic.Pointer[map[string]map[int32]*queue]
}

func newQueueTable(fsys vfs.FS, dir string, fileSize int64, maxOpen func() int) *queueTable {
	t := &queueTable{fs: fsys, dir: dir, fileSize: fileSize, seed: maphash.MakeSeed(), opened: openFiles{limit: maxOpen}, syncWholeFrom: syncWholeFrom}
	for i := range t.shards {
		t.shards[i].Store(&map[string]map[int32]*queue{})
	}
	t.all.Store(&[]*queue{})
	return t
}

func (t *queueTable) shard(topic string) *atomic.Pointer[map[string]map[int32]*queue] {
	return &t.shards[maphash.String(t.seed, topic)%topicShards]
}

// topic returns the queues of a topic, not to be changed.
func (t *queueTable) topic(topic string) map[int32]*queue { return (*t.shard(topic).Load())[topic] }

func (t *queueTable) get(topic string, id int32) *queue { return t.topic(topic)[id] }

// ensure returns a queue, made when missing. Its name becomes a path, so it is
// checked here whatever callers have checked.
func (t *queueTable) ensure(topic string, id int32) (*queue, error) {
	if q := t.get(topic, id); q != nil {
		return q, nil
	}
	if !message.SafeName(topic) || id < 0 || id > maxQueueID {
		return nil, fmt.Errorf("%w: topic %.64q queue %d cannot be a directory", ErrMessageIllegal, topic, id)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if q := t.get(topic, id); q != nil {
		return q, nil
	}
	q := t.newQueue(topic, id)
	if t.extEnabled {
		q.files.ext = t.newExt(topic, strconv.Itoa(int(id)), true)
	}
	p := t.shard(topic)
	topics := maps.Clone(*p.Load())
	queues := maps.Clone(topics[topic])
	if queues == nil {
		queues = map[int32]*queue{}
	}
	queues[id] = q
	topics[topic] = queues
	p.Store(&topics)
	all := append(*t.all.Load(), q)
	t.all.Store(&all)
	return q, nil
}

// remove takes queues of a topic out and returns them.
func (t *queueTable) remove(topic string, match func(q *queue) bool) map[int32]*queue {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.shard(topic)
	topics := maps.Clone(*p.Load())
	removed, kept := map[int32]*queue{}, map[int32]*queue{}
	for id, q := range topics[topic] {
		if match(q) {
			removed[id] = q
		} else {
			kept[id] = q
		}
	}
	if topics[topic] = kept; len(kept) == 0 {
		delete(topics, topic)
	}
	p.Store(&topics)
	all := slices.DeleteFunc(slices.Clone(*t.all.Load()), func(q *queue) bool { return removed[q.id] == q })
	t.all.Store(&all)
	return removed
}

// topics returns the names of all topics, sorted.
func (t *queueTable) topics() []string {
	var names []string
	for i := range t.shards {
		for name := range *t.shards[i].Load() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// each calls fn for every queue until it fails, in the order of their making.
func (t *queueTable) each(fn func(q *queue) error) error {
	for _, q := range *t.all.Load() {
		if err := fn(q); err != nil {
			return err
		}
	}
	return nil
}

func (t *queueTable) close() error {
	return errors.Join(t.each(func(q *queue) error { return q.files.close() }), t.closeVolumes())
}
