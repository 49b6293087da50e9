// SPDX-License-Identifier: Apache-2.0

// Package longpoll holds requests that wait for a message to arrive in a queue.
// A parked request holds no goroutine: an arrival or its deadline runs its wake
// function, once. Java: PullRequestHoldService, NotifyMessageArrivingListener.
package longpoll

import (
	"container/heap"
	"context"
	"hash/maphash"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jonboulle/clockwork"

	"rocketd/store"
)

// recheckAfter is when a request is woken that an arrival passed over because
// of its filter: its next answer moves the consumer's offset past what did not
// match. Java looks at every request that often.
const recheckAfter = 5 * time.Second

const shardCount = 16

// Key names the queue that a request waits for.
type Key struct {
	Topic   string
	QueueID int32
}

// Parking is one request that waits.
type Parking struct {
	Key      Key
	Offset   int64 // wake once a message with this queue offset or a later one is there
	Deadline time.Time
	Peer     uint64                     // whose request it is, for Drop
	Match    func(a store.Arrival) bool // nil: every message. Must not block
	Wake     func()                     // runs once, on any goroutine. Must not block
}

// Table is the set of parked requests.
type Table struct {
	clock clockwork.Clock
	limit int64
	seed  maphash.Seed

	count  atomic.Int64  // parked requests; lets Arrive leave at once when there are none
	kick   chan struct{} // tells Run that the next deadline became earlier
	alarm  atomic.Int64  // when Run looks next, in nanoseconds since 1970; never while it is looking
	shards [shardCount]shard
}

type shard struct {
	mu     sync.Mutex
	closed bool
	queues map[Key]*queue // that someone waits for
	due    dueHeap
}

// queue is who waits for it, in no order.
type queue struct{ waiting []*parked }

type parked struct {
	Parking
	passedOver bool // an arrival did not match
	at         int  // place in the shard's heap, -1 when woken
	queue      *queue
	place      int // among those who wait for the queue
}

// New returns a table that holds at most limit requests.
func New(clock clockwork.Clock, limit int) *Table {
	t := &Table{clock: clock, limit: int64(limit), seed: maphash.MakeSeed(), kick: make(chan struct{}, 1)}
	for i := range t.shards {
		t.shards[i].queues = map[Key]*queue{}
	}
	return t
}

// Len is the number of parked requests.
func (t *Table) Len() int { return int(t.count.Load()) }

// Park keeps a request. It reports false, and does nothing, when the table is
// full or closed: the caller then answers at once. The caller looks at the
// queue's end once more after Park, and calls Recheck if the message is there
// already: an arrival between its reading and Park woke nobody.
func (t *Table) Park(p Parking) bool {
	if t.count.Add(1) > t.limit {
		t.count.Add(-1)
		return false
	}
	s := t.shard(p.Key)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		t.count.Add(-1)
		return false
	}
	q := s.queues[p.Key]
	if q == nil {
		q = new(queue)
		s.queues[p.Key] = q
	}
	e := &parked{Parking: p, queue: q, place: len(q.waiting)}
	q.waiting = append(q.waiting, e)
	heap.Push(&s.due, e)
	s.mu.Unlock()
	t.wakeRunBy(p.Deadline)
	return true
}

// Arrive wakes the requests that a new message is for. It runs on the
// appender's goroutine.
func (t *Table) Arrive(a store.Arrival) {
	if t.count.Load() == 0 {
		return
	}
	t.wake(Key{Topic: a.Topic, QueueID: a.QueueID}, a.QueueOffset, func(e *parked) bool {
		return e.Match == nil || e.Match(a)
	})
}

// Recheck wakes all requests for a queue that has a message at offset last.
func (t *Table) Recheck(key Key, last int64) {
	t.wake(key, last, func(*parked) bool { return true })
}

