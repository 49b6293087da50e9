// SPDX-License-Identifier: Apache-2.0

package session

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"

	"rocketd/internal/testkit"
	"rocketd/protocol"
	"rocketd/remoting"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// fakePeer is a connection that remembers what was sent to it.
type fakePeer struct {
	remoting.Peer
	id uint64

	mu   sync.Mutex
	sent []*protocol.Command
}

func (p *fakePeer) ID() uint64 { return p.id }

func (p *fakePeer) Oneway(req *protocol.Command) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, req)
	return nil
}

func (p *fakePeer) received() []*protocol.Command {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent
}

func newClient(id uint64, clientID string, seenMs int64) Client {
	return Client{Peer: &fakePeer{id: id}, ClientID: clientID, LastSeenMs: seenMs}
}

func consumer(topics ...string) protocol.ConsumerData {
	data := protocol.ConsumerData{ConsumeType: protocol.ConsumePassively, MessageModel: protocol.Clustering, ConsumeFromWhere: protocol.ConsumeFromLastOffset}
	for _, topic := range topics {
		data.SubscriptionDataSet = append(data.SubscriptionDataSet, protocol.SubscriptionData{Topic: topic, SubString: "*", SubVersion: 1})
	}
	return data
}

func TestRegisterReportsWhatMembersMustHearOf(t *testing.T) {
	c := NewConsumers()
	a, b := newClient(1, "a", 0), newClient(2, "b", 0)
	require.True(t, c.Register("g", a, consumer("T")), "the first member")
	require.False(t, c.Register("g", a, consumer("T")), "a heartbeat that says nothing new")
	require.True(t, c.Register("g", b, consumer("T")), "a second member")
	require.True(t, c.Register("g", b, consumer("T", "U")), "a new topic")
	require.True(t, c.Register("g", a, consumer("T")), "a topic less")
	require.False(t, c.RegisterWithoutSub("g", a, consumer()))
	g, ok := c.Group("g")
	require.True(t, ok)
	require.Len(t, g.Subscriptions(), 1, "a heartbeat without subscriptions keeps them")
	require.True(t, c.RegisterWithoutSub("g", newClient(3, "c", 0), consumer()))
	require.Equal(t, []string{"a", "b", "c"}, g.ClientIDs())
	require.Equal(t, []string{"g"}, c.SubscribersOf("T"))
	require.Empty(t, c.SubscribersOf("U"))
}

func TestTheLaterSubscriptionCounts(t *testing.T) {
	c := NewConsumers()
	sub := func(version int64, text string) protocol.ConsumerData {
		data := consumer("T")
		data.SubscriptionDataSet[0].SubVersion, data.SubscriptionDataSet[0].SubString = version, text
		return data
	}
	c.Register("g", newClient(1, "a", 0), sub(5, "A"))
	c.Register("g", newClient(2, "b", 0), sub(4, "B"))
	g, _ := c.Group("g")
	got, _ := g.Subscription("T")
	require.Equal(t, "A", got.SubString)
	c.Register("g", newClient(2, "b", 0), sub(6, "B"))
	got, _ = g.Subscription("T")
	require.Equal(t, "B", got.SubString)
}

func TestAClientWithTwoConnectionsIsNamedOnce(t *testing.T) {
	c := NewConsumers()
	old, reconnected := newClient(1, "a", 0), newClient(2, "a", 0)
	c.Register("g", old, consumer("T"))
	c.Register("g", reconnected, consumer("T"))
	g, _ := c.Group("g")
	require.Equal(t, []string{"a"}, g.ClientIDs())
	found, ok := c.Find("g", "a")
	require.True(t, ok)
	require.EqualValues(t, 2, found.Peer.ID())
	require.Equal(t, []string{"g"}, c.Drop(old.Peer))
	require.Equal(t, []string{"a"}, g.ClientIDs())
	require.True(t, c.Unregister("g", reconnected.Peer))
	require.False(t, c.Unregister("g", reconnected.Peer))
	_, ok = c.Group("g")
	require.False(t, ok)
	require.Empty(t, c.joined)
}

func TestASilentClientIsLetGo(t *testing.T) {
	c, p := NewConsumers(), NewProducers()
	c.Register("g", newClient(1, "a", 1000), consumer("T"))
	c.Register("h", newClient(1, "a", 1000), consumer("T"))
	c.Register("h", newClient(2, "b", 2000), consumer("T"))
	p.Register("p", newClient(1, "a", 1000))
	changed, gone := c.Expire(1500)
	require.Equal(t, []string{"g", "h"}, changed)
	require.Len(t, gone, 1)
	require.Equal(t, []string{"h"}, c.Names())
	require.Len(t, p.Expire(1500), 1)
	require.Empty(t, p.All())
	changed, gone = c.Expire(1500)
	require.Empty(t, changed)
	require.Empty(t, gone)
}

