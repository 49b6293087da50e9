// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"

	"rocketd/internal/testkit"
	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/store"
	"rocketd/store/vfs"
)

// sendFields is the header of a send to queue 0; more overrides and adds.
func sendFields(topic, more string) string {
	return "producerGroup=P topic=" + topic + " defaultTopic=TBW102 defaultTopicQueueNums=4 queueId=0 sysFlag=0 bornTimestamp=1 flag=0 reconsumeTimes=0 unitMode=false batch=false " + more
}

// props encodes "k=v k=v" as a property text.
func props(pairs string) string {
	var text []byte
	for pair := range strings.FieldsSeq(pairs) {
		name, value, _ := strings.Cut(pair, "=")
		text = message.AppendProperty(text, name, value)
	}
	return string(text)
}

// stored is the message that an answer's msgId names.
func (b *bareBroker) stored(answer *protocol.Command) *message.Message {
	b.t.Helper()
	id, _ := answer.Field("msgId")
	_, phyOffset, err := message.ParseOffsetMsgID(id)
	require.NoError(b.t, err)
	m, err := b.store.Message(phyOffset)
	require.NoError(b.t, err)
	return m
}

func (b *bareBroker) mustSend(topic, more, body string) *protocol.Command {
	b.t.Helper()
	return b.mustAsk(protocol.SendMessage, sendFields(topic, more), body)
}

func requireFields(t *testing.T, answer *protocol.Command, want string) {
	t.Helper()
	got := map[string]string{}
	for _, f := range answer.Fields {
		got[f.Key] = f.Value
	}
	fields := map[string]string{}
	for pair := range strings.FieldsSeq(want) {
		key, value, _ := strings.Cut(pair, "=")
		fields[key] = value
	}
	require.Equal(t, fields, got)
}

func TestASendIsAnsweredAsByJava(t *testing.T) {
	b := newBareBroker(t, nil)
	answer := b.mustSend("T", "queueId=2 properties="+props("TAGS=a UNIQ_KEY=U WAIT=true POP_CK=x MSG_REGION=mine TRACE_ON=false CLUSTER=mine"), "body")
	requireFields(t, answer, "MSG_REGION=DefaultRegion TRACE_ON=true msgId=7F00000100002A9F0000000000000000 queueId=2 queueOffset=0 transactionId=U")
	m := b.stored(answer)
	require.Equal(t, "T", m.Topic)
	require.Equal(t, "body", string(m.Body))
	require.Equal(t, "10.0.0.1:999", m.BornHost.String())
	require.Equal(t, "127.0.0.1:10911", m.StoreHost.String())
	require.Equal(t, map[string]string{"TAGS": "a", "UNIQ_KEY": "U", "WAIT": "true", "MSG_REGION": "DefaultRegion", "TRACE_ON": "true", "CLUSTER": "DefaultCluster"},
		message.ParseProperties(m.Properties))
	topic, _ := b.topics.Get("T")
	require.Equal(t, protocol.NewTopicConfig("T", 4, 4, 6), topic, "made after TBW102")
}

// Both header forms, by the code alone.
func TestTheShortNames(t *testing.T) {
	b := newBareBroker(t, nil)
	short := "a=P b=T c=TBW102 d=4 e=3 f=0 g=1 h=7 j=0 k=false m=false n=broker-a i=" + props("UNIQ_KEY=U")
	for _, code := range []int32{protocol.SendMessageV2, protocol.SendBatchMessage} {
		m := b.stored(b.mustAsk(code, short, "x"))
		require.EqualValues(t, []int32{3, 7}, []int32{m.QueueID, m.Flag})
	}
	require.Equal(t, "the request header field b is missing", b.ask(protocol.SendMessageV2, sendFields("T", ""), "x").Remark)
}

