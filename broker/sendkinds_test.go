// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/protocol"
	"rocketd/protocol/message"
)

// A priority is the number of the queue, as far as there are queues, unless the message is of a kind that minds its queue
// or its time; then the property goes.
func TestPriorityChoosesTheQueue(t *testing.T) {
	b := newBareBroker(t, nil)
	require.NoError(t, b.topics.Put(protocol.NewTopicConfig("T", 4, 4, protocol.PermRead|protocol.PermWrite)))
	const priority = message.PropPriority + "="
	for _, c := range []struct{ properties, queue, kept string }{
		{"a=b", "1", ""},
		{priority + "0", "0", "0"},
		{priority + "3", "3", "3"},
		{priority + "4", "3", "4"},
		{priority + "-1", "1", "-1"},
		{priority + "high", "1", "high"},
		{priority + "3 __SHARDINGKEY=k", "1", ""},
		{"DELAY=0 " + priority + "3", "1", ""},
	} {
		answer := b.mustSend("T", "queueId=1 properties="+props(c.properties), "m")
		queue, _ := answer.Field("queueId")
		require.Equal(t, c.queue, queue, c.properties)
		kept, _ := message.Property(b.stored(answer).Properties, message.PropPriority)
		require.Equal(t, c.kept, kept, c.properties)
	}
}

func TestLiteTopicsAreNoted(t *testing.T) {
	b := newBareBroker(t, nil)
	m := b.stored(b.mustSend("T", "properties="+props("__LITE_TOPIC=child INNER_MULTI_DISPATCH=mine"), "m"))
	light, _ := message.Property(m.Properties, message.PropInnerMultiDispatch)
	require.Equal(t, "%LMQ%$T$child", light)
}

func TestWhatABatchCannotBe(t *testing.T) {
	b := newBareBroker(t, nil)
	body := string(message.AppendBatchItem(nil, 0, []byte("one"), ""))
	for _, more := range []string{"properties=" + props("DELAY=1"), "properties=" + props("INNER_NUM=1"), "sysFlag=4", "sysFlag=128"} {
		answer := b.ask(protocol.SendMessage, sendFields("T", "batch=true "+more), body)
		require.Equal(t, protocol.MessageIllegal, answer.Code, more)
	}
	b.mustAsk(protocol.SendMessage, sendFields("T", "batch=true properties="+props("DELAY=0 TRAN_MSG=true")), body)
}
