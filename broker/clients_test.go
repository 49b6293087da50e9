// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rocketd/internal/testkit"
	"rocketd/protocol"
)

func TestAHeartbeatCreatesGroupAndRetryTopic(t *testing.T) {
	b := newBareBroker(t, nil)
	answer := b.mustAsk(protocol.HeartBeat, "", heartbeatBody("cid1", "CG1", 0, false, "T1"))
	require.Equal(t, []protocol.Field{{Key: "IS_SUPPORT_HEART_BEAT_V2", Value: "true"}, {Key: "IS_SUB_CHANGE", Value: "true"}}, answer.Fields)
	cfg, ok := b.groups.Get("CG1")
	require.True(t, ok)
	require.Equal(t, protocol.NewGroupConfig("CG1"), cfg)
	topic, ok := b.topics.Get("%RETRY%CG1")
	require.True(t, ok)
	require.Equal(t, protocol.NewTopicConfig("%RETRY%CG1", 1, 1, 6), topic)
	require.Len(t, b.producers.Channels("P"), 1)

	_, version := b.topics.All()
	b.mustAsk(protocol.HeartBeat, "", heartbeatBody("cid1", "CG1", 0, false, "T1"))
	_, again := b.topics.All()
	require.Equal(t, version, again, "the next heartbeat changes nothing")
}

// A body that was the last one too is not decoded again, and counts as one that was.
func TestARepeatedHeartbeatCounts(t *testing.T) {
	b := newBareBroker(t, nil)
	subscribed := func(topic string) bool {
		group, ok := b.consumers.Group("CG1")
		if !ok {
			return false
		}
		_, ok = group.Subscription(topic)
		return ok
	}
	one, other := heartbeatBody("cid1", "CG1", 0, false, "T1"), heartbeatBody("cid1", "CG1", 0, false, "T2")
	for range 2 {
		b.mustAsk(protocol.HeartBeat, "", one)
		b.mustAsk(protocol.UnregisterClient, "clientID=cid1 consumerGroup=CG1 producerGroup=P", "")
		require.False(t, subscribed("T1"))
		b.mustAsk(protocol.HeartBeat, "", one)
		require.True(t, subscribed("T1"), "it has joined again")
		b.mustAsk(protocol.HeartBeat, "", other)
		require.True(t, !subscribed("T1") && subscribed("T2"), "one of the same length, with another topic")
	}
	require.Equal(t, protocol.SystemError, b.ask(protocol.HeartBeat, "", other[1:]).Code)
	beat, ok := b.heartbeats.Again(b.peer, []byte(other))
	require.True(t, ok)
	require.Equal(t, "T2", beat.ConsumerDataSet[0].SubscriptionDataSet[0].Topic, "joining changed nothing in it")
	b.sessionsClosed(b.peer)
	_, ok = b.heartbeats.Again(b.peer, []byte(other))
	require.False(t, ok)
}

func TestNamesThatAreNotAllowedCreateNothing(t *testing.T) {
	b := newBareBroker(t, nil)
	topics, before := b.topics.All()
	for _, name := range []string{"../x", "a/b", `a\\b`, ".", "..", strings.Repeat("g", 121), "a b", "ü"} {
		b.mustAsk(protocol.HeartBeat, "", heartbeatBody("cid1", name, 0, false, "T1"))
		_, ok := b.findGroup(name)
		require.False(t, ok, name)
		_, ok = b.consumers.Group(name)
		require.False(t, ok, name)
	}
	all, after := b.topics.All()
	require.Equal(t, []any{topics, before}, []any{all, after})
	require.Equal(t, protocol.InvalidParameter, b.ask(protocol.HeartBeat, "", heartbeatBody("c", strings.Repeat("g", 256), 0, false)).Code)
	for _, body := range []string{heartbeatBody("", "G", 0, false, "T1"), heartbeatBody("c", "", 0, false, "T1"), heartbeatBody("c", "G", 0, false, "")} {
		require.Equal(t, protocol.SystemError, b.ask(protocol.HeartBeat, "", body).Code)
	}
}