func TestSendRefusals(t *testing.T) {
	b := newBareBroker(t, func(c *Config) { c.MaxMessageSize = 1000 })
	require.NoError(t, b.topics.Put(protocol.NewTopicConfig("T", 2, 4, 6)))
	compact := protocol.NewTopicConfig("COMPACT", 1, 1, 6)
	compact.Attributes = map[string]string{"cleanup.policy": "COMPACTION"}
	require.NoError(t, b.topics.Put(compact))
	const send = protocol.SendMessage
	chars := ", contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$"
	tooLarge := "the message is illegal, maybe msg body or properties length not matched. msg body length limit 1000B, msg properties length limit 32KB."
	noTopic := "topic[NEW] not exist, apply first please!" + faq
	b.requireAnswers([]question{
		{"slash", send, sendFields("a/b", ""), "x", 29, "The specified topic: a/b" + chars},
		{"path", send, sendFields("../../x", ""), "x", 29, "The specified topic: ../../x" + chars},
		{"blank", send, sendFields("", ""), "x", 29, "The specified topic is blank."},
		{"long", send, sendFields(strings.Repeat("a", 128), ""), "x", 29, "The specified topic: " + strings.Repeat("a", 128) + ", is longer than topic max length: 127"},
		{"forbidden", send, sendFields("SELF_TEST_TOPIC", ""), "x", 16, "Sending message to topic[SELF_TEST_TOPIC] is forbidden."},
		{"half", send, sendFields("RMQ_SYS_TRANS_HALF_TOPIC", ""), "x", 16, "Sending message to topic[RMQ_SYS_TRANS_HALF_TOPIC] is forbidden."},
		{"default unknown", send, sendFields("NEW", "defaultTopic=NOPE"), "x", 17, noTopic},
		{"default without inherit", send, sendFields("NEW", "defaultTopic=T"), "x", 17, noTopic},
		{"queue", send, sendFields("T", "queueId=4"), "x", 29, "request queueId[4] is illegal, TopicConfig [topicName=T, readQueueNums=2, writeQueueNums=4, perm=RW-, topicFilterType=SINGLE_TAG, topicSysFlag=0, order=false, attributes={}] Producer: 10.0.0.1:999"},
		{"body too large", send, sendFields("T", ""), strings.Repeat("x", 1001), 13, tooLarge},
		{"properties too large", send, sendFields("T", "properties="+props("A="+strings.Repeat("x", 32768))), "x", 13, tooLarge},
		{"inner batch", send, sendFields("T", "sysFlag=128"), "x", 13, tooLarge},
		{"no key", send, sendFields("COMPACT", ""), "x", 13, "Required message key is missing"},
		{"key", send, sendFields("COMPACT", "properties="+props("KEYS=k")), "x", 0, ""},
		{"level", send, sendFields("T", "properties="+props("DELAY=abc")), "x", 1, `For input string: "abc"`},
		{"timer", send, sendFields("T", "properties="+props("TIMER_DELAY_SEC=259201")), "x", protocol.MessageIllegal, timerIllegal},
		{"timer fired", send, sendFields("T", "properties="+props("TIMER_DELAY_SEC=5 TIMER_OUT_MS=1")), "x", 0, ""},
		{"batch to retry", send, sendFields("%RETRY%G", "batch=true"), "x", 13, "batch request does not support retry group %RETRY%G"},
		{"group name", send, sendFields("%RETRY%"+strings.Repeat("g", 121), ""), "x", 26, "subscription group not exist, " + strings.Repeat("g", 121) + " " + faq},
		// Java fails with an exception and SystemError.
		{"no body", send, sendFields("T", ""), "", 13, tooLarge},
		{"no batch", send, sendFields("T", "batch=true"), "xyz", 13, tooLarge},
		{"empty batch", send, sendFields("T", "batch=true"), "", 13, tooLarge},
	})
	_, exists := b.topics.Get("NEW")
	require.False(t, exists)
}

func TestRefusalsByConfiguration(t *testing.T) {
	const until = 1_800_000_000_000
	b := newBareBroker(t, func(c *Config) { c.StartAcceptSendRequestTimeMs = until })
	require.Equal(t, "broker unable to service, until "+time.UnixMilli(until).Format("2006-01-02 15:04:05,000"),
		b.ask(protocol.SendMessage, sendFields("T", ""), "x").Remark)

	b = newBareBroker(t, func(c *Config) { c.AutoCreateTopicEnable = false })
	require.NoError(t, b.topics.Put(protocol.NewTopicConfig("TBW102", 8, 8, 7)))
	require.Equal(t, protocol.TopicNotExist, b.ask(protocol.SendMessage, sendFields("T", ""), "x").Code)

	b = newBareBroker(t, func(c *Config) { c.BrokerPermission = protocol.PermRead })
	b.mustSend("T", "", "x") // Java stops ordered topics only
	ordered := protocol.NewTopicConfig("ORDERED", 1, 1, 6)
	ordered.Order = true
	require.NoError(t, b.topics.Put(ordered))
	answer := b.ask(protocol.SendMessage, sendFields("ORDERED", ""), "x")
	require.Equal(t, "the broker[127.0.0.1] sending message is forbidden", answer.Remark)
	require.Equal(t, protocol.NoPermission, b.ask(protocol.ConsumerSendMsgBack, "group=G offset=0 delayLevel=0", "").Code)

	b = newBareBroker(t, nil)
	batchQueue := protocol.NewTopicConfig("BCQ", 1, 1, 6)
	batchQueue.Attributes = map[string]string{"queue.type": "BatchCQ"}
	require.NoError(t, b.topics.Put(batchQueue))
	require.Equal(t, protocol.MessageIllegal, b.ask(protocol.SendMessage, sendFields("BCQ", ""), "x").Code)
}

