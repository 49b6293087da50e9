// SPDX-License-Identifier: Apache-2.0

// counter.go: what passed for one topic, one group of a topic, or all of a broker, with snapshots of the last minute,
// hour and day. Java: StatsItem, StatsItemSet, CallSnapshot.

package stats

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Span is a past that a counter remembers.
type Span int

const (
	Minute Span = iota
	Hour
	Day
)

// spans are how often a snapshot is taken for a span, and how many are kept.
var spans = [...]struct {
	every time.Duration
	kept  int
}{Minute: {10 * time.Second, 7}, Hour: {10 * time.Minute, 7}, Day: {time.Hour, 25}}

type snapshot struct{ atMs, messages, bytes, calls int64 }

// counter counts. Its use is one atomic addition for each figure.
type counter struct {
	messages, bytes, calls atomic.Int64

	system bool // of a topic that belongs to the broker

	mu        sync.Mutex
	snapshots [len(spans)][]snapshot
}

func (c *counter) add(messages, bytes, calls int64) {
	c.messages.Add(messages)
	c.bytes.Add(bytes)
	c.calls.Add(calls)
}

// sampleAt takes a snapshot, once there is something. Before the first one all
// was zero, as long ago as the time to the next.
func (c *counter) sampleAt(span Span, nowMs int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.snapshots[span]
	if len(list) == 0 {
		if c.messages.Load() == 0 {
			return
		}
		list = append(list, snapshot{atMs: nowMs - spans[span].every.Milliseconds()})
	}
	list = append(list, snapshot{nowMs, c.messages.Load(), c.bytes.Load(), c.calls.Load()})
	if len(list) > spans[span].kept {
		list = append(list[:0], list[1:]...)
	}
	c.snapshots[span] = list
}

// Figures are what was counted between the first and the last snapshot of a span.
type Figures struct {
	Sum                int64
	PerSecond, PerCall float64
}

func (c *counter) figures(span Span, bytes bool) (f Figures) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.snapshots[span]
	if len(list) == 0 {
		return f
	}
	first, last := list[0], list[len(list)-1]
	f.Sum = last.messages - first.messages
	if bytes {
		f.Sum = last.bytes - first.bytes
	}
	if elapsedMs := last.atMs - first.atMs; elapsedMs > 0 {
		f.PerSecond = float64(f.Sum) * 1000 / float64(elapsedMs)
	}
	if calls := last.calls - first.calls; calls > 0 {
		f.PerCall = float64(f.Sum) / float64(calls)
	}
	return f
}

// item names a counter of one topic and, for what is consumed, one group.
type item struct{ topic, group string }

// counters are made as they are needed. (Not a sync.Map: its keys are boxed,
// one allocation for every message.)
type counters struct {
	system func(topic string) bool

	mu sync.RWMutex
	m  map[item]*counter
}

func (t *counters) find(key item) *counter {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.m[key]
}

func (t *counters) of(key item) *counter {
	if c := t.find(key); c != nil {
		return c
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.m[key]
	if c == nil {
		c = &counter{system: t.system(key.topic)}
		t.m[key] = c
	}
	return c
}

func (t *counters) rate(key item) float64 {
	c := t.find(key)
	if c == nil {
		return 0
	}
	return c.figures(Minute, false).PerSecond
}

func (t *counters) forget(topic string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.m, func(key item, _ *counter) bool { return key.topic == topic })
}

func (t *counters) sampleAt(span Span, nowMs int64) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, c := range t.m {
		c.sampleAt(span, nowMs)
	}
}

// View is a counter under the name that tools ask for it by.
type View struct {
	counter *counter
	bytes   bool
}

// Of returns the figures of a span.
func (v View) Of(span Span) Figures { return v.counter.figures(span, v.bytes) }

// View finds what tools know by a name and a key: a topic, TOPIC@GROUP, or,
// for the broker's own totals, any. What was never counted is not there.
func (s *Stats) View(name, key string) (View, bool) {
	topic, group, _ := strings.Cut(key, "@")
	v := View{bytes: strings.HasSuffix(name, "_SIZE")}
	switch name {
	case "TOPIC_PUT_NUMS", "TOPIC_PUT_SIZE":
		v.counter = s.puts.find(item{topic: key})
	case "GROUP_GET_NUMS", "GROUP_GET_SIZE":
		v.counter = s.gets.find(item{topic, group})
	case "SNDBCK_PUT_NUMS":
		v.counter = s.backs.find(item{topic, group})
	case "BROKER_PUT_NUMS":
		v.counter = &s.brokerPuts
	case "BROKER_GET_NUMS":
		v.counter = &s.brokerGets
	case "BROKER_PUT_NUMS_WITHOUT_SYSTEM_TOPIC":
		v.counter = &s.userPuts
	case "BROKER_GET_NUMS_WITHOUT_SYSTEM_TOPIC":
		v.counter = &s.userGets
	}
	return v, v.counter != nil && v.counter.messages.Load() > 0
}
