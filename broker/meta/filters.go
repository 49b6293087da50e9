// SPDX-License-Identifier: Apache-2.0

// Filters is consumerFilter.json: the expressions by which groups filter topics, as of their last heartbeats. An entry
// whose group has gone is dead; it comes alive with the group's next heartbeat and is forgotten after a day.
// Java: ConsumerFilterManager, ConsumerFilterData.
// Deviation: an entry of the file whose expression cannot be read is dropped, where Java drops the whole file.

package meta

import (
	"bufio"
	"maps"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"

	"rocketd/compat/fastjson"
	"rocketd/protocol"
	"rocketd/store/vfs"
)

const (
	// filterKept is how long a dead entry is kept (Java's filterDataCleanTimeSpan).
	filterKept = 24 * time.Hour
	// filterDeadAtLoad is how long ago an entry of the file is said to have died.
	filterDeadAtLoad = 30 * time.Second
)

// Matcher decides by a message's properties.
type Matcher interface {
	Matches(props []byte) bool
}

// FilterKit is what the table must know of expressions.
type FilterKit struct {
	Compile   func(expressionType, expression string) (Matcher, error)
	BloomBits int32
	Positions func(group, topic string) []int32 // of the Bloom filter
}

// FilterBloom is the place of a group's subscription in messages' bitmaps.
type FilterBloom struct {
	BitNum int32   `json:"bitNum"`
	BitPos []int32 `json:"bitPos"`
}

// Filter is one group's expression for one topic. It is immutable once it is in the table.
type Filter struct {
	Bloom          *FilterBloom `json:"bloomFilterData,omitempty"`
	BornTimeMs     int64        `json:"bornTime"`
	ClientVersion  int64        `json:"clientVersion"` // version of the subscription that it came with
	ConsumerGroup  string       `json:"consumerGroup"`
	Dead           bool         `json:"dead"`
	DeadTimeMs     int64        `json:"deadTime"`
	Expression     string       `json:"expression"`
	ExpressionType string       `json:"expressionType"`
	Topic          string       `json:"topic"`

	Matcher Matcher `json:"-"`
}

type filtersOfTopic struct {
	Groups map[string]*Filter `json:"groupFilterData"`
	Topic  string             `json:"topic"`
}

// Filters is the table.
type Filters struct {
	file    file
	commits commits
	kit     FilterKit

	mu      sync.RWMutex
	byTopic map[string]map[string]*Filter // topic -> group
	byGroup map[string]map[string]*Filter // group -> topic
}

// NewFilters returns the empty table of the given file.
func NewFilters(path string, fsys vfs.FS, clock clockwork.Clock, log zerolog.Logger, kit FilterKit) *Filters {
	f := &Filters{
		file: file{path: path, fs: fsys, clock: clock, log: log}, kit: kit,
		byTopic: map[string]map[string]*Filter{}, byGroup: map[string]map[string]*Filter{},
	}
	f.commits.init()
	return f
}

// Load reads the file. Its errors name the file.
func (t *Filters) Load() error {
	return t.file.load(func(text []byte) error {
		var content struct {
			Topics map[string]filtersOfTopic `json:"filterDataByTopic"`
		}
		if err := fastjson.Unmarshal(text, &content); err != nil {
			return err
		}
		diedMs := t.nowMs() - filterDeadAtLoad.Milliseconds()
		for topic, of := range content.Topics {
			for group, f := range of.Groups {
				if f != nil {
					t.restore(topic, group, f, diedMs)
				}
			}
		}
		return nil
	})
}

// restore enters an entry of the file, as dead: its group has yet to come.
func (t *Filters) restore(topic, group string, f *Filter, diedMs int64) {
	matcher, err := t.kit.Compile(f.ExpressionType, f.Expression)
	if err != nil {
		t.file.log.Warn().Err(err).Str("file", t.file.path).Str("topic", topic).Str("group", group).
			Msg("filter expression cannot be read and was dropped")
		return
	}
	f.Topic, f.ConsumerGroup, f.Matcher = topic, group, matcher
	f.Bloom = t.bloom(group, topic)
	if !f.Dead {
		f.DeadTimeMs = diedMs
	}
	f.Dead = true
	t.set(f)
}

func (t *Filters) nowMs() int64 { return t.file.clock.Now().UnixMilli() }

func (t *Filters) bloom(group, topic string) *FilterBloom {
	return &FilterBloom{BitNum: t.kit.BloomBits, BitPos: t.kit.Positions(group, topic)}
}

// set enters f. Under mu, or before the table is shared.
func (t *Filters) set(f *Filter) {
	if t.byTopic[f.Topic] == nil {
		t.byTopic[f.Topic] = map[string]*Filter{}
	}
	if t.byGroup[f.ConsumerGroup] == nil {
		t.byGroup[f.ConsumerGroup] = map[string]*Filter{}
	}
	t.byTopic[f.Topic][f.ConsumerGroup] = f
	t.byGroup[f.ConsumerGroup][f.Topic] = f
}

// Get returns a group's filter of a topic, dead or alive.
func (t *Filters) Get(group, topic string) (*Filter, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	f, ok := t.byGroup[group][topic]
	return f, ok
}