func TestAutoCreationOfGroupsCanBeOff(t *testing.T) {
	b := newBareBroker(t, func(c *Config) { c.AutoCreateSubscriptionGroup = false })
	b.mustAsk(protocol.HeartBeat, "", heartbeatBody("cid1", "CG1", 0, false, "T1"))
	_, ok := b.groups.Get("CG1")
	require.False(t, ok)
	_, ok = b.findGroup("CG1")
	require.False(t, ok)
	_, ok = b.topics.Get("%RETRY%CG1")
	require.False(t, ok)
}

// The answers are those of a Java 5.5.0 broker to the same heartbeats.
func TestHeartbeatsOfTheSecondForm(t *testing.T) {
	b := newBareBroker(t, nil)
	for i, step := range []struct {
		client      string
		fingerprint int
		without     bool
		repeat      string
	}{
		{"a", 1, false, "false"}, {"b", 1, true, "false"}, {"b", 1, false, "false"}, {"b", 2, false, "true"},
		{"a", 1, true, "true"}, {"a", 1, true, "false"}, {"a", 0, false, "true"}, {"a", 1, true, "true"},
	} {
		b.peer = &fakePeer{id: uint64(step.client[0])}
		topics := []string{"T1"}
		if step.without {
			topics = nil
		}
		answer := b.mustAsk(protocol.HeartBeat, "", heartbeatBody(step.client, "HG", step.fingerprint, step.without, topics...))
		repeat, _ := answer.Field(protocol.ExtSubscriptionChange)
		require.Equal(t, step.repeat, repeat, "step %d", i)
	}
	group, _ := b.consumers.Group("HG")
	_, ok := group.Subscription("T1")
	require.True(t, ok)
}

func TestConsumersAreListed(t *testing.T) {
	b := newBareBroker(t, nil)
	b.requireAnswers([]question{
		{"38 before", protocol.GetConsumerListByGroup, "consumerGroup=CG1", "", 1, "no consumer for this group, CG1"},
		{"203 before", protocol.GetConsumerConnectionList, "consumerGroup=CG1", "", 206, "the consumer group[CG1] not online"},
	})
	b.mustAsk(protocol.HeartBeat, "", heartbeatBody("cid1", "CG1", 0, false, "T1"))
	answer := b.mustAsk(protocol.GetConsumerListByGroup, "consumerGroup=CG1", "")
	require.Equal(t, `{"consumerIdList":["cid1"]}`, string(answer.Body))
	require.NotNil(t, answer.Fields)
	answer = b.mustAsk(protocol.GetConsumerConnectionList, "consumerGroup=CG1", "")
	require.Equal(t, `{"connectionSet":[{"clientAddr":"10.0.0.1:999","clientId":"cid1","language":"JAVA","version":513}],`+
		`"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","consumeType":"CONSUME_PASSIVELY","messageModel":"CLUSTERING",`+
		`"subscriptionTable":{"T1":{"classFilterMode":false,"codeSet":[97],"expressionType":"TAG","subString":"*","subVersion":1,"tagsSet":[],"topic":"T1"}}}`,
		string(answer.Body))
	b.mustAsk(protocol.UnregisterClient, "clientID=cid1 consumerGroup=CG1 producerGroup=P", "")
	b.requireAnswers([]question{{"38 after", protocol.GetConsumerListByGroup, "consumerGroup=CG1", "", 1, "no consumer for this group, CG1"}})
	require.Empty(t, b.producers.Channels("P"))
}

