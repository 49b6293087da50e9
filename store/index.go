// SPDX-License-Identifier: Apache-2.0

// The key index: finds messages by UNIQ_KEY, by each word of KEYS, and by TAGS. Only the
// dispatcher adds; queries share a lock with it. Java: IndexService.

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"

	"rocketd/compat"
	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

// indexStamp is how Java names index files, apart from the missing dot.
const indexStamp = "20060102150405.000"

// TagKeyPrefix makes of a message's tags the key that it is entered under
// beside its own keys (the index type T of a query).
const TagKeyPrefix = "T#"

type keyIndex struct {
	fs  vfs.FS
	dir string
	g   indexGeometry
	now func() time.Time

	mu     sync.RWMutex // queries read, the dispatcher writes
	files  []*indexFile // ascending by time
	fullMs int64        // under the dispatch lock: end time of the newest full and synced file
	hashes []int32      // dispatcher only: scratch
	part   struct {     // dispatcher only: the record whose keys are being entered
		phyOffset int64
		keys      int // that are
	}
}

func newKeyIndex(fsys vfs.FS, dir string, cfg *Config, now func() time.Time) *keyIndex {
	return &keyIndex{fs: fsys, dir: dir, g: indexGeometry{int64(cfg.MaxHashSlotNum), int64(cfg.MaxIndexNum)}, now: now}
}

// load opens the files. whole says that the whole log must be read to make the
// index again, because one of them is missing or cannot be right, or again was
// asked for; then none is open and those that are there are wrong. An empty one
// was just being made.
func (x *keyIndex) load(list *queueList, again bool, logMin int64, repaired repairs) (wrong []string, whole bool, err error) {
	infos, err := x.fs.List(x.dir)
	if err != nil {
		return nil, false, err
	}
	var names []string
	for i, info := range infos {
		name := path.Join(x.dir, info.Name)
		if _, err := strconv.ParseInt(info.Name, 10, 64); info.Dir || err != nil || len(info.Name) != len(indexStamp)-1 {
			repaired(name, "this is no file of the index and is left alone")
			continue
		}
		if info.Size == 0 && i == len(infos)-1 {
			if err := x.fs.Remove(name); err != nil {
				return nil, false, err
			}
			continue
		}
		names = append(names, name)
		if info.Size != x.g.size() {
			repaired(name, fmt.Sprintf("the file has %d bytes, but maxHashSlotNum=%d and maxIndexNum=%d make %d; the index is made again", info.Size, x.g.slots, x.g.entries, x.g.size()))
			again = true
		}
	}
	if again {
		return names, true, nil
	}
	for _, name := range names {
		f, err := openIndexFile(x.fs, name, x.g)
		if err != nil {
			return nil, false, err
		}
		x.files = append(x.files, f)
	}
	if name := x.lost(list, logMin); name != "" {
		repaired(name, "the file is missing or has lost entries; the index is made again")
		return names, true, x.close()
	}
	return nil, len(x.files) == 0 && list == nil, nil
}

// lost names an index file that has less than the list says.
func (x *keyIndex) lost(list *queueList, logMin int64) string {
	if list == nil {
		return ""
	}
	for _, l := range list.index {
		name := path.Join(x.dir, l.name)
		i := slices.IndexFunc(x.files, func(f *indexFile) bool { return f.name == name })
		if i < 0 && l.endPhy >= logMin || i >= 0 && x.files[i].h.endPhy < l.endPhy {
			return name
		}
	}
	return ""
}

// listed is what the queue list says of the index.
func (x *keyIndex) listed() []listedIndex {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var l []listedIndex
	for _, f := range x.files {
		l = append(l, listedIndex{path.Base(f.name), f.h.endPhy})
	}
	return l
}

// settle is for files whose process was killed, with all that it wrote still
// there: the newest is made anew from its entries only if the kill came between
// slots and header.
func (x *keyIndex) settle() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := len(x.files)
	if n == 0 {
		return nil
	}
	f := x.files[n-1]
	f.dirt = true
	switch {
	case f.h.count <= 1 && n > 1:
		// It was begun in the middle of a record: that one is entered again.
		if err := x.remove(n - 1); err != nil {
			return err
		}
		f = x.files[n-2]
		return f.rebuild(f.h.endPhy, false)
	case f.h.count <= 1:
		return f.rebuild(0, false)
	case f.settled():
		return nil
	}
	return f.rebuild(f.h.endPhy+1, false)
}

// repair takes out what was entered from records at and after limit. After a
// crash, when what the headers say is not known to be true, it also makes the
// newest files anew from their entries.
func (x *keyIndex) repair(limit int64, crashed bool) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := len(x.files) - 1; i >= 0; i-- {
		f := x.files[i]
		if f.h.endPhy < limit && (f.full() || !crashed) {
			break // complete, and durable since it was left
		}
		if err := f.rebuild(limit, true); err != nil {
			return err
		}
		if f.h.count > 1 {
			continue
		}
		if err := x.remove(i); err != nil {
			return err
		}
	}
	return nil
}

func (x *keyIndex) remove(i int) error {
	f := x.files[i]
	x.files = append(x.files[:i], x.files[i+1:]...)
	return errors.Join(f.close(), x.fs.Remove(f.name), x.fs.SyncDir(x.dir))
}

// clear removes all files.
func (x *keyIndex) clear() error {
	for len(x.files) > 0 {
		if err := x.remove(len(x.files) - 1); err != nil {
			return err
		}
	}
	return nil
}

// last is the newest file's header, zero when there is none.
func (x *keyIndex) last() indexHeader {
	if n := len(x.files); n > 0 {
		return x.files[n-1].h
	}
	return indexHeader{count: 1}
}