func (t *Table) wake(key Key, last int64, match func(*parked) bool) {
	s := t.shard(key)
	s.mu.Lock()
	q := s.queues[key]
	if q == nil {
		s.mu.Unlock()
		return
	}
	woken := make([]*parked, 0, len(q.waiting))
	var soon time.Time // the recheck of those that are passed over now
	for _, e := range q.waiting {
		switch {
		case last < e.Offset:
		case match(e):
			woken = append(woken, e)
		case !e.passedOver:
			e.passedOver = true
			if soon.IsZero() {
				soon = t.clock.Now().Add(recheckAfter)
			}
			if soon.Before(e.Deadline) {
				e.Deadline = soon
				heap.Fix(&s.due, e.at)
			}
		}
	}
	t.remove(s, woken)
	s.mu.Unlock()
	if !soon.IsZero() {
		t.wakeRunBy(soon)
	}
	for _, e := range woken {
		e.Wake()
	}
}

// remove takes requests out of their shard, under its lock.
func (t *Table) remove(s *shard, gone []*parked) {
	for _, e := range gone {
		heap.Remove(&s.due, e.at)
		e.queue.remove(e)
		if len(e.queue.waiting) == 0 {
			delete(s.queues, e.Key)
		}
	}
	t.count.Add(-int64(len(gone)))
}

func (q *queue) remove(e *parked) {
	end := len(q.waiting) - 1
	last := q.waiting[end]
	last.place = e.place
	q.waiting[e.place] = last
	q.waiting[end] = nil
	q.waiting = q.waiting[:end]
}

// Drop forgets the requests of a peer whose connection has closed. They are
// woken all the same, so that whatever waits for their end sees it.
func (t *Table) Drop(peer uint64) {
	if t.count.Load() == 0 {
		return
	}
	for i := range t.shards {
		t.wakeIf(&t.shards[i], func(e *parked) bool { return e.Peer == peer })
	}
}

func (t *Table) wakeIf(s *shard, pick func(*parked) bool) {
	s.mu.Lock()
	var woken []*parked
	for _, e := range s.due {
		if pick(e) {
			woken = append(woken, e)
		}
	}
	t.remove(s, woken)
	s.mu.Unlock()
	for _, e := range woken {
		e.Wake()
	}
}

// Run wakes requests at their deadlines until ctx ends; then it wakes all, and
// the table takes no more.
func (t *Table) Run(ctx context.Context) error {
	for {
		next, any := t.expire()
		var due <-chan time.Time
		var timer clockwork.Timer
		if any {
			timer = t.clock.NewTimer(next.Sub(t.clock.Now()))
			due = timer.Chan()
		}
		select {
		case <-due:
		case <-t.kick:
		case <-ctx.Done():
		}
		if timer != nil {
			timer.Stop()
		}
		if ctx.Err() != nil {
			t.close()
			return nil
		}
	}
}

// expire wakes what is due and returns the next deadline.
func (t *Table) expire() (next time.Time, any bool) {
	t.alarm.Store(math.MaxInt64) // what is parked from here on wakes Run, as it may be in a shard that was looked at
	now := t.clock.Now()
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		var woken []*parked
		for len(s.due) > 0 && !s.due[0].Deadline.After(now) {
			woken = append(woken, s.due[0])
			t.remove(s, woken[len(woken)-1:])
		}
		if len(s.due) > 0 && (!any || s.due[0].Deadline.Before(next)) {
			next, any = s.due[0].Deadline, true
		}
		s.mu.Unlock()
		for _, e := range woken {
			e.Wake()
		}
	}
	if any {
		t.alarm.Store(next.UnixNano())
	}
	return next, any
}

func (t *Table) close() {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		t.wakeIf(s, func(*parked) bool { return true })
	}
}

// wakeRunBy has Run look at a deadline in time. Most are later than the one that it waits for.
func (t *Table) wakeRunBy(deadline time.Time) {
	if deadline.UnixNano() >= t.alarm.Load() {
		return
	}
	select {
	case t.kick <- struct{}{}:
	default:
	}
}

func (t *Table) shard(k Key) *shard {
	h := maphash.String(t.seed, k.Topic) + uint64(k.QueueID)
	return &t.shards[h%shardCount]
}

// dueHeap is ordered by deadline, earliest first.
type dueHeap []*parked

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].Deadline.Before(h[j].Deadline) }
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

func (h *dueHeap) Push(x any) {
	e := x.(*parked)
	e.at = len(*h)
	*h = append(*h, e)
}

func (h *dueHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	e.at = -1
	return e
}
