// SPDX-License-Identifier: Apache-2.0

package javaclient

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// startLitePull starts a DefaultLitePullConsumer that commits only when it is told to.
func (j *client) startLitePull(group string, subscribe string) *object {
	j.t.Helper()
	o := j.newClient(litePullClass, fields{"consumerGroup": group, "autoCommit": false, "pollTimeoutMillis": 200})
	if subscribe != "" {
		o.call(nil, "subscribe", subscribe, "*")
	}
	return o.start()
}

// poll takes what a lite pull consumer has, until it has had count different messages.
func (o *object) poll(count int) (all []received) {
	o.t.Helper()
	eventually(o.t, "the polled messages", func() bool {
		var some []received
		o.call(&some, "poll")
		all = append(all, some...)
		return len(all) >= count
	})
	require.Len(o.t, all, count)
	return all
}

// pollFrom takes count messages that begin at an offset. What a pull under way at the time of a seek has brought from
// elsewhere is passed over: the client hands it out all the same.
func (o *object) pollFrom(offset int64, count int) {
	o.t.Helper()
	next := offset
	eventually(o.t, fmt.Sprintf("%d messages from offset %d", count, offset), func() bool {
		var some []received
		o.call(&some, "poll")
		for _, m := range some {
			if m.QueueOffset == next && next < offset+int64(count) {
				next++
			}
		}
		return next == offset+int64(count)
	})
}

func TestLitePullSubscribe(t *testing.T) {
	each(t, forms, func(t *testing.T, j *client) {
		const count, queues = 60, 3
		topic, group, p := j.newTopic(queues), j.unique("group"), j.startProducer(nil)
		messages := newMessages(topic, 0, count)
		byID := map[string]int{}
		for i, r := range p.send("sync", messages) {
			byID[r.MsgID] = i
		}
		first := j.startLitePull(group, topic)
		for _, m := range first.poll(count) {
			i, known := byID[m.MsgID]
			require.True(t, known, m.MsgID)
			delete(byID, m.MsgID)
			requireSame(t, messages[i], m)
		}
		// The client sends its offsets one-way: what is under way when it ends may not arrive, at Java either.
		for queue := range int32(queues) {
			_, end, err := j.c.Range(topic, queue)
			require.NoError(t, err)
			eventually(t, "the offset", func() bool {
				first.call(nil, "commitSync")
				return j.committed(group, topic, queue) == end
			})
		}
		first.call(nil, "shutdown")

		p.send("sync", newMessages(topic, count, 10))
		second := j.startLitePull(group, topic)
		for _, m := range second.poll(10) {
			require.NotContains(t, byID, m.MsgID)
		}
	})
}

func TestLitePullAssign(t *testing.T) {
	each(t, releases, func(t *testing.T, j *client) {
		const each = 20
		topic, group, p := j.newTopic(2), j.unique("group"), j.startProducer(nil)
		for id := range int32(2) {
			require.Len(t, p.sendTo(queue{topic, "broker-a", id}, newMessages(topic, int(id)*each, each)), each)
		}
		require.Len(t, j.stored(topic, 2*each), 2*each)
		lite := j.startLitePull(group, "")
		var queues []queue
		lite.call(&queues, "fetchMessageQueues", topic)
		q0, q1 := queue{topic, "broker-a", 0}, queue{topic, "broker-a", 1}
		require.ElementsMatch(t, []queue{q0, q1}, queues)

		lite.call(nil, "assign", []queue{q1})
		lite.call(nil, "seek", q1, 12)
		lite.pollFrom(12, each-12)
		lite.call(nil, "seekToEnd", q1)
		p.send("sync", newMessages(topic, 2*each, 2)) // one for each queue
		lite.pollFrom(each, 1)
		lite.call(nil, "seekToBegin", q1)
		lite.pollFrom(0, each+1)

		var offset *int64
		lite.call(&offset, "offsetForTimestamp", q1, time.Now().Add(-time.Hour).UnixMilli())
		require.NotNil(t, offset)
		require.Zero(t, *offset)
		lite.call(nil, "commitSync", map[string]int64{q1.String(): 7}, true)
		eventually(t, "the committed offset", func() bool { return j.committed(group, topic, 1) == 7 })
		lite.call(&offset, "committed", q1)
		require.EqualValues(t, 7, *offset)

		lite.call(nil, "assign", []queue{q0})
		eventually(t, "the other queue", func() bool {
			var some []received
			lite.call(&some, "poll")
			return len(some) > 0 && some[0].QueueID == 0
		})
	})
}

