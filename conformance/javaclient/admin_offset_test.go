// SPDX-License-Identifier: Apache-2.0

package javaclient

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// consumedTopic is a topic of one queue whose first messages a group has consumed, and whose consumer has ended.
func (j *client) consumedTopic(group string, consumed, count int) (q queue, messages []message) {
	j.t.Helper()
	topic, p := j.newTopic(1), j.startProducer(nil)
	q, messages = queue{topic, "broker-a", 0}, newMessages(topic, 0, count)
	for i := range messages {
		messages[i].Tags = "TagA"
	}
	p.sendTo(q, messages[:consumed])
	got := j.startConsumer(group, topic, options{})
	got.commit(group, q, int64(consumed))
	got.call(nil, "shutdown")
	p.sendTo(q, messages[consumed:])
	return q, messages
}

func TestAdminTimes(t *testing.T) {
	each(t, forms, func(t *testing.T, j *client) {
		const consumed, count = 6, 10
		admin, group := j.startAdmin(), j.unique("group")
		q, _ := j.consumedTopic(group, consumed, count)
		records := j.stored(q.Topic, count)
		var first int64
		admin.call(&first, "earliestMsgStoreTime", q)
		require.Equal(t, records[0].StoreTimestampMs, first)

		var spans []struct {
			MessageQueue                                            queue
			MinTimeStamp, MaxTimeStamp, ConsumeTimeStamp, DelayTime int64
		}
		before := time.Now().UnixMilli()
		admin.call(&spans, "queryConsumeTimeSpan", q.Topic, group)
		require.Len(t, spans, 1)
		s := spans[0]
		require.Equal(t, q, s.MessageQueue)
		require.Equal(t, records[0].StoreTimestampMs, s.MinTimeStamp)
		require.Equal(t, records[count-1].StoreTimestampMs, s.MaxTimeStamp)
		require.Equal(t, records[consumed-1].StoreTimestampMs, s.ConsumeTimeStamp)
		require.GreaterOrEqual(t, s.DelayTime, before-records[consumed].StoreTimestampMs)
	})
}

func TestAdminConsumeQueue(t *testing.T) {
	each(t, forms, func(t *testing.T, j *client) {
		const count = 10
		admin, group := j.startAdmin(), j.unique("group")
		topic, p := j.newTopic(1), j.startProducer(nil)
		messages := newMessages(topic, 0, count)
		for i := range messages {
			messages[i].Tags = []string{"TagA", "TagB"}[i%2]
		}
		p.sendTo(queue{topic, "broker-a", 0}, messages)
		got := j.startConsumer(group, topic, options{expression: "TagB"})
		eventually(t, "its messages", func() bool { return got.different() == count/2 })
		var body struct {
			SubscriptionData             struct{ SubString string }
			MaxQueueIndex, MinQueueIndex int64
			QueueData                    []struct {
				PhysicOffset, TagsCode int64
				PhysicSize             int32
			}
		}
		const from, most = 3, 5
		admin.call(&body, "queryConsumeQueue", j.c.Broker.Addr, topic, 0, from, most, group)
		require.Equal(t, "TagB", body.SubscriptionData.SubString)
		require.EqualValues(t, count, body.MaxQueueIndex)
		require.Zero(t, body.MinQueueIndex)
		require.Len(t, body.QueueData, most)
		all := j.stored(topic, count)
		for i, entry := range body.QueueData {
			require.Equal(t, all[from+i].PhyOffset, entry.PhysicOffset)
			require.Positive(t, entry.PhysicSize)
			require.EqualValues(t, []int64{2598919, 2598920}[(from+i)%2], entry.TagsCode)
		}
	})
}

// The offsets of one group become another's, also where the tools ask about the groups behind.
func TestAdminCloneOffsets(t *testing.T) {
	each(t, forms, func(t *testing.T, j *client) {
		const consumed, count = 6, 10
		admin, group, clone := j.startAdmin(), j.unique("group"), j.unique("clone")
		q, messages := j.consumedTopic(group, consumed, count)
		admin.call(nil, "cloneGroupOffset", group, clone, q.Topic, true)
		require.EqualValues(t, consumed, j.committed(clone, q.Topic, 0))
		got := j.startConsumer(clone, q.Topic, options{})
		eventually(t, "what is left", func() bool { return got.different() == count-consumed })
		for _, m := range got.all() {
			require.GreaterOrEqual(t, m.QueueOffset, int64(consumed))
			requireSame(t, messages[m.QueueOffset], m)
		}

		api := got.keep("getDefaultMQPushConsumerImpl").keep("getmQClientFactory").keep("getMQClientAPIImpl")
		var least map[int32]int64
		api.call(&least, "queryCorrectionOffset", j.c.Broker.Addr, q.Topic, group, []string{}, patienceMs)
		got.commit(clone, q, count)
		api.call(&least, "queryCorrectionOffset", j.c.Broker.Addr, q.Topic, clone, []string{}, patienceMs)
		require.Equal(t, map[int32]int64{0: consumed}, least, "the slowest group's offset")
	})
}

func TestAdminConsumeStatsOfBroker(t *testing.T) {
	each(t, releases, func(t *testing.T, j *client) {
		const consumed, count = 6, 10
		admin, group := j.startAdmin(), j.unique("group")
		q, _ := j.consumedTopic(group, consumed, count)
		got := j.startConsumer(group, q.Topic, options{})
		got.commit(group, q, count)
		var list struct {
			BrokerAddr       string
			ConsumeStatsList []map[string][]struct {
				OffsetTable map[string]struct{ BrokerOffset, ConsumerOffset int64 }
			}
		}
		admin.call(&list, "fetchConsumeStatsInBroker", j.c.Broker.Addr, false, patienceMs)
		require.Equal(t, j.c.Broker.Addr, list.BrokerAddr)
		found := 0
		for _, groups := range list.ConsumeStatsList {
			for _, stats := range groups[group] {
				for key, offset := range stats.OffsetTable {
					var at queue
					require.NoError(t, json.Unmarshal([]byte(key), &at))
					if at == q {
						found++
						require.EqualValues(t, count, offset.BrokerOffset)
						require.EqualValues(t, count, offset.ConsumerOffset)
					}
				}
			}
		}
		require.Equal(t, 1, found)
		got.call(nil, "shutdown")
	})
}

// A topic can be forbidden to one group, and allowed again. The call came with 5.x.
func TestAdminForbidden(t *testing.T) {
	each(t, forms[1:], func(t *testing.T, j *client) {
		admin, group, topic := j.startAdmin(), j.unique("group"), j.newTopic(1)
		j.startProducer(nil).sendTo(queue{topic, "broker-a", 0}, newMessages(topic, 0, 1))
		admin.call(nil, "createAndUpdateSubscriptionGroupConfig", j.c.Broker.Addr, groupConfig{group, true, 3})
		type forbidden struct {
			Topic, Group string
			Readable     bool
		}
		set := func(readable any, want bool) {
			t.Helper()
			var answer forbidden
			admin.call(&answer, "updateAndGetGroupReadForbidden", j.c.Broker.Addr, group, topic, readable)
			require.Equal(t, forbidden{topic, group, want}, answer)
		}
		set(nil, true)
		set(false, false)
		set(nil, false)
		refused := j.startConsumer(group, topic, options{})
		other := j.startConsumer(j.unique("other"), topic, options{})
		eventually(t, "the message at a group that may", func() bool { return other.different() == 1 })
		require.Empty(t, refused.all())
		set(true, true)
		eventually(t, "the message", func() bool { return refused.different() == 1 })
	})
}
