// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/protocol"
	"rocketd/protocol/message"
)

// last is the newest message of a queue.
func (b *bareBroker) last(topic string, queueID int32) *message.Message {
	b.t.Helper()
	_, end, ok := b.store.QueueRange(topic, queueID)
	require.True(b.t, ok && end > 0, "nothing in %s@%d", topic, queueID)
	phyOffset, _, _, ok := b.store.TagsCodeAt(topic, queueID, end-1)
	require.True(b.t, ok)
	m, err := b.store.Message(phyOffset)
	require.NoError(b.t, err)
	return m
}

func TestSendBack(t *testing.T) {
	b := newBareBroker(t, nil)
	sent := b.mustSend("T", "flag=9 properties="+props("UNIQ_KEY=U TAGS=a WAIT=true"), "body")
	id, _ := sent.Field("msgId")
	for _, c := range []struct {
		name, more string
		phyOffset  int64
		topic      string
		queueID    int32
		delay      string
		times      int32
	}{
		{"first", "delayLevel=0", 0, message.ScheduleTopic, 2, "3", 1},
		{"with a level", "delayLevel=7", 0, message.ScheduleTopic, 6, "7", 1},
		{"with too high a level", "delayLevel=77", 0, message.ScheduleTopic, 17, "18", 1},
		{"given up", "delayLevel=-1", 0, "%DLQ%G", 0, "0", 1},
		{"over the limit", "delayLevel=0 maxReconsumeTimes=0", 0, "%DLQ%G", 0, "0", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer := b.mustAsk(protocol.ConsumerSendMsgBack, fmt.Sprintf("group=G offset=%d originTopic=T originMsgId= unitMode=false %s", c.phyOffset, c.more), "")
			require.Empty(t, answer.Fields)
			m := b.last(c.topic, c.queueID)
			require.Equal(t, []any{"body", int32(9), c.times, "10.0.0.1:999"}, []any{string(m.Body), m.Flag, m.ReconsumeTimes, m.BornHost.String()})
			want := map[string]string{"UNIQ_KEY": "U", "TAGS": "a", "WAIT": "false", "RETRY_TOPIC": "T", "ORIGIN_MESSAGE_ID": id, "DELAY": c.delay,
				"MSG_REGION": "DefaultRegion", "TRACE_ON": "true", "CLUSTER": "DefaultCluster"}
			if c.topic == message.ScheduleTopic {
				want["REAL_TOPIC"], want["REAL_QID"] = "%RETRY%G", "0"
			}
			require.Equal(t, want, message.ParseProperties(m.Properties))
		})
	}
	retry, _ := b.topics.Get("%RETRY%G")
	require.Equal(t, protocol.NewTopicConfig("%RETRY%G", 1, 1, 6), retry)
}

// What names the original is kept however often a message comes back.
func TestSendBackAgain(t *testing.T) {
	b := newBareBroker(t, nil)
	b.mustSend("T", "properties="+props("RETRY_TOPIC=T0 ORIGIN_MESSAGE_ID=OLD")+" reconsumeTimes=5", "x")
	b.mustAsk(protocol.ConsumerSendMsgBack, "group=G offset=0 delayLevel=0", "")
	m := b.last(message.ScheduleTopic, 7)
	retry, _ := m.Property("RETRY_TOPIC")
	origin, _ := m.Property("ORIGIN_MESSAGE_ID")
	require.Equal(t, []any{"T0", "OLD", int32(6)}, []any{retry, origin, m.ReconsumeTimes})
}

func TestSendBackRefusals(t *testing.T) {
	b := newBareBroker(t, nil)
	b.mustSend("T", "", "x")
	none := protocol.NewGroupConfig("NONE")
	none.RetryQueueNums = 0
	require.NoError(t, b.groups.Put(none))
	require.NoError(t, b.topics.Put(protocol.NewTopicConfig("%RETRY%RO", 1, 1, protocol.PermRead)))
	const back = protocol.ConsumerSendMsgBack
	b.requireAnswers([]question{
		{"group name", back, "group=a/b offset=0 delayLevel=0", "", 26, "subscription group not exist, a/b " + faq},
		{"no group", back, "group= offset=0 delayLevel=0", "", 26, "subscription group not exist,  " + faq},
		{"path", back, "group=../../x offset=0 delayLevel=0", "", 26, "subscription group not exist, ../../x " + faq},
		{"long", back, "group=" + strings.Repeat("g", 121) + " offset=0 delayLevel=0", "", 26, "subscription group not exist, " + strings.Repeat("g", 121) + " " + faq},
		{"nothing there", back, "group=G offset=5000 delayLevel=0", "", 1, "look message by offset failed, 5000"},
		{"inside a record", back, "group=G offset=5 delayLevel=0", "", 1, "look message by offset failed, 5"},
		{"negative", back, "group=G offset=-9223372036854775808 delayLevel=0", "", 1, "look message by offset failed, -9223372036854775808"},
		{"beyond", back, "group=G offset=9223372036854775807 delayLevel=0", "", 1, "look message by offset failed, 9223372036854775807"},
		{"no retry queues", back, "group=NONE offset=77 delayLevel=0", "", 0, ""},
		{"retry topic not writable", back, "group=RO offset=0 delayLevel=0", "", 16, "the topic[%RETRY%RO] sending message is forbidden"},
	})
}
