// SPDX-License-Identifier: Apache-2.0

package meta

import (
	"bufio"
	"cmp"
	"hash/maphash"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"

	"rocketd/compat/fastjson"
	"rocketd/protocol"
	"rocketd/store/vfs"
)

const (
	offsetShards = 32
	// offsetsPerVersion is after how many commits the table gets a new version (Java's
	// consumerOffsetUpdateVersionStep).
	offsetsPerVersion = 500

	// A save rests after that many groups of topics, so that it does not hold a processor for long. A shard's rests are few.
	groupsPerPiece = 200
	piecesPerShard = 4
	pieceRest      = time.Millisecond
)

// machine is the clock of these rests, which are no matter of the Broker's time.
var machine = clockwork.NewRealClock()

// Offsets is consumerOffset.json: how far each group has consumed each queue. It is written some
// seconds behind; a crash makes consumers repeat, as with Java. Java: ConsumerOffsetManager.
type Offsets struct {
	file    file
	commits commits
	seed    maphash.Seed
	shards  [offsetShards]offsetShard
	updates atomic.Int64

	mu      sync.Mutex
	version protocol.DataVersion
	rest    map[string]fastjson.Raw // unknown members of the file; set by Load, then only read
}

// offsetKey is "topic@group" of the file, taken apart at the first '@'.
type offsetKey struct{ topic, group string }

type offsetShard struct {
	mu      sync.RWMutex
	stored  map[offsetKey]map[int32]int64
	pulled  map[offsetKey]map[int32]int64 // how far a group has pulled, which is ahead of what it committed
	pending map[offsetKey]map[int32]int64 // resets that the group's next pull is still to be told of
}

// NewOffsets returns the empty table of the given file.
func NewOffsets(path string, fsys vfs.FS, clock clockwork.Clock, log zerolog.Logger) *Offsets {
	o := &Offsets{
		file:    file{path: path, fs: fsys, clock: clock, log: log},
		seed:    maphash.MakeSeed(),
		version: protocol.DataVersion{TimestampMs: clock.Now().UnixMilli()},
	}
	o.commits.init()
	for i := range o.shards {
		o.shards[i] = offsetShard{
			stored:  map[offsetKey]map[int32]int64{},
			pulled:  map[offsetKey]map[int32]int64{},
			pending: map[offsetKey]map[int32]int64{},
		}
	}
	return o
}

// offsetsFile is the file's content. groupTopicMap is derived from the offsets and not kept.
type offsetsFile struct {
	DataVersion protocol.DataVersion       `json:"dataVersion"`
	OffsetTable map[string]map[int32]int64 `json:"offsetTable"`
	PullTable   map[string]map[int32]int64 `json:"pullOffsetTable"`
}

// Load reads the file. Its errors name the file.
func (o *Offsets) Load() error {
	return o.file.load(func(text []byte) error {
		var content offsetsFile
		if err := fastjson.Unmarshal(text, &content); err != nil {
			return err
		}
		rest := map[string]fastjson.Raw{}
		if err := fastjson.Unmarshal(text, &rest); err != nil {
			return err
		}
		for _, known := range []string{"dataVersion", "offsetTable", "pullOffsetTable", "groupTopicMap"} {
			delete(rest, known)
		}
		o.version, o.rest = content.DataVersion, rest
		for name, queues := range content.OffsetTable {
			key := parseOffsetKey(name)
			o.shard(key).stored[key] = queues
		}
		for name, queues := range content.PullTable {
			key := parseOffsetKey(name)
			o.shard(key).pulled[key] = queues
		}
		return nil
	})
}

func parseOffsetKey(name string) offsetKey {
	topic, group, _ := strings.Cut(name, "@")
	return offsetKey{topic: topic, group: group}
}

func (o *Offsets) shard(key offsetKey) *offsetShard {
	h := maphash.String(o.seed, key.topic) ^ 31*maphash.String(o.seed, key.group)
	return &o.shards[h%offsetShards]
}

// Commit stores how far a group has consumed a queue: the next offset that it will read.
func (o *Offsets) Commit(group, topic string, queueID int32, offset int64) {
	o.commit(group, topic, queueID, offset, nil)
}

// Seen is what a group had committed for a queue at some time.
type Seen struct {
	offset int64
	known  bool
}

// See returns what a group has committed for a queue, for CommitSince.
func (o *Offsets) See(group, topic string, queueID int32) Seen {
	offset, known := o.Query(group, topic, queueID)
	return Seen{offset, known}
}

