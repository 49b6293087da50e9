// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rocketd/internal/testkit"
	"rocketd/protocol"
	"rocketd/protocol/message"
)

// pullFields is the header of a pull of everything in queue 0; more overrides and adds.
func pullFields(topic string, offset int64, more string) string {
	return fmt.Sprintf("consumerGroup=G topic=%s queueId=0 queueOffset=%d maxMsgNums=32 sysFlag=4 commitOffset=0 suspendTimeoutMillis=15000 subscription=* subVersion=0 expressionType=TAG %s", topic, offset, more)
}

func bodiesOf(t require.TestingT, records []byte) (bodies []string) {
	for len(records) > 0 {
		size := message.RecordSize(records)
		var m message.Message
		require.NoError(t, message.DecodeRecord(records[:size], &m))
		bodies = append(bodies, string(m.Body))
		records = records[size:]
	}
	return bodies
}

func TestPullOutcomes(t *testing.T) {
	b := newBareBroker(t, nil)
	b.mustSend("T", "properties="+props("TAGS=a"), "m0")
	b.mustSend("T", "properties="+props("TAGS=b"), "m1")
	b.mustSend("T", "", "m2")
	for _, c := range []struct {
		name   string
		offset int64
		more   string
		code   int32
		remark string
		next   int64
		bodies string
	}{
		{"all", 0, "", 0, "FOUND", 3, "[m0 m1 m2]"},
		{"one", 1, "maxMsgNums=1", 0, "FOUND", 2, "[m1]"},
		{"by tag", 0, "subscription=b", 0, "FOUND", 3, "[m1]"},
		{"by tags", 0, "subscription=a||b", 0, "FOUND", 3, "[m0 m1]"},
		{"empty subscription", 0, "subscription=", 0, "FOUND", 3, "[m0 m1 m2]"},
		{"tag of nobody", 0, "subscription=z", 20, "NO_MATCHED_MESSAGE", 3, "[]"},
		{"end", 3, "", 19, "OFFSET_OVERFLOW_ONE", 3, "[]"},
		{"beyond", 4, "", 21, "OFFSET_OVERFLOW_BADLY", 3, "[]"},
		{"far beyond", math.MaxInt64, "", 21, "OFFSET_OVERFLOW_BADLY", 3, "[]"},
		{"before", -1, "", 21, "OFFSET_TOO_SMALL", 0, "[]"},
		{"far before", math.MinInt64, "", 21, "OFFSET_TOO_SMALL", 0, "[]"},
		{"no messages wanted", 0, "maxMsgNums=0", 0, "FOUND", 1, "[m0]"},
		{"less than none", 0, "maxMsgNums=-2147483648", 0, "FOUND", 1, "[m0]"},
		{"too many", 0, "maxMsgNums=2147483647", 0, "FOUND", 3, "[m0 m1 m2]"},
		{"bytes do not count", 0, "maxMsgBytes=1", 0, "FOUND", 3, "[m0 m1 m2]"},
		{"bytes below zero", 0, "maxMsgBytes=-2147483648", 0, "FOUND", 3, "[m0 m1 m2]"},
		{"broadcast proxy", 0, "requestSource=1", 0, "FOUND", 3, "[m0 m1 m2]"},
	} {
		for _, code := range []int32{protocol.PullMessage, protocol.LitePullMessage} {
			t.Run(c.name, func(t *testing.T) {
				answer := b.ask(code, pullFields("T", c.offset, c.more), "")
				require.Equal(t, []any{c.code, c.remark}, []any{answer.Code, answer.Remark})
				requireFields(t, answer, fmt.Sprintf("suggestWhichBrokerId=0 nextBeginOffset=%d minOffset=0 maxOffset=3 topicSysFlag=0 groupSysFlag=0", c.next))
				require.Equal(t, c.bodies, fmt.Sprint(bodiesOf(t, answer.Body)))
			})
		}
	}
	for offset, want := range map[int64]int32{0: 19, 5: 21} {
		answer := b.ask(protocol.PullMessage, pullFields("T", offset, "queueId=1"), "")
		require.Equal(t, []any{want, "NO_MESSAGE_IN_QUEUE"}, []any{answer.Code, answer.Remark})
	}
}

