// SPDX-License-Identifier: Apache-2.0

// The keys of a record on their way into the index. An append hands them to the
// dispatcher, which would otherwise have to read and take apart every record
// again, long after it left the processor's caches.

package store

import (
	"strings"

	"rocketd/compat"
	"rocketd/protocol/message"
)

// maxFreshKeys bounds what waits for the dispatcher. Of what is beyond, the
// dispatcher reads the records.
const maxFreshKeys = 1 << 20

// maxSpareKeys is how many an empty list keeps room for.
const maxSpareKeys = 1 << 14

// keyHashes appends the hashes of what a record is entered under: UNIQ_KEY, each
// word of KEYS, and the tag.
func keyHashes(dst []int32, topic string, sysFlag int32, uniqKey, keys, tags string) []int32 {
	if message.TranType(sysFlag) == message.TranRollback {
		return dst
	}
	prefix := compat.HashMore(compat.HashString(topic), "#")
	if uniqKey != "" {
		dst = append(dst, indexHash(compat.HashMore(prefix, uniqKey)))
	}
	for keys != "" {
		var one string
		one, keys, _ = strings.Cut(keys, message.KeySeparator)
		if one != "" {
			dst = append(dst, indexHash(compat.HashMore(prefix, one)))
		}
	}
	if tags != "" {
		dst = append(dst, indexHash(compat.HashMore(compat.HashMore(prefix, TagKeyPrefix), tags)))
	}
	return dst
}

// freshKeys are the keys of the records from one place of the log to another.
type freshKeys struct {
	from, to int64
	recs     []freshRecord
	hashes   []int32 // those of all records, one after the other
}

type freshRecord struct {
	phyOffset, storeMs int64
	keys               int32
}

// add continues the list with a unit that lies after the log's former end. What
// came into the log on another way makes a gap, after which the list begins anew.
func (k *freshKeys) add(formerEnd, end int64, a *appending) {
	if formerEnd != k.to || len(k.hashes)+len(a.hashes) > maxFreshKeys {
		k.reset(formerEnd)
	}
	k.to = end
	k.hashes = append(k.hashes, a.hashes...)
	for i := range a.recs {
		if r := &a.recs[i]; r.keys > 0 {
			k.recs = append(k.recs, freshRecord{r.receipt.PhyOffset, r.receipt.StoreTimestampMs, r.keys})
		}
	}
}

// reset empties the list; it begins at a place of the log.
func (k *freshKeys) reset(at int64) {
	if cap(k.hashes) > maxSpareKeys {
		k.recs, k.hashes = nil, nil
	}
	*k = freshKeys{from: at, to: at, recs: k.recs[:0], hashes: k.hashes[:0]}
}

// cover says whether the list has all keys of a range that no list covered yet.
func (k *freshKeys) cover(from, to int64) bool { return k.from <= from && k.to == to }

// takeFresh moves the list of keys to the dispatcher; the appenders go on with
// the one that it took before. Under the dispatch lock and the append lock.
func (s *Store) takeFresh(end int64) {
	s.dispatch.keys, s.fresh = s.fresh, s.dispatch.keys
	s.fresh.reset(end)
}

// enterFresh enters the keys that were taken.
func (x *keyIndex) enterFresh(k *freshKeys) error {
	hashes := k.hashes
	for _, r := range k.recs {
		if err := x.enter(r.phyOffset, r.storeMs, hashes[:r.keys]); err != nil {
			return err
		}
		hashes = hashes[r.keys:]
	}
	return nil
}
