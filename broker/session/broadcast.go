// SPDX-License-Identifier: Apache-2.0

// How far each client of a broadcasting group has pulled. Such clients keep their own offsets, each for all queues; what
// is kept here lets a client that pulls through a Proxy now and directly later, or the other way, go on where it was.
// Java: BroadcastOffsetManager, BroadcastOffsetStore.

package session

import (
	"sync"
	"time"

	"github.com/jonboulle/clockwork"
)

// maxBroadcasters bounds the clients, whose ids a Proxy's pulls name freely. Further ones are not kept.
const maxBroadcasters = 100_000

// Broadcaster is a client of a broadcasting group, as a pull of one topic shows it.
type Broadcaster struct {
	Topic, Group, ClientID string
	Proxied                bool // the pull came through a Proxy
}

// BroadcastOffset is the offset that all clients of a group have reached in a queue.
type BroadcastOffset struct {
	Topic, Group string
	QueueID      int32
	Offset       int64
}

// Broadcasts is the table.
type Broadcasts struct {
	clock     clockwork.Clock
	consumers *Consumers

	mu      sync.Mutex
	topics  map[groupTopic]map[string]*broadcast // by client id
	clients int
}

type groupTopic struct{ group, topic string }

type broadcast struct {
	seen    time.Time
	proxied bool
	pulled  map[int32]int64 // by queue: the offset that was asked for, which is that of what has been consumed
}

// NewBroadcasts returns an empty table for the members of consumers.
func NewBroadcasts(consumers *Consumers, clock clockwork.Clock) *Broadcasts {
	return &Broadcasts{clock: clock, consumers: consumers, topics: map[groupTopic]map[string]*broadcast{}}
}

// Pulled notes the offset that a client has reached in a queue. It never goes back.
func (t *Broadcasts) Pulled(by Broadcaster, queueID int32, offset int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.enter(by)
	if b == nil {
		return
	}
	b.seen, b.proxied = t.clock.Now(), by.Proxied
	if before, ok := b.pulled[queueID]; !ok || offset > before {
		b.pulled[queueID] = offset
	}
}

// enter returns the client's entry; nil where there is no room for it. Under mu.
func (t *Broadcasts) enter(by Broadcaster) *broadcast {
	key := groupTopic{by.Group, by.Topic}
	if b := t.topics[key][by.ClientID]; b != nil {
		return b
	}
	if by.ClientID == "" || t.clients >= maxBroadcasters {
		return nil
	}
	if t.topics[key] == nil {
		t.topics[key] = map[string]*broadcast{}
	}
	b := &broadcast{seen: t.clock.Now(), proxied: by.Proxied, pulled: map[int32]int64{}}
	t.topics[key][by.ClientID] = b
	t.clients++
	return b
}

// Moved says whether a client's pull of a queue is to be told where to begin: it came another way than the one before,
// or it came through a Proxy and asks for a negative offset. The offset is the one that the client has reached, negative
// where that is not known.
func (t *Broadcasts) Moved(by Broadcaster, queueID int32, asked int64) (offset int64, moved bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.topics[groupTopic{by.Group, by.Topic}] == nil {
		return -1, by.Proxied && asked < 0 // the group's first pull: there is nothing that a client could come from
	}
	b := t.enter(by)
	if b == nil {
		return -1, by.Proxied && asked < 0
	}
	if moved = b.proxied && asked < 0 || b.proxied != by.Proxied; !moved {
		return -1, false
	}
	if offset, ok := b.pulled[queueID]; ok {
		return offset, true
	}
	return -1, true
}

// Reached returns the lowest offset of each queue that any client of its group is at. Clients that have gone count until
// goneFor is over. They are forgotten then, as are those that are there and have not pulled for silentFor.
func (t *Broadcasts) Reached(goneFor, silentFor time.Duration) []BroadcastOffset {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock.Now()
	var reached []BroadcastOffset
	for key, clients := range t.topics {
		online := t.consumers.online(key.group)
		lowest := map[int32]int64{}
		for id, b := range clients {
			silent := now.Sub(b.seen)
			if online[id] || silent < goneFor {
				b.lower(lowest)
			}
			if online[id] && silent >= silentFor || !online[id] && silent >= goneFor {
				delete(clients, id)
				t.clients--
			}
		}
		if len(clients) == 0 {
			delete(t.topics, key)
		}
		for queueID, offset := range lowest {
			reached = append(reached, BroadcastOffset{Topic: key.topic, Group: key.group, QueueID: queueID, Offset: offset})
		}
	}
	return reached
}

func (b *broadcast) lower(lowest map[int32]int64) {
	for queueID, offset := range b.pulled {
		if least, ok := lowest[queueID]; !ok || offset < least {
			lowest[queueID] = offset
		}
	}
}

// online are the client ids of a group's members.
func (t *Consumers) online(group string) map[string]bool {
	ids := map[string]bool{}
	if g, ok := t.Group(group); ok {
		for _, id := range g.ClientIDs() {
			ids[id] = true
		}
	}
	return ids
}