func TestAutoCreatedTopics(t *testing.T) {
	b := newBareBroker(t, nil)
	for _, c := range []struct {
		topic, more string
		queues      int32
		sysFlag     int32
	}{
		{"A", "", 4, 0},
		{"B", "defaultTopicQueueNums=100", 8, 0},
		{"C", "unitMode=true", 4, 1},
		{"%RETRY%G", "unitMode=true", 4, 2},
		{"%RETRY%H", "defaultTopic=NOPE", 1, 0},
		{"%DLQ%G", "", 4, 0},
	} {
		b.mustSend(c.topic, c.more, "x")
		topic, ok := b.topics.Get(c.topic)
		require.True(t, ok, c.topic)
		require.Equal(t, []int32{c.queues, c.queues, 6, c.sysFlag}, []int32{topic.ReadQueueNums, topic.WriteQueueNums, topic.Perm, topic.TopicSysFlag}, c.topic)
	}
	// Java makes such a topic too, and nobody can use it.
	require.Equal(t, protocol.InvalidParameter, b.ask(protocol.SendMessage, sendFields("N", "defaultTopicQueueNums=-1"), "x").Code)
}

func TestANegativeQueueMeansAny(t *testing.T) {
	b := newBareBroker(t, nil)
	seen := map[int32]bool{}
	for range 200 {
		seen[b.stored(b.mustSend("T", "queueId=-1", "x")).QueueID] = true
	}
	require.Len(t, seen, 4)
}

func TestPropertiesAreCleanedAsJavaDoes(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"none", "", ""},
		{"good", "A\x01a\x02B\x01b\x02", "A\x01a\x02B\x01b\x02"},
		{"open end", "A\x01a", "A\x01a\x02"},
		{"no name", "\x01a\x02B\x01b\x02", "B\x01b\x02"},
		{"no value", "A\x01\x02B\x01b\x02", "B\x01b\x02"},
		{"no separator", "A\x02B\x01b\x02C", "B\x01b\x02"},
		{"only separators", "\x02\x02\x02", ""},
		{"two separators", "A\x01a\x01b\x02", "A\x01a\x01b\x02"},
		{"own", "TRACE_ON\x01x\x02A\x01a\x02POP_CK\x01y\x02B\x01b\x02CLUSTER\x01c", "A\x01a\x02B\x01b\x02"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := readProps(c.text)
			require.Equal(t, c.want, p.text)
		})
	}
	p := readProps("UNIQ_KEY\x01a\x02UNIQ_KEY\x01b\x02WAIT\x01FALSE\x02")
	require.Equal(t, "b", p.uniqKey)
	require.True(t, p.noWait)
}

func TestAMessageWithoutUniqKeyGetsOne(t *testing.T) {
	b := newBareBroker(t, nil)
	ids := map[string]bool{}
	for range 3 {
		answer := b.mustSend("T", "", "x")
		id, _ := answer.Field("transactionId")
		require.Regexp(t, "^7F000001[0-9A-F]{24}$", id)
		require.Equal(t, id, b.stored(answer).UniqKey())
		ids[id] = true
	}
	require.Len(t, ids, 3)
}