// CommitSince is Commit for a request that may be served after later ones: a lower offset does not replace one that was
// committed since seen.
func (o *Offsets) CommitSince(seen Seen, group, topic string, queueID int32, offset int64) {
	o.commit(group, topic, queueID, offset, &seen)
}

func (o *Offsets) commit(group, topic string, queueID int32, offset int64, seen *Seen) {
	key := offsetKey{topic: topic, group: group}
	s := o.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	old, ok := s.stored[key][queueID]
	if ok && (offset == old || seen != nil && offset < old && *seen != Seen{old, true}) {
		return
	}
	set(s.stored, key, queueID, offset)
	o.changed()
}

// changed notes a change. The lock of the changed shard is held.
func (o *Offsets) changed() {
	o.commits.mark()
	if o.updates.Add(1)%offsetsPerVersion == 0 {
		o.bump()
	}
}

func (o *Offsets) bump() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.version.Counter++
	o.version.TimestampMs = o.file.clock.Now().UnixMilli()
}

func set(table map[offsetKey]map[int32]int64, key offsetKey, queueID int32, offset int64) {
	queues := table[key]
	if queues == nil {
		queues = map[int32]int64{}
		table[key] = queues
	}
	queues[queueID] = offset
}

// Query returns what a group has committed for a queue.
func (o *Offsets) Query(group, topic string, queueID int32) (int64, bool) {
	key := offsetKey{topic: topic, group: group}
	s := o.shard(key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	offset, ok := s.stored[key][queueID]
	return offset, ok
}

// QueryAll returns what a group has committed for the queues of a topic.
func (o *Offsets) QueryAll(group, topic string) map[int32]int64 {
	key := offsetKey{topic: topic, group: group}
	s := o.shard(key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return maps.Clone(s.stored[key])
}

// CommitPull stores up to where a group has pulled a queue. It is kept for the tools only, so that
// it alone is no reason to write the file.
func (o *Offsets) CommitPull(group, topic string, queueID int32, offset int64) {
	key := offsetKey{topic: topic, group: group}
	s := o.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	set(s.pulled, key, queueID, offset)
}

// QueryPull returns up to where a group has pulled a queue.
func (o *Offsets) QueryPull(group, topic string, queueID int32) (int64, bool) {
	key := offsetKey{topic: topic, group: group}
	s := o.shard(key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	offset, ok := s.pulled[key][queueID]
	return offset, ok
}

// AssignReset stores a reset: the offset counts at once, and the group's next pull of the queue is
// to be told (TakeReset). Until then its commits for the queue are to be ignored (PendingReset).
func (o *Offsets) AssignReset(group, topic string, queueID int32, offset int64) {
	key := offsetKey{topic: topic, group: group}
	s := o.shard(key)
	s.mu.Lock()
	set(s.pending, key, queueID, offset)
	set(s.stored, key, queueID, offset)
	o.changed()
	s.mu.Unlock()
}

// PendingReset reports a reset that the group has not been told of.
func (o *Offsets) PendingReset(group, topic string, queueID int32) (int64, bool) {
	key := offsetKey{topic: topic, group: group}
	s := o.shard(key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	offset, ok := s.pending[key][queueID]
	return offset, ok
}

// TakeReset is PendingReset, and the reset is pending no more.
func (o *Offsets) TakeReset(group, topic string, queueID int32) (int64, bool) {
	if _, ok := o.PendingReset(group, topic, queueID); !ok {
		return 0, false
	}
	key := offsetKey{topic: topic, group: group}
	s := o.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	offset, ok := s.pending[key][queueID]
	if delete(s.pending[key], queueID); len(s.pending[key]) == 0 {
		delete(s.pending, key)
	}
	return offset, ok
}

// TopicsOf returns the topics for which a group has offsets, sorted. A name with an '@' is no group's, but that under which
// its broadcasting clients' offsets are stored.
func (o *Offsets) TopicsOf(group string) []string {
	if strings.Contains(group, "@") {
		return nil
	}
	return o.collect(func(key offsetKey) (string, bool) { return key.topic, key.group == group })
}

// GroupsOf returns the names under which there are offsets for a topic, sorted: groups, and their broadcasting clients.
func (o *Offsets) GroupsOf(topic string) []string {
	return o.collect(func(key offsetKey) (string, bool) { return key.group, key.topic == topic })
}

func (o *Offsets) collect(pick func(offsetKey) (string, bool)) []string {
	var names []string
	for i := range o.shards {
		s := &o.shards[i]
		s.mu.RLock()
		for key := range s.stored {
			if name, ok := pick(key); ok {
				names = append(names, name)
			}
		}
		s.mu.RUnlock()
	}
	slices.Sort(names)
	return names
}

// DeleteTopic forgets all offsets of a topic.
func (o *Offsets) DeleteTopic(topic string) {
	o.drop(func(key offsetKey) bool { return key.topic == topic })
}

// DeleteGroup forgets all offsets of a group.
func (o *Offsets) DeleteGroup(group string) {
	o.drop(func(key offsetKey) bool { return key.group == group })
}

func (o *Offsets) drop(match func(offsetKey) bool) {
	gone := func(key offsetKey, _ map[int32]int64) bool { return match(key) }
	for i := range o.shards {
		s := &o.shards[i]
		s.mu.Lock()
		before := len(s.stored)
		maps.DeleteFunc(s.stored, gone)
		maps.DeleteFunc(s.pulled, gone)
		maps.DeleteFunc(s.pending, gone)
		if len(s.stored) != before {
			o.changed()
		}
		s.mu.Unlock()
	}
}

// Dirty reports whether there are changes that are not on disk.
func (o *Offsets) Dirty() bool { return o.commits.dirty() }

// Save writes the table if it is dirty. Committers wait for no more than the copying of one shard.
func (o *Offsets) Save() error { return o.commits.await(o.commits.newest(), o.write) }

func (o *Offsets) write() (upTo uint64, err error) {
	upTo = o.commits.newest()
	o.mu.Lock()
	version := o.version
	o.mu.Unlock()
	stored := func(s *offsetShard) map[offsetKey]map[int32]int64 { return s.stored }
	pulled := func(s *offsetShard) map[offsetKey]map[int32]int64 { return s.pulled }
	err = o.file.save(func(w *bufio.Writer) error {
		return writeObject(w, version, o.rest,
			member{name: "offsetTable", print: func(w *bufio.Writer) error { return o.print(w, stored) }},
			member{name: "pullOffsetTable", print: func(w *bufio.Writer) error { return o.print(w, pulled) }})
	})
	return upTo, err
}

// queueOffsets is one entry of a table at the time when its shard was copied.
type queueOffsets struct {
	key    offsetKey
	queues []queueOffset
}

type queueOffset struct {
	queueID int32
	offset  int64
}

// print writes one table, shard by shard. Integer names stand quoted, which Java reads as well as
// the unquoted ones that it writes.
func (o *Offsets) print(w *bufio.Writer, table func(*offsetShard) map[offsetKey]map[int32]int64) error {
	separator := "{\n\t\t"
	var line []byte
	for i := range o.shards {
		entries := o.shards[i].copy(table)
		piece := max(groupsPerPiece, len(entries)/piecesPerShard)
		for n, entry := range entries {
			if n%piece == piece-1 {
				machine.Sleep(pieceRest)
			}
			key, err := fastjson.Marshal(entry.key.topic + "@" + entry.key.group)
			if err != nil {
				return err
			}
			line = append(append(append(line[:0], separator...), key...), ':', '{')
			for i, q := range entry.queues {
				if i > 0 {
					line = append(line, ',')
				}
				line = append(line, "\n\t\t\t\""...)
				line = append(strconv.AppendInt(line, int64(q.queueID), 10), '"', ':')
				line = strconv.AppendInt(line, q.offset, 10)
			}
			if _, err := w.Write(append(line, "\n\t\t}"...)); err != nil {
				return err
			}
			separator = ",\n\t\t"
		}
	}
	end := "\n\t}"
	if separator[0] == '{' {
		end = "{}"
	}
	_, err := w.WriteString(end)
	return err
}

func (s *offsetShard) copy(table func(*offsetShard) map[offsetKey]map[int32]int64) []queueOffsets {
	s.mu.RLock()
	defer s.mu.RUnlock()
	entries := make([]queueOffsets, 0, len(table(s)))
	for key, queues := range table(s) {
		entry := queueOffsets{key: key, queues: make([]queueOffset, 0, len(queues))}
		for id, offset := range queues {
			entry.queues = append(entry.queues, queueOffset{queueID: id, offset: offset})
		}
		slices.SortFunc(entry.queues, func(a, b queueOffset) int { return cmp.Compare(a.queueID, b.queueID) })
		entries = append(entries, entry)
	}
	return entries
}