func TestPullRefusals(t *testing.T) {
	b := newBareBroker(t, nil)
	b.mustSend("T", "", "x")
	require.NoError(t, b.topics.Put(protocol.NewTopicConfig("WO", 1, 1, protocol.PermWrite)))
	disabled := protocol.NewGroupConfig("OFF")
	disabled.ConsumeEnable = false
	require.NoError(t, b.groups.Put(disabled))
	noBroadcast := protocol.NewGroupConfig("NOBC")
	noBroadcast.ConsumeBroadcastEnable = false
	require.NoError(t, b.groups.Put(noBroadcast))
	b.mustAsk(protocol.HeartBeat, "", strings.Replace(heartbeatBody("cid", "NOBC", 0, false, "T"), "CLUSTERING", "BROADCASTING", 1))
	b.mustAsk(protocol.HeartBeat, "", heartbeatBody("cid", "HB", 0, false, "T"))
	const pull = protocol.PullMessage
	b.requireAnswers([]question{
		{"group name", pull, pullFields("T", 0, "consumerGroup=a/b"), "", 26, "subscription group [a/b] does not exist, " + faq},
		{"group off", pull, pullFields("T", 0, "consumerGroup=OFF"), "", 16, "subscription group no permission, OFF"},
		{"topic", pull, pullFields("NOPE", 0, ""), "", 17, "topic[NOPE] not exist, apply first please! " + faq},
		{"path", pull, pullFields("../x", 0, ""), "", 17, "topic[../x] not exist, apply first please! " + faq},
		{"not readable", pull, pullFields("WO", 0, ""), "", 16, "the topic[WO] pulling message is forbidden"},
		{"queue", pull, pullFields("T", 0, "queueId=4"), "", 29, "queueId[4] is illegal, topic:[T] topicConfig.readQueueNums:[4] consumer:[/10.0.0.1:999]"},
		{"negative queue", pull, pullFields("T", 0, "queueId=-1"), "", 29, "queueId[-1] is illegal, topic:[T] topicConfig.readQueueNums:[4] consumer:[/10.0.0.1:999]"},
		{"subscription", pull, pullFields("T", 0, "subscription=||"), "", 23, "parse the consumer's subscription failed"},
		{"SQL", pull, pullFields("T", 0, "subscription=a>1 expressionType=SQL92"), "", 1, "The broker does not support consumer to filter message by SQL92"},
		{"no heartbeat", pull, pullFields("T", 0, "sysFlag=0"), "", 24, "the consumer's group info not exist" + faq},
		{"broadcast", pull, pullFields("T", 0, "sysFlag=0 consumerGroup=NOBC"), "", 16, "the consumer group[NOBC] can not consume by broadcast way"},
		{"not subscribed", pull, pullFields("broker-a", 0, "sysFlag=0 consumerGroup=HB"), "", 24, "the consumer's subscription not exist" + faq},
		{"newer subscription", pull, pullFields("T", 0, "sysFlag=0 consumerGroup=HB subVersion=9223372036854775807"), "", 25, "the consumer's subscription not latest"},
		{"subscribed", pull, pullFields("T", 0, "sysFlag=0 consumerGroup=HB"), "", 0, "FOUND"},
	})
	answer := b.ask(pull, pullFields("WO", 0, ""), "")
	requireFields(t, answer, "forbiddenType=3")

	closed := newBareBroker(t, func(c *Config) { c.BrokerPermission, c.LitePullMessageEnable = protocol.PermWrite, false })
	requireFields(t, closed.ask(pull, pullFields("T", 0, ""), ""), "forbiddenType=1")
	require.Equal(t, "the broker[127.0.0.1] pulling message is forbidden", closed.ask(pull, pullFields("T", 0, ""), "").Remark)
	lite := newBareBroker(t, func(c *Config) { c.LitePullMessageEnable = false })
	require.Equal(t, "the broker[127.0.0.1] for lite pull consumer is forbidden", lite.ask(protocol.LitePullMessage, pullFields("T", 0, ""), "").Remark)
}

func TestOffsetsThatComeWithAPull(t *testing.T) {
	b := newBareBroker(t, nil)
	b.mustSend("T", "", "x")
	b.ask(protocol.PullMessage, pullFields("T", 0, "commitOffset=1"), "")
	_, ok := b.offsets.Query("G", "T", 0)
	require.False(t, ok, "not asked to commit")
	b.ask(protocol.PullMessage, pullFields("T", 0, "sysFlag=5 commitOffset=1"), "")
	offset, _ := b.offsets.Query("G", "T", 0)
	require.EqualValues(t, 1, offset)
	pulled, _ := b.offsets.QueryPull("G", "T", 0)
	require.EqualValues(t, 1, pulled)

	b.offsets.AssignReset("G", "T", 0, 77)
	answer := b.ask(protocol.PullMessage, pullFields("T", 0, "sysFlag=5 commitOffset=1"), "")
	require.Equal(t, []any{protocol.PullOffsetMoved, "OFFSET_RESET"}, []any{answer.Code, answer.Remark})
	next, _ := answer.Field("nextBeginOffset")
	require.Equal(t, "77", next)
	offset, _ = b.offsets.Query("G", "T", 0)
	require.EqualValues(t, 77, offset, "the reset is not undone by the pull that hears of it")
	require.Equal(t, protocol.Success, b.ask(protocol.PullMessage, pullFields("T", 0, ""), "").Code, "once")
}