func TestADelayedMessageWaits(t *testing.T) {
	b := newBareBroker(t, nil)
	answer := b.mustSend("T", "queueId=3 properties="+props("UNIQ_KEY=U DELAY=99 TIMER_DELAY_SEC=1"), "x")
	requireFields(t, answer, "MSG_REGION=DefaultRegion TRACE_ON=true msgId=7F00000100002A9F0000000000000000 queueId=3 queueOffset=0 transactionId=U")
	m := b.stored(answer)
	require.Equal(t, []any{message.ScheduleTopic, int32(17)}, []any{m.Topic, m.QueueID})
	require.Equal(t, map[string]string{"UNIQ_KEY": "U", "DELAY": "18", "REAL_TOPIC": "T", "REAL_QID": "3",
		"MSG_REGION": "DefaultRegion", "TRACE_ON": "true", "CLUSTER": "DefaultCluster"}, message.ParseProperties(m.Properties))
	_, _, due, ok := b.store.TagsCodeAt(message.ScheduleTopic, 17, 0)
	require.True(t, ok)
	require.Equal(t, b.clock.Now().Add(2*time.Hour).UnixMilli(), due)

	for _, level := range []string{"0", "-3"} {
		require.Equal(t, "T", b.stored(b.mustSend("T", "properties="+props("DELAY="+level), "x")).Topic)
	}
	// A transactional message that comes back delayed is delayed, not prepared.
	retried := b.mustSend("T", "reconsumeTimes=1 properties="+props("DELAY=1 TRAN_MSG=true"), "x")
	require.Equal(t, message.ScheduleTopic, b.stored(retried).Topic)
}

func TestABatchIsStoredAsItIs(t *testing.T) {
	b := newBareBroker(t, nil)
	body := message.AppendBatchItem(nil, 5, []byte("m1"), props("UNIQ_KEY=B1 TAGS=t DELAY=3"))
	body = message.AppendBatchItem(body, 0, []byte("m2"), "")
	answer := b.mustSend("T", "batch=true queueId=1 properties="+props("UNIQ_KEY=H TRAN_MSG=true X=y"), string(body))
	ids, _ := answer.Field("msgId")
	first, second, ok := strings.Cut(ids, ",")
	require.True(t, ok)
	requireFields(t, answer, "MSG_REGION=DefaultRegion TRACE_ON=true msgId="+ids+" queueId=1 queueOffset=0 transactionId=H")
	for i, want := range []struct {
		id, body, props string
		flag            int32
	}{{first, "m1", props("UNIQ_KEY=B1 TAGS=t DELAY=3"), 5}, {second, "m2", "", 0}} {
		_, phyOffset, err := message.ParseOffsetMsgID(want.id)
		require.NoError(t, err)
		m, err := b.store.Message(phyOffset)
		require.NoError(t, err)
		require.Equal(t, []any{"T", int32(1), int64(i), want.body, want.props, want.flag}, []any{m.Topic, m.QueueID, m.QueueOffset, string(m.Body), m.Properties, m.Flag})
	}
	_, batchID := b.mustSend("T", "batch=true", string(body)).Field("transactionId")
	require.False(t, batchID)
}

// Items of a few bytes must not grow into a list that is many times the request.
func TestABatchOfTinyItemsIsBounded(t *testing.T) {
	b := newBareBroker(t, nil)
	var body []byte
	for range 50_000 {
		body = message.AppendBatchItem(body, 0, []byte("x"), "")
	}
	require.Equal(t, protocol.MessageIllegal, b.ask(protocol.SendMessage, sendFields("T", "batch=true"), string(body)).Code)
}

func TestDeadLetters(t *testing.T) {
	b := newBareBroker(t, nil)
	for _, c := range []struct {
		name, more string
		version    int32
		dead       bool
	}{
		{"limit of the group", "reconsumeTimes=16", 513, false},
		{"over it", "reconsumeTimes=17", 513, true},
		{"limit of the client", "reconsumeTimes=1 maxReconsumeTimes=1", 513, false},
		{"over it", "reconsumeTimes=2 maxReconsumeTimes=1", 513, true},
		{"a client that is too old to have one", "reconsumeTimes=2 maxReconsumeTimes=1", 120, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := &protocol.Command{Code: protocol.SendMessage, Version: c.version, Body: []byte("x")}
			for pair := range strings.FieldsSeq(sendFields("%RETRY%G", c.more)) {
				key, value, _ := strings.Cut(pair, "=")
				req.SetField(key, value)
			}
			answer, err := b.Handle(context.Background(), b.peer, req)
			require.NoError(t, err)
			require.Equal(t, protocol.Success, answer.Code, answer.Remark)
			m := b.stored(answer)
			delay, _ := m.Property("DELAY")
			if c.dead {
				require.Equal(t, []string{"%DLQ%G", "-1"}, []string{m.Topic, delay})
			} else {
				require.Equal(t, []string{"%RETRY%G", ""}, []string{m.Topic, delay})
			}
		})
	}
	dlq, _ := b.topics.Get("%DLQ%G")
	require.Equal(t, protocol.NewTopicConfig("%DLQ%G", 1, 1, 6), dlq)

	b.locks.TryLockBatch("G", "cid", []protocol.MessageQueue{{Topic: "T", BrokerName: "broker-a"}})
	require.Equal(t, "%DLQ%G", b.stored(b.mustSend("%RETRY%G", "", "x")).Topic, "an orderly group")
}