func TestCheckClientConfig(t *testing.T) {
	b := newBareBroker(t, nil)
	body := func(kind string) string {
		return `{"clientId":"x","group":"g","subscriptionData":{"topic":"T","expressionType":"` + kind + `","subString":"a"}}`
	}
	b.requireAnswers([]question{
		{"tags", protocol.CheckClientConfig, "", body("TAG"), 0, ""},
		{"nothing", protocol.CheckClientConfig, "", body(""), 0, ""},
		{"no body", protocol.CheckClientConfig, "", "", 0, ""},
		{"SQL", protocol.CheckClientConfig, "", body("SQL92"), 1, "The broker does not support consumer to filter message by SQL92"},
		{"other", protocol.CheckClientConfig, "", body("FOO"), 1, "The broker does not support consumer to filter message by FOO"},
	})
}

// runSessionsFor runs what a running broker runs for sessions until the test ends.
func runSessionsFor(t *testing.T, b *bareBroker) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.runSessions(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
}

func TestMembersAreToldWhenOneComesOrGoes(t *testing.T) {
	b := newBareBroker(t, nil)
	runSessionsFor(t, b)
	first, second := b.peer, &fakePeer{id: 2}
	b.mustAsk(protocol.HeartBeat, "", heartbeatBody("a", "g", 0, false, "T"))
	testkit.Eventually(t, func() bool { return first.received() == 1 }, "the first is told of itself")
	b.peer = second
	b.mustAsk(protocol.HeartBeat, "", heartbeatBody("b", "g", 0, false, "T"))
	testkit.Eventually(t, func() bool { return first.received() == 2 && second.received() == 1 }, "both are told of the second")
	b.peerClosed(second)
	testkit.Eventually(t, func() bool { return first.received() == 3 }, "the first is told that the second is gone")

	cfg := protocol.NewGroupConfig("g")
	cfg.NotifyConsumerIDsChangedEnable = false
	require.NoError(t, b.groups.Put(cfg))
	b.mustAsk(protocol.HeartBeat, "", heartbeatBody("b", "g", 0, false, "T"))
	require.Equal(t, 3, first.received())
}

func TestASilentClientIsLetGo(t *testing.T) {
	b := newBareBroker(t, nil)
	runSessionsFor(t, b)
	b.mustAsk(protocol.HeartBeat, "", heartbeatBody("a", "g", 0, false, "T"))
	require.NoError(t, b.clock.BlockUntilContext(context.Background(), 1))
	b.clock.Advance(120 * time.Second)
	_, ok := b.consumers.Group("g")
	require.True(t, ok)
	require.NoError(t, b.clock.BlockUntilContext(context.Background(), 1))
	b.clock.Advance(10 * time.Second)
	testkit.Eventually(t, func() bool { _, ok := b.consumers.Group("g"); return !ok }, "the group is empty")
	testkit.Eventually(t, func() bool { b.peer.mu.Lock(); defer b.peer.mu.Unlock(); return b.peer.closed }, "the connection is closed")
}

func TestLocks(t *testing.T) {
	b := newBareBroker(t, nil)
	lock := func(client, mqs string) string {
		return string(b.mustAsk(protocol.LockBatchMQ, "", `{"clientId":"`+client+`","consumerGroup":"G1","mqSet":[`+mqs+`]}`).Body)
	}
	const q1 = `{"brokerName":"broker-a","queueId":1,"topic":"T1"}`
	const q9 = `{"brokerName":"x","queueId":9,"topic":"nope"}`
	require.Equal(t, `{"lockOKMQSet":[`+q1+`]}`, lock("c1", q1))
	require.Equal(t, `{"lockOKMQSet":[`+q9+`]}`, lock("c2", q1+","+q9))
	require.Equal(t, `{"lockOKMQSet":[]}`, lock("c2", ""))
	answer := b.mustAsk(protocol.UnlockBatchMQ, "", `{"clientId":"c1","consumerGroup":"G1","mqSet":[`+q1+`]}`)
	require.Nil(t, answer.Fields)
	require.Empty(t, answer.Body)
	require.Equal(t, `{"lockOKMQSet":[`+q1+`]}`, lock("c2", q1))
	require.Equal(t, protocol.SystemError, b.ask(protocol.LockBatchMQ, "", "").Code)
}