// begin and end surround the additions of one dispatch.
func (x *keyIndex) begin() { x.mu.Lock() }

func (x *keyIndex) end() error {
	defer x.mu.Unlock()
	if n := len(x.files); n > 0 {
		return x.files[n-1].writeRun()
	}
	return nil
}

// add enters the keys of one record.
func (x *keyIndex) add(v *message.View) error {
	uniqKey, keys, tags := message.IndexedProperties(unsafeString(v.Properties))
	x.hashes = keyHashes(x.hashes[:0], unsafeString(v.Topic), v.SysFlag, uniqKey, keys, tags)
	return x.enter(v.PhyOffset, v.StoreTimestampMs, x.hashes)
}

// unsafeString looks at bytes of a pinned segment as a string; it may not
// outlive the pin.
func unsafeString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// enter enters a record under its keys' hashes. Records that are known already
// are passed over, so dispatching a range twice does no harm; of one that an
// error cut short, the keys that it lacks are entered.
func (x *keyIndex) enter(phyOffset, storeMs int64, hashes []int32) error {
	h := x.last()
	known := h.count > 1 || h.endPhy > 0
	resumed := x.part.keys > 0 && phyOffset == x.part.phyOffset
	if known && phyOffset <= h.endPhy && !resumed {
		return nil
	}
	if !resumed {
		x.part.keys = 0
	}
	for i := x.part.keys; i < len(hashes); i++ {
		n := len(x.files)
		if n == 0 || x.files[n-1].full() {
			if err := x.grow(); err != nil {
				return err
			}
			n = len(x.files)
		}
		if err := x.files[n-1].add(hashes[i], phyOffset, storeMs); err != nil {
			return err
		}
		x.part.phyOffset, x.part.keys = phyOffset, i+1
	}
	x.part.keys = 0
	return nil
}

// keyHash is Java's hash of a key with its topic: the absolute value, 0 for the
// one that has none.
func keyHash(key string) int32 { return indexHash(compat.HashString(key)) }

func indexHash(h int32) int32 {
	if h == math.MinInt32 {
		return 0
	}
	if h < 0 {
		return -h
	}
	return h
}

// grow completes the newest file and starts the next.
func (x *keyIndex) grow() error {
	if n := len(x.files); n > 0 {
		f := x.files[n-1]
		if err := f.writeRun(); err != nil {
			return err
		}
		if err := f.sync(); err != nil {
			return err
		}
		x.fullMs = f.h.endMs
	}
	name, err := x.nextName()
	if err != nil {
		return err
	}
	f, err := createIndexFile(x.fs, name, x.g, x.last())
	if err != nil {
		return err
	}
	if err := x.fs.SyncDir(x.dir); err != nil {
		return errors.Join(err, f.close())
	}
	x.files = append(x.files, f)
	return nil
}

// nextName is the local time, or what follows the newest file's name when the
// clock has gone back: names give the order.
func (x *keyIndex) nextName() (string, error) {
	stamp := strings.Replace(x.now().Format(indexStamp), ".", "", 1)
	if n := len(x.files); n > 0 {
		if newest := path.Base(x.files[n-1].name); stamp <= newest {
			number, err := strconv.ParseInt(newest, 10, 64)
			if err != nil {
				return "", fmt.Errorf("%s: the name is not a time", x.files[n-1].name)
			}
			stamp = fmt.Sprintf("%017d", number+1)
		}
	}
	return path.Join(x.dir, stamp), nil
}

// sync makes the newest file durable; the others are.
func (x *keyIndex) sync() error {
	x.mu.Lock()
	n := len(x.files)
	if n == 0 || !x.files[n-1].dirt {
		x.mu.Unlock()
		return nil
	}
	f := x.files[n-1]
	f.dirt = false
	x.mu.Unlock()
	if err := f.file.Sync(); !errors.Is(err, fs.ErrClosed) { // closed: a truncation removed it
		return err
	}
	return nil
}

func (x *keyIndex) close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	var errs []error
	for _, f := range x.files {
		errs = append(errs, f.close())
	}
	x.files = nil
	return errors.Join(errs...)
}

// query looks through the files, the newest first.
func (x *keyIndex) query(key string, maxNum int, beginMs, endMs int64) (found []int64, h indexHeader, err error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	h = x.last()
	hash := keyHash(key)
	for i := len(x.files) - 1; i >= 0 && len(found) < maxNum; i-- {
		f := x.files[i]
		if f.overlaps(beginMs, endMs) {
			if found, err = f.find(found, hash, maxNum, beginMs, endMs); err != nil {
				return nil, h, fmt.Errorf("%s: %w", f.name, err)
			}
		}
		if f.h.beginMs < beginMs {
			break
		}
	}
	return found, h, nil
}

// QueryIndex returns the offsets of records that were entered under a key, at
// most maxMsgsNumBatch, and how far the index is. Hashes can collide: the
// caller compares keys. Everything appended before the call is found.
func (s *Store) QueryIndex(topic, key string, maxNum int, beginMs, endMs int64) (phyOffsets []int64, lastUpdateMs, lastUpdatePhyOffset int64, err error) {
	if s.closed.Load() {
		return nil, 0, 0, ErrClosed
	}
	if s.index == nil {
		return nil, 0, 0, nil
	}
	if err := s.dispatchAll(); err != nil {
		return nil, 0, 0, err
	}
	found, h, err := s.index.query(topic+"#"+key, min(maxNum, s.config().MaxMsgsNumBatch), beginMs, endMs)
	return found, h.endMs, h.endPhy, err
}
