// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rocketd/compat/fastjson"
	"rocketd/protocol"
	"rocketd/remoting"
	"rocketd/store/vfs"
)

const (
	brokerLease    = 60 * time.Second
	balanceQueues  = 5
	balanceMembers = 4
)

// Consumers join, leave, die, fall silent and fall behind while messages come. What must hold:
// every message is delivered; none is delivered twice while the members stay the same; a queue that changes hands begins
// where its offset stands, so that no more repeats than what was fetched and not committed; the deliveries of an orderly
// group are in the order of the queue, by one member at a time; an offset goes back by a reset only, or, in a group
// without order, while a queue has two owners as one of them has not heard of the other yet.
func TestGroupsShareTheirQueues(t *testing.T) {
	for _, orderly := range []bool{false, true} {
		t.Run(fmt.Sprintf("orderly=%v", orderly), func(t *testing.T) {
			clock := clockwork.NewFakeClockAt(time.UnixMilli(1_700_000_000_000))
			b := newBroker(t, vfs.NewMem(), clock, nil)
			runs := 0
			rapid.Check(t, func(rt *rapid.T) {
				runs++
				g := newBalance(rt, b, clock, fmt.Sprintf("run%d", runs), orderly)
				defer g.close()
				rt.Repeat(g.actions())
				g.finish()
			})
		})
	}
}

// balance is the group as it must be.
type balance struct {
	rt           *rapid.T
	b            *liveBroker
	clock        *clockwork.FakeClock
	topic, group string
	queues       int32
	orderly      bool
	producer     *remoting.Client

	members    []*member
	joined     int
	sent       []int64         // by queue, as all that follow
	committed  []int64         // the group's offset
	committers []int           // whose session it is from; 0: a reset
	resets     []bool          // a reset that the group has not been told of
	sessions   []int           // how often the queue was taken
	seen       []map[int64]int // how often each message was delivered
	leases     map[int32]heldLease
	calm       bool             // all members know of each other
	recent     []map[int64]bool // what was delivered since
}

type heldLease struct {
	owner string
	since time.Time
}

func newBalance(rt *rapid.T, b *liveBroker, clock *clockwork.FakeClock, name string, orderly bool) *balance {
	g := &balance{
		rt: rt, b: b, clock: clock, topic: "T" + name, group: "G" + name, queues: balanceQueues, orderly: orderly,
		sent: make([]int64, balanceQueues), committed: make([]int64, balanceQueues), committers: make([]int, balanceQueues), resets: make([]bool, balanceQueues),
		sessions: make([]int, balanceQueues), leases: map[int32]heldLease{},
	}
	for range balanceQueues {
		g.seen, g.recent = append(g.seen, map[int64]int{}), append(g.recent, map[int64]bool{})
	}
	g.producer = g.newClient(nil)
	require.NoError(rt, b.topics.Put(protocol.NewTopicConfig(g.topic, g.queues, g.queues, protocol.PermRead|protocol.PermWrite)))
	return g
}

func (g *balance) close() {
	for _, m := range g.members {
		_ = m.client.Close()
	}
	_ = g.producer.Close()
}

func (g *balance) newClient(mux *remoting.Mux) *remoting.Client {
	return remoting.NewClient(remoting.DefaultClientConfig(), mux, zerolog.Nop(), g.b.network.Dial)
}

func (g *balance) askBy(client *remoting.Client, req *protocol.Command) *protocol.Command {
	answer, err := client.Call(context.Background(), "0.0.0.0:10911", req)
	require.NoError(g.rt, err)
	return answer
}

func (g *balance) json(body any) []byte {
	text, err := fastjson.Marshal(body)
	require.NoError(g.rt, err)
	return text
}

// eventually is testkit's for a property, whose failures rapid must see.
func (g *balance) eventually(what string, cond func() bool) {
	for deadline := time.Now().Add(20 * time.Second); !cond(); time.Sleep(20 * time.Microsecond) {
		if time.Now().After(deadline) {
			g.rt.Fatalf("waited in vain: %s", what)
		}
	}
}