// OfTopic returns all filters of a topic.
func (t *Filters) OfTopic(topic string) []*Filter {
	t.mu.RLock()
	defer t.mu.RUnlock()
	all := make([]*Filter, 0, len(t.byTopic[topic]))
	for _, f := range t.byTopic[topic] {
		all = append(all, f)
	}
	return all
}

// Has says whether a group has filters at all.
func (t *Filters) Has(group string) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.byGroup[group]) > 0
}

// Register takes over a group's subscriptions: those with expressions are entered unless a later version is there
// already, and filters of topics that are not among them die. An expression that cannot be read takes the one before it
// away: the group is told so with its next pull, and gets nothing by what it does not ask for any more.
func (t *Filters) Register(group string, subs []protocol.SubscriptionData, isTag func(expressionType string) bool) {
	topics := make(map[string]bool, len(subs))
	for i := range subs {
		topics[subs[i].Topic] = true
		if sub := &subs[i]; !isTag(sub.ExpressionType) && sub.SubString != "" {
			t.register(group, sub)
		}
	}
	t.kill(group, func(topic string) bool { return !topics[topic] })
}

// Unregister lets a group's filters die.
func (t *Filters) Unregister(group string) {
	t.kill(group, func(string) bool { return true })
}

func (t *Filters) register(group string, sub *protocol.SubscriptionData) {
	old, known := t.Get(group, sub.Topic)
	if known && (sub.SubVersion < old.ClientVersion || sub.SubVersion == old.ClientVersion && !old.Dead) {
		return
	}
	fresh := &Filter{
		Bloom: t.bloom(group, sub.Topic), ClientVersion: sub.SubVersion, ConsumerGroup: group,
		Expression: sub.SubString, ExpressionType: sub.ExpressionType, Topic: sub.Topic,
	}
	if known && (sub.SubVersion == old.ClientVersion || old.Expression == sub.SubString && old.ExpressionType == sub.ExpressionType) {
		fresh.Matcher, fresh.BornTimeMs, fresh.Expression, fresh.ExpressionType = old.Matcher, old.BornTimeMs, old.Expression, old.ExpressionType
	} else {
		matcher, err := t.kit.Compile(sub.ExpressionType, sub.SubString)
		if err != nil {
			t.file.log.Warn().Err(err).Str("topic", sub.Topic).Str("group", group).Msg("filter expression cannot be read")
			t.drop(group, sub)
			return
		}
		fresh.Matcher = matcher
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if now, ok := t.byGroup[group][sub.Topic]; ok && now.ClientVersion > fresh.ClientVersion {
		return // a later heartbeat was faster
	}
	if fresh.BornTimeMs == 0 {
		fresh.BornTimeMs = t.nowMs() // not before the lock: what is stored later has its bit in the bitmap
	}
	t.set(fresh)
	t.commits.mark()
}

// drop takes away the filter that a subscription takes the place of.
func (t *Filters) drop(group string, sub *protocol.SubscriptionData) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f, ok := t.byGroup[group][sub.Topic]; ok && f.ClientVersion <= sub.SubVersion {
		t.remove(f)
	}
}

// remove forgets f. Under mu.
func (t *Filters) remove(f *Filter) {
	if delete(t.byGroup[f.ConsumerGroup], f.Topic); len(t.byGroup[f.ConsumerGroup]) == 0 {
		delete(t.byGroup, f.ConsumerGroup)
	}
	if delete(t.byTopic[f.Topic], f.ConsumerGroup); len(t.byTopic[f.Topic]) == 0 {
		delete(t.byTopic, f.Topic)
	}
	t.commits.mark()
}

// kill marks a group's filters as dead whose topics which names.
func (t *Filters) kill(group string, which func(topic string) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for topic, f := range t.byGroup[group] {
		if which(topic) && !f.Dead {
			dead := *f
			dead.Dead, dead.DeadTimeMs = true, t.nowMs()
			t.set(&dead)
			t.commits.mark()
		}
	}
}

// Dirty reports whether there are changes that are not on disk, or entries that have been dead for too long.
func (t *Filters) Dirty() bool { return t.commits.dirty() }

// Save forgets what has been dead for long, and writes the table if it is dirty.
func (t *Filters) Save() error {
	t.forget()
	return t.commits.await(t.commits.newest(), t.write)
}

func (t *Filters) forget() {
	before := t.nowMs() - filterKept.Milliseconds()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, topics := range t.byGroup {
		for _, f := range topics {
			if f.Dead && f.DeadTimeMs <= before {
				t.remove(f)
			}
		}
	}
}

func (t *Filters) write() (upTo uint64, err error) {
	t.mu.RLock()
	upTo = t.commits.newest()
	content := map[string]map[string]filtersOfTopic{"filterDataByTopic": {}}
	for topic, groups := range t.byTopic {
		content["filterDataByTopic"][topic] = filtersOfTopic{Groups: maps.Clone(groups), Topic: topic}
	}
	t.mu.RUnlock()
	err = t.file.save(func(w *bufio.Writer) error {
		text, err := fastjson.MarshalPretty(content)
		if err != nil {
			return err
		}
		_, err = w.Write(text)
		return err
	})
	return upTo, err
}