// poll asks in the background; the parked table runs.
func (b *bareBroker) poll(fields string) <-chan *protocol.Command {
	done := make(chan *protocol.Command, 1)
	before := b.parked.Len()
	go func() { done <- b.ask(protocol.PullMessage, fields, "") }()
	testkit.Eventually(b.t, func() bool { return b.parked.Len() > before || len(done) > 0 }, "parked")
	return done
}

func (b *bareBroker) runParked() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = b.parked.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-ended
	}
	b.t.Cleanup(stop)
	return stop
}

func TestALongPollIsWokenByItsMessage(t *testing.T) {
	b := newBareBroker(t, nil)
	b.runParked()
	b.mustSend("T", "", "m0")
	done := b.poll(pullFields("T", 1, "sysFlag=7 subscription=a commitOffset=1"))
	offset, _ := b.offsets.Query("G", "T", 0)
	require.EqualValues(t, 1, offset, "committed when it came")
	b.offsets.Commit("G", "T", 0, 5)
	b.mustSend("T", "queueId=1 properties="+props("TAGS=a"), "other queue")
	b.mustSend("T", "properties="+props("TAGS=b"), "other tag")
	require.Empty(t, done)
	b.mustSend("T", "properties="+props("TAGS=a"), "m2")
	answer := <-done
	require.Equal(t, protocol.Success, answer.Code)
	require.Equal(t, []string{"m2"}, bodiesOf(t, answer.Body))
	offset, _ = b.offsets.Query("G", "T", 0)
	require.EqualValues(t, 5, offset, "not committed again")
}

func TestALongPollEnds(t *testing.T) {
	b := newBareBroker(t, nil)
	stop := b.runParked()
	b.mustSend("T", "", "m0")
	done := b.poll(pullFields("T", 1, "sysFlag=6 suspendTimeoutMillis=3000"))
	require.NoError(t, b.clock.BlockUntilContext(t.Context(), 1))
	b.clock.Advance(3 * time.Second)
	requireFields(t, <-done, "suggestWhichBrokerId=0 nextBeginOffset=1 minOffset=0 maxOffset=1 topicSysFlag=0 groupSysFlag=0")

	for _, hold := range []int64{0, -1, math.MinInt64} {
		answer := <-b.poll(pullFields("T", 1, fmt.Sprintf("sysFlag=6 suspendTimeoutMillis=%d", hold)))
		require.Equal(t, protocol.PullNotFound, answer.Code)
	}
	forever := b.poll(pullFields("T", 1, "sysFlag=6 suspendTimeoutMillis=9223372036854775807"))
	stop()
	require.Equal(t, protocol.PullNotFound, (<-forever).Code, "the end of the broker answers it")
	require.Equal(t, protocol.PullNotFound, b.ask(protocol.PullMessage, pullFields("T", 1, "sysFlag=6"), "").Code)
}

func TestAPullOfAnotherOutcomeIsNotParked(t *testing.T) {
	b := newBareBroker(t, nil)
	b.mustSend("T", "", "m0")
	for _, fields := range []string{pullFields("T", 5, "sysFlag=6"), pullFields("T", 0, "sysFlag=6 subscription=z"), pullFields("T", 1, "sysFlag=4")} {
		require.NotEqual(t, protocol.Success, b.ask(protocol.PullMessage, fields, "").Code)
	}
}

func TestShortPolling(t *testing.T) {
	b := newBareBroker(t, func(c *Config) { c.LongPollingEnable = false })
	b.runParked()
	b.mustSend("T", "", "m0")
	done := b.poll(pullFields("T", 1, "sysFlag=6 suspendTimeoutMillis=15000"))
	require.NoError(t, b.clock.BlockUntilContext(t.Context(), 1))
	b.clock.Advance(time.Second)
	require.Equal(t, protocol.PullNotFound, (<-done).Code)
}

// Messages that come while pulls are being parked: each pull must hear of them.
func TestNoWakeUpIsLost(t *testing.T) {
	b := newBareBroker(t, nil)
	b.runParked()
	b.mustSend("T", "", "m")
	const rounds = 300
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for range rounds {
			b.mustSend("T", "", "m")
		}
	}()
	for offset := int64(1); offset <= rounds; offset++ {
		answer := b.ask(protocol.PullMessage, pullFields("T", offset, "sysFlag=6 maxMsgNums=1"), "")
		require.Equal(t, protocol.Success, answer.Code)
	}
	<-sent
}