func (g *balance) ids() (ids []string) {
	for _, m := range g.members {
		ids = append(ids, m.id)
	}
	slices.Sort(ids)
	return ids
}

func (g *balance) messageQueues(queues []int32) (mqs []protocol.MessageQueue) {
	for _, queue := range queues {
		mqs = append(mqs, g.b.messageQueue(g.topic, queue))
	}
	return mqs
}

// heldBy is who holds a queue's lock.
func (g *balance) heldBy(queue int32) string {
	if l, ok := g.leases[queue]; ok && g.clock.Now().Sub(l.since) <= brokerLease {
		return l.owner
	}
	return ""
}

func bodyOf(queue int32, offset int64) string {
	return fmt.Sprintf("message %d of queue %d", offset, queue)
}

// queryOffset is where the group is, as the Broker says.
func (g *balance) queryOffset(client *remoting.Client, queue int32) int64 {
	answer := g.askBy(client, protocol.NewRequest(protocol.QueryConsumerOffset,
		&protocol.QueryConsumerOffsetHeader{ConsumerGroup: g.group, Topic: g.topic, QueueID: queue}))
	if answer.Code == protocol.QueryNotFound {
		return 0 // the group begins with the first message
	}
	require.Equal(g.rt, protocol.Success, answer.Code, answer.Remark)
	var result protocol.QueryConsumerOffsetResult
	require.NoError(g.rt, protocol.CodecOf[protocol.QueryConsumerOffsetResult]("rmq").Decode(answer.Fields, &result))
	return result.Offset
}

// noteCommit checks a commit that the Broker has taken.
func (g *balance) noteCommit(queue int32, s *share) {
	if s.done < g.committed[queue] {
		require.False(g.rt, g.orderly, "the offset of queue %d went back from %d to %d", queue, g.committed[queue], s.done)
		require.NotEqual(g.rt, g.committers[queue], s.session, "the offset of queue %d went back in one session", queue)
	}
	g.committed[queue], g.committers[queue] = s.done, s.session
}

// deliver checks one delivery.
func (g *balance) deliver(m *member, queue int32, s *share) {
	offset := s.done
	require.Equal(g.rt, bodyOf(queue, offset), s.fetched[0])
	if g.orderly {
		require.Equal(g.rt, m.id, g.heldBy(queue), "only the holder of the lock consumes queue %d", queue)
		require.Equal(g.rt, g.sessions[queue], s.session)
	}
	if g.calm {
		require.False(g.rt, g.recent[queue][offset], "message %d of queue %d came twice in a group at rest", offset, queue)
		g.recent[queue][offset] = true
	}
	g.seen[queue][offset]++
}

// change is a change of the members: the Broker knows, and tells all that are there.
func (g *balance) change(do func()) {
	before := map[*member]int32{}
	for _, m := range g.members {
		before[m] = m.notified.Load()
	}
	do()
	g.calm = false
	g.eventually("the Broker's list of the members", func() bool {
		group, ok := g.b.consumers.Group(g.group)
		return !ok && len(g.members) == 0 || ok && slices.Equal(g.ids(), group.ClientIDs())
	})
	for _, m := range g.members {
		g.eventually("a notice of the change at "+m.id, func() bool { return m.notified.Load() > before[m] })
	}
}

func (g *balance) join(place int) {
	g.change(func() {
		g.joined++
		m := newMember(g, fmt.Sprintf("%d-%d", place, g.joined))
		g.members = append(g.members, m)
		m.heartbeat()
	})
}

// leave ends a member in order.
func (g *balance) leave(m *member) {
	for queue := range g.queues {
		if m.shares[queue] != nil {
			m.giveUp(queue)
		}
	}
	g.change(func() {
		m.ask(protocol.NewRequest(protocol.UnregisterClient, &protocol.UnregisterClientHeader{ClientID: m.id, ConsumerGroup: g.group}))
		g.remove(m)
	})
}