// pullResult is a Java PullResult.
type pullResult struct {
	PullStatus                            string
	NextBeginOffset, MinOffset, MaxOffset int64
	MsgFoundList                          []received
}

func TestPullConsumer(t *testing.T) {
	each(t, forms, func(t *testing.T, j *client) {
		const count = 20
		topic, group, p := j.newTopic(1), j.unique("group"), j.startProducer(nil)
		messages := newMessages(topic, 0, count)
		for i := range messages {
			messages[i].Tags = []string{"TagA", "TagB"}[i%2]
		}
		p.send("sync", messages)
		require.Len(t, j.stored(topic, count), count)
		puller := j.newClient(pullClass, fields{"consumerGroup": group}).start()
		var queues []queue
		puller.call(&queues, "fetchSubscribeMessageQueues", topic)
		q := queue{topic, "broker-a", 0}
		require.Equal(t, []queue{q}, queues)

		pull := func(tags string, from, most int) (r pullResult) {
			t.Helper()
			puller.call(&r, "pull", q, tags, from, most)
			return r
		}
		r := pull("*", 5, 8)
		require.Equal(t, pullResult{"FOUND", 13, 0, count, nil}, pullResult{r.PullStatus, r.NextBeginOffset, r.MinOffset, r.MaxOffset, nil})
		require.Len(t, r.MsgFoundList, 8)
		for i, m := range r.MsgFoundList {
			requireSame(t, messages[5+i], m)
			require.EqualValues(t, 5+i, m.QueueOffset)
		}
		r = pull("TagB", 0, 32)
		require.Len(t, r.MsgFoundList, count/2)
		require.EqualValues(t, count, r.NextBeginOffset)
		r = pull("TagZ", 0, 32)
		require.Equal(t, pullResult{"NO_MATCHED_MSG", count, 0, count, nil}, r)
		r = pull("*", count, 32)
		require.Equal(t, pullResult{"NO_NEW_MSG", count, 0, count, nil}, r)
		r = pull("*", count+30, 32)
		require.Equal(t, pullResult{"OFFSET_ILLEGAL", count, 0, count, nil}, r)

		waiting := make(chan error, 1)
		go func() { waiting <- puller.try(&r, "pullBlockIfNotFound", q, "*", count, 32) }()
		p.send("sync", newMessages(topic, count, 1))
		require.NoError(t, <-waiting)
		require.Len(t, r.MsgFoundList, 1, "it came while the pull waited")
	})
}

func TestPullConsumerOffsets(t *testing.T) {
	each(t, forms, func(t *testing.T, j *client) {
		topic, group, p := j.newTopic(1), j.unique("group"), j.startProducer(nil)
		results := p.send("sync", newMessages(topic, 0, 10))
		records := j.stored(topic, 10)
		puller := j.newClient(pullClass, fields{"consumerGroup": group, "registerTopics": []string{topic}}).start()
		q := queue{topic, "broker-a", 0}
		eventually(t, "the queue", func() bool {
			var queues []queue
			puller.call(&queues, "fetchMessageQueuesInBalance", topic)
			return len(queues) == 1 && queues[0] == q
		})
		ask := func(method string, args ...any) (offset int64) {
			t.Helper()
			puller.call(&offset, method, append([]any{q}, args...)...)
			return offset
		}
		require.EqualValues(t, 0, ask("minOffset"))
		require.EqualValues(t, 10, ask("maxOffset"))
		require.EqualValues(t, 0, ask("searchOffset", 1))
		for _, r := range records {
			found := ask("searchOffset", r.StoreTimestampMs)
			require.LessOrEqual(t, found, r.QueueOffset)
			require.Equal(t, r.StoreTimestampMs, records[found].StoreTimestampMs)
		}

		puller.call(nil, "updateConsumeOffset", q, 6)
		eventually(t, "the persisted offset", func() bool { return j.committed(group, topic, 0) == 6 })
		require.EqualValues(t, 6, ask("fetchConsumeOffset", true))

		m := puller.keep("viewMessage", topic, results[3].OffsetMsgID)
		puller.call(nil, "sendMessageBack", m.ref(), 1, "broker-a", group)
		retry := j.stored("%RETRY%"+group, 1)
		require.Len(t, retry, 1)
		require.EqualValues(t, 1, retry[0].ReconsumeTimes)
		require.Equal(t, string(records[3].Body), string(retry[0].Body))
	})
}