func TestProducersComeAndGo(t *testing.T) {
	p := NewProducers()
	a, b := newClient(1, "a", 0), newClient(2, "b", 0)
	p.Register("g", b)
	p.Register("g", a)
	p.Register("h", a)
	require.Equal(t, []Client{a, b}, p.Channels("g"))
	p.Unregister("g", b.Peer)
	p.Drop(a.Peer)
	require.Empty(t, p.Channels("g"))
	require.Empty(t, p.groups)
	require.Empty(t, p.joined)
}

// The steps and answers are those of a Java 5.5.0 broker, but for the last: Java does not ask a
// client for the subscriptions that it never had.
func TestFingerprints(t *testing.T) {
	c := NewConsumers()
	a := newClient(1, "a", 0)
	c.Register("g", a, consumer("T"))
	for i, step := range []struct {
		fingerprint int32
		without     bool
		repeat      bool
	}{{1, false, false}, {1, true, false}, {1, false, false}, {2, false, true}, {1, true, true}, {1, true, false}, {0, false, true}, {1, true, true}} {
		require.Equal(t, step.repeat, c.Fingerprint("g", step.fingerprint, step.without), "step %d", i)
	}
	c.RegisterWithoutSub("new", a, consumer())
	require.True(t, c.Fingerprint("new", 5, true))
	require.False(t, c.Fingerprint("new", 5, false))
}

func TestTenThousandSubscriptionsAreNoTrouble(t *testing.T) {
	c := NewConsumers()
	var topics []string
	for i := range 10_000 {
		topics = append(topics, fmt.Sprint("T", i))
	}
	data := consumer(topics...)
	for i := range uint64(20) {
		c.Register("g", newClient(i, fmt.Sprint(i), 0), data)
	}
	g, _ := c.Group("g")
	require.Len(t, g.Subscriptions(), 10_000)
}

func mq(id int32) protocol.MessageQueue {
	return protocol.MessageQueue{BrokerName: "b", QueueID: id, Topic: "T"}
}

func TestAQueueIsHeldByOneClientOfAGroup(t *testing.T) {
	clock := clockwork.NewFakeClock()
	l := NewQueueLock(clock)
	both := []protocol.MessageQueue{mq(0), mq(1)}
	require.Equal(t, both[:1], l.TryLockBatch("g", "a", both[:1]))
	require.Equal(t, both[1:], l.TryLockBatch("g", "b", both))
	require.Equal(t, both, l.TryLockBatch("h", "b", both), "another group")
	require.True(t, l.HeldByAny("g"))

	clock.Advance(queueLease)
	require.Equal(t, both[:1], l.TryLockBatch("g", "a", both), "a renews its own, b's lasts this long")
	clock.Advance(time.Millisecond)
	require.Equal(t, both[1:], l.TryLockBatch("g", "a", both[1:]), "what b did not renew is free")

	l.Unlock("g", "b", both)
	require.Equal(t, []protocol.MessageQueue{}, l.TryLockBatch("g", "b", both), "nobody unlocks another's queues")
	l.Unlock("g", "a", both)
	require.False(t, l.HeldByAny("g"))
	require.Equal(t, both, l.TryLockBatch("g", "b", both))

	clock.Advance(queueLease)
	require.True(t, l.HeldByAny("g"))
	clock.Advance(time.Millisecond)
	require.False(t, l.HeldByAny("g"))
	l.Sweep()
	require.Empty(t, l.groups)
	require.Equal(t, []protocol.MessageQueue{}, l.TryLockBatch("g", "b", nil))
	require.Empty(t, l.groups)
}

func TestMembersAreToldOfChanges(t *testing.T) {
	c := NewConsumers()
	a, b := newClient(1, "a", 0), newClient(2, "b", 0)
	c.Register("g", a, consumer("T"))
	c.Register("g", b, consumer("T"))
	n := NewNotify(c)
	for range 100 {
		n.NotifyChanged("g") // nobody sends yet: told once
	}
	n.NotifyChanged("nobody")
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	for _, member := range []Client{a, b} {
		peer := member.Peer.(*fakePeer)
		testkit.Eventually(t, func() bool { return len(peer.received()) == 1 }, "the member is told")
		req := peer.received()[0]
		group, _ := req.Field("consumerGroup")
		require.Equal(t, []any{protocol.NotifyConsumerIDsChanged, "g", true}, []any{req.Code, group, req.IsOneway()})
	}
	cancel()
	require.NoError(t, <-done)
}