// die cuts a member's connection. Its locks stay until their lease ends.
func (g *balance) die(m *member) { g.change(func() { g.remove(m) }) }

// fallSilent keeps a member's connection open without a heartbeat, until the Broker takes it for dead.
func (g *balance) fallSilent(m *member) {
	silence := time.Duration(g.b.Config().ChannelExpiredTimeout)*time.Millisecond + 2*sessionScanEvery
	g.change(func() {
		g.forget(m)
		for range silence / (brokerLease / 3) {
			g.pass(brokerLease / 3)
		}
		g.pass(brokerLease / 3)
	})
	_ = m.client.Close()
}

func (g *balance) remove(m *member) {
	_ = m.client.Close()
	g.forget(m)
}

func (g *balance) forget(m *member) {
	g.members = slices.DeleteFunc(g.members, func(other *member) bool { return other == m })
}

func (g *balance) send(queue int32, count int) {
	for range count {
		req := protocol.NewRequest(protocol.SendMessage, &protocol.SendHeader{ProducerGroup: "P", Topic: g.topic, QueueID: queue, BornTimestampMs: 1})
		req.Body = []byte(bodyOf(queue, g.sent[queue]))
		answer := g.askBy(g.producer, req)
		require.Equal(g.rt, protocol.Success, answer.Code, answer.Remark)
		g.sent[queue]++
	}
}

// reset sets the group's offset of a queue. Messages that it passes over need not be delivered.
func (g *balance) reset(queue int32, offset int64) {
	answer := g.askBy(g.producer, protocol.NewRequest(protocol.InvokeBrokerToResetOffset,
		&protocol.ResetOffsetHeader{Topic: g.topic, Group: g.group, QueueID: &queue, Offset: &offset}))
	require.Equal(g.rt, protocol.Success, answer.Code, answer.Remark)
	for passed := range offset {
		g.seen[queue][passed]++
	}
	g.committed[queue], g.committers[queue] = offset, 0
	g.resets[queue], g.calm = true, false
}

// pass lets time go by. Members send heartbeats and renew their locks, but for the sloppy ones.
func (g *balance) pass(d time.Duration) {
	g.clock.Advance(d)
	for _, m := range g.members {
		m.heartbeat()
		if g.orderly && !m.sloppy {
			m.renew()
		}
	}
}

// settle brings the group to rest: all members know of all, no reset is pending, the locks of the dead have ended.
func (g *balance) settle() {
	for _, m := range g.members {
		m.sloppy = false
	}
	if g.orderly {
		for range 4 {
			g.pass(brokerLease / 3)
			for _, m := range g.members {
				m.rebalance()
			}
		}
	}
	for changed := true; changed; {
		changed = false
		for _, m := range g.members {
			changed = m.rebalance() || changed
		}
		for _, m := range g.members {
			for queue := range g.queues {
				if m.shares[queue] != nil && g.resets[queue] {
					m.pull(queue, 1)
					changed = true
				}
			}
		}
	}
	if len(g.members) > 0 {
		for queue := range g.queues {
			owners := slices.DeleteFunc(slices.Clone(g.members), func(m *member) bool { return m.shares[queue] == nil })
			require.Len(g.rt, owners, 1, "queue %d has one owner", queue)
			clear(g.recent[queue])
		}
		g.calm = true
	}
}

// finish delivers everything to whoever is there.
func (g *balance) finish() {
	if len(g.members) == 0 {
		g.join(0)
	}
	g.settle()
	for _, m := range g.members {
		for queue, s := range m.shares {
			for s.done < g.sent[queue] {
				m.pull(queue, 32)
				m.consume(queue, 32)
			}
			m.commit(queue)
		}
	}
	for queue := range g.queues {
		require.Equal(g.rt, g.sent[queue], g.queryOffset(g.producer, queue), "queue %d is consumed", queue)
		for offset := range g.sent[queue] {
			require.Positive(g.rt, g.seen[queue][offset], "message %d of queue %d was never delivered", offset, queue)
		}
	}
}