func TestSyncFlushWaitsForTheDisk(t *testing.T) {
	b := newBareBroker(t, func(c *Config) { c.FlushDiskType = store.SyncFlush })
	// Nothing flushes here: the store does not run.
	b.mustSend("T", "properties="+props("WAIT=false"), "x")
	done := make(chan *protocol.Command)
	go func() { done <- b.ask(protocol.SendMessage, sendFields("T", "properties="+props("UNIQ_KEY=U")), "x") }()
	require.NoError(t, b.clock.BlockUntilContext(t.Context(), 1))
	b.clock.Advance(5 * time.Second)
	answer := <-done
	require.Equal(t, protocol.FlushDiskTimeout, answer.Code)
	id, _ := answer.Field("transactionId")
	require.Equal(t, "U", id, "the header is there: the message is stored")
}

// The sends that one sync covers are answered by it, and while they wait no more are taken than the lane's limit.
func TestASyncAnswersAllSendsThatItCovers(t *testing.T) {
	const waiting = 20
	b := newBareBroker(t, func(c *Config) {
		c.FlushDiskType, c.SendThreadPoolQueueCapacity = store.SyncFlush, waiting
	})
	b.mustSend("T", "properties="+props("WAIT=false"), "x")
	answers := make(chan *protocol.Command, waiting)
	for i := range waiting {
		go func() { answers <- b.ask(protocol.SendMessage, sendFields("T", ""), fmt.Sprint(i)) }()
	}
	testkit.Eventually(t, b.durable.Full, "all wait")
	refused := b.ask(protocol.SendMessage, sendFields("T", ""), "one more")
	require.Equal(t, []any{protocol.SystemBusy, "[OVERLOAD]system busy, start flow control for a while"}, []any{refused.Code, refused.Remark})
	require.Empty(t, answers)

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.store.Run(ctx) }()
	offsets := map[string]bool{}
	for range waiting {
		answer := <-answers
		require.Equal(t, protocol.Success, answer.Code)
		offset, _ := answer.Field("queueOffset")
		offsets[offset] = true
	}
	require.Len(t, offsets, waiting, "each has an answer of its own")
	require.False(t, b.durable.Full())
	stop()
	require.NoError(t, <-ended)
}

func TestADiskThatFailsToSyncIsToldToTheSender(t *testing.T) {
	b := newBroker(t, vfs.NewMem(), clockwork.NewRealClock(), func(c *Config) { c.FlushDiskType = store.SyncFlush })
	w := dial(t, b, "10911")
	require.Equal(t, protocol.Success, w.ask(protocol.SendMessage, sendFields("T", ""), "before").Code)
	b.fs.(*vfs.Mem).SetFault(func(op vfs.Op) error {
		if op.Kind == "sync" {
			return syscall.EIO
		}
		return nil
	})
	require.Equal(t, protocol.FlushDiskTimeout, w.ask(protocol.SendMessage, sendFields("T", ""), "while").Code)
	require.Equal(t, protocol.ServiceNotAvailable, w.ask(protocol.SendMessage, sendFields("T", ""), "after").Code)
	require.Error(t, b.stop())
}

func TestPutOutcomes(t *testing.T) {
	b := newBareBroker(t, nil)
	for _, c := range []struct {
		err    error
		code   int32
		remark string
	}{
		{store.ErrMessageIllegal, 13, "the message is illegal, maybe msg body or properties length not matched."},
		{store.ErrPropertiesTooLarge, 13, "the message is illegal, maybe msg body or properties length not matched."},
		{store.ErrPageCacheBusy, 2, "[PC_SYNCHRONIZED]broker busy, start flow control for a while"},
		{store.ErrNotWriteable, 14, "service not available now. It may be caused by one of the following reasons: the broker's disk is full [CL: "},
		{store.ErrClosed, 14, "service not available now."},
	} {
		var answer *protocol.Error
		require.ErrorAs(t, b.putOutcome(fmt.Errorf("%w: cause", c.err)), &answer)
		require.Equal(t, c.code, answer.Code)
		require.Contains(t, answer.Remark, c.remark)
	}
	unexpected := errors.New("unexpected")
	require.Equal(t, unexpected, b.putOutcome(unexpected), "the mux logs it and answers SystemError")
	require.EqualValues(t, 6, b.stats.PutFailed.Total())
}
