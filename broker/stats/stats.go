// SPDX-License-Identifier: Apache-2.0

// Package stats counts what passes through a broker and says how fast.
// Counting is one atomic addition; a goroutine samples the counters.
// Java: StoreStatsService, BrokerStatsManager.
package stats

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jonboulle/clockwork"
)

const (
	totalEvery = time.Second // samples of the broker's totals
	totalSpan  = 600         // samples kept: 10 min
)

// Meter is a counter with the samples of its recent past.
type Meter struct {
	total atomic.Int64

	mu      sync.Mutex
	samples []sample // a ring
	next    int
	filled  bool
}

type sample struct{ atMs, total int64 }

// newMeter returns a meter that remembers span samples besides the newest.
func newMeter(span int) *Meter { return &Meter{samples: make([]sample, span+1)} }

// Add counts n.
func (m *Meter) Add(n int64) { m.total.Add(n) }

// Total is everything counted so far.
func (m *Meter) Total() int64 { return m.total.Load() }

func (m *Meter) sampleAt(nowMs int64) {
	m.mu.Lock()
	m.samples[m.next] = sample{atMs: nowMs, total: m.total.Load()}
	if m.next++; m.next == len(m.samples) {
		m.next, m.filled = 0, true
	}
	m.mu.Unlock()
}

// Rate is the number counted per second over the last back samples, or as many
// as there are.
func (m *Meter) Rate(back int) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	have := m.next
	if m.filled {
		have = len(m.samples)
	}
	back = min(back, have-1)
	if back < 1 {
		return 0
	}
	n := len(m.samples)
	newest, oldest := m.samples[(m.next-1+n)%n], m.samples[(m.next-1-back+2*n)%n]
	if newest.atMs <= oldest.atMs {
		return 0
	}
	return float64(newest.total-oldest.total) * 1000 / float64(newest.atMs-oldest.atMs)
}

// Stats are a broker's counters.
type Stats struct {
	clock clockwork.Clock

	PutMessages, PutBytes, PutFailed *Meter
	GetFound, GetMiss                *Meter // pulls, by whether they found anything
	GetMessages, GetBytes            *Meter
	TimerEntered, TimerFired         *Meter // messages for a time of their own

	puts  counters // by topic
	gets  counters
	backs counters

	brokerPuts, brokerGets counter
	userPuts, userGets     counter // of topics that are not the broker's own

	mu        sync.Mutex
	day       int64 // number of the local day that the morning totals belong to
	yesterday [2]int64
	today     [2]int64 // totals of puts and gets at the last midnight
}

// New returns counters at zero. A system topic belongs to the broker.
func New(clock clockwork.Clock, system func(topic string) bool) *Stats {
	s := &Stats{clock: clock, day: localDay(clock.Now())}
	for _, m := range []**Meter{&s.PutMessages, &s.PutBytes, &s.PutFailed, &s.GetFound, &s.GetMiss, &s.GetMessages, &s.GetBytes, &s.TimerEntered, &s.TimerFired} {
		*m = newMeter(totalSpan)
		(*m).sampleAt(clock.Now().UnixMilli())
	}
	for _, t := range []*counters{&s.puts, &s.gets, &s.backs} {
		t.system, t.m = system, map[item]*counter{}
	}
	return s
}

func (s *Stats) totals() []*Meter {
	return []*Meter{s.PutMessages, s.PutBytes, s.PutFailed, s.GetFound, s.GetMiss, s.GetMessages, s.GetBytes, s.TimerEntered, s.TimerFired}
}

// Put counts messages stored for a topic.
func (s *Stats) Put(topic string, messages, bytes int64) {
	s.PutMessages.Add(messages)
	s.PutBytes.Add(bytes)
	c := s.puts.of(item{topic: topic})
	c.add(messages, bytes, 1)
	s.brokerPuts.add(messages, 0, 0)
	if !c.system {
		s.userPuts.add(messages, 0, 0)
	}
}

// Get counts messages handed to a group.
func (s *Stats) Get(topic, group string, messages, bytes int64) {
	s.GetFound.Add(1)
	s.GetMessages.Add(messages)
	s.GetBytes.Add(bytes)
	c := s.gets.of(item{topic: topic, group: group})
	c.add(messages, bytes, 1)
	s.brokerGets.add(messages, 0, 0)
	if !c.system {
		s.userGets.add(messages, 0, 0)
	}
}

// UserTotals are the messages put and got of topics that are not the broker's own.
func (s *Stats) UserTotals() (puts, gets int64) {
	return s.userPuts.messages.Load(), s.userGets.messages.Load()
}

// Miss counts a pull that found nothing.
func (s *Stats) Miss() { s.GetMiss.Add(1) }

// SentBack counts a message that a group could not consume.
func (s *Stats) SentBack(topic, group string) {
	s.backs.of(item{topic: topic, group: group}).add(1, 0, 1)
}

// PutRate is messages per second stored for a topic over the last minute.
func (s *Stats) PutRate(topic string) float64 { return s.puts.rate(item{topic: topic}) }

// GetRate is messages per second handed to a group over the last minute.
func (s *Stats) GetRate(topic, group string) float64 {
	return s.gets.rate(item{topic: topic, group: group})
}

// Forget drops the counters of a deleted topic.
func (s *Stats) Forget(topic string) {
	s.puts.forget(topic)
	s.gets.forget(topic)
	s.backs.forget(topic)
}

// Mornings are the UserTotals at the last two midnights.
func (s *Stats) Mornings() (putYesterday, putToday, getYesterday, getToday int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.yesterday[0], s.today[0], s.yesterday[1], s.today[1]
}

// Run samples until ctx ends.
func (s *Stats) Run(ctx context.Context) error {
	ticker := s.clock.NewTicker(totalEvery)
	defer ticker.Stop()
	var sampled [len(spans)]time.Time
	for span := range sampled {
		sampled[span] = s.clock.Now()
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.Chan():
		}
		now := s.clock.Now()
		for _, m := range s.totals() {
			m.sampleAt(now.UnixMilli())
		}
		for span := range sampled {
			if now.Sub(sampled[span]) >= spans[span].every {
				sampled[span] = now
				s.sampleAt(Span(span), now.UnixMilli())
			}
		}
		s.turnDay(now)
	}
}

func (s *Stats) sampleAt(span Span, nowMs int64) {
	for _, t := range []*counters{&s.puts, &s.gets, &s.backs} {
		t.sampleAt(span, nowMs)
	}
	for _, c := range []*counter{&s.brokerPuts, &s.brokerGets, &s.userPuts, &s.userGets} {
		c.sampleAt(span, nowMs)
	}
}

func (s *Stats) turnDay(now time.Time) {
	day := localDay(now)
	s.mu.Lock()
	defer s.mu.Unlock()
	if day == s.day {
		return
	}
	s.day, s.yesterday = day, s.today
	s.today[0], s.today[1] = s.UserTotals()
}

func localDay(t time.Time) int64 {
	_, offset := t.Zone()
	return (t.Unix() + int64(offset)) / (24 * 60 * 60)
}
