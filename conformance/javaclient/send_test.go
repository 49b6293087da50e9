// SPDX-License-Identifier: Apache-2.0

package javaclient

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSendSync(t *testing.T) {
	each(t, forms, func(t *testing.T, j *client) {
		const count, queues = 100, 4
		topic, p := j.newTopic(queues), j.startProducer(nil)
		messages := newMessages(topic, 0, count)
		for i := range messages {
			messages[i].Tags, messages[i].Flag = "TagA", int32(i)
			messages[i].Properties["umlaut"] = "Größe 大小 😀"
		}
		results := p.send("sync", messages)
		next, byID := map[int32]int64{}, map[string]int{}
		for i, r := range results {
			require.Equal(t, queue{topic, "broker-a", r.MessageQueue.QueueID}, r.MessageQueue)
			require.Equal(t, next[r.MessageQueue.QueueID], r.QueueOffset, "queue %d", r.MessageQueue.QueueID)
			next[r.MessageQueue.QueueID]++
			require.Contains(t, []int{32, 56}, len(r.MsgID), "from an IPv4 or an IPv6 address: %s", r.MsgID)
			require.Equal(t, j.c.Broker.Addr, hostOf(t, r.OffsetMsgID))
			require.True(t, r.TraceOn)
			require.Equal(t, "DefaultRegion", r.RegionID)
			byID[r.MsgID] = i
		}
		require.Len(t, byID, count)
		require.Len(t, next, queues, "the producer takes turns")

		got := j.startConsumer(j.unique("group"), topic, options{})
		eventually(t, "all messages", func() bool { return got.different() == count })
		for _, m := range got.all() {
			i, known := byID[m.MsgID]
			require.True(t, known, m.MsgID)
			requireSame(t, messages[i], m)
			require.Equal(t, results[i].OffsetMsgID, m.OffsetMsgID)
			require.Equal(t, results[i].MessageQueue, queue{m.Topic, m.BrokerName, m.QueueID})
			require.Equal(t, results[i].QueueOffset, m.QueueOffset)
			require.Equal(t, "/"+j.c.Broker.Addr, m.StoreHost)
			require.Contains(t, m.BornHost, "/127.0.0.1:")
			require.Equal(t, "DefaultRegion", m.Properties["MSG_REGION"])
			require.Equal(t, "true", m.Properties["TRACE_ON"])
			require.Equal(t, "DefaultCluster", m.Properties["CLUSTER"])
			require.Zero(t, m.ReconsumeTimes)
			require.Positive(t, m.BornTimestamp)
			require.GreaterOrEqual(t, m.StoreTimestamp, m.BornTimestamp)
		}
		j.mustHoldOnce(topic, count)
	})
}

// requireSame compares what was sent with what arrived, in all that a producer determines.
func requireSame(t *testing.T, want message, got received) {
	t.Helper()
	require.Equal(t, want.Topic, got.Topic)
	require.Equal(t, want.Tags, got.Tags)
	require.Equal(t, want.Keys, got.Keys)
	require.Equal(t, want.Flag, got.Flag)
	require.True(t, bytes.Equal(want.Body, got.Body), "%.200q instead of %.200q", got.Body, want.Body)
	for name, value := range want.Properties {
		require.Equal(t, value, got.Properties[name], name)
	}
}

// hostOf reads the Broker's address from a message id.
func hostOf(t *testing.T, offsetMsgID string) string {
	id, err := hex.DecodeString(offsetMsgID)
	require.NoError(t, err)
	require.Len(t, id, 16)
	port := int(id[4])<<24 | int(id[5])<<16 | int(id[6])<<8 | int(id[7])
	return net.JoinHostPort(net.IP(id[:4]).String(), strconv.Itoa(port))
}

func TestSendAsync(t *testing.T) {
	each(t, releases, func(t *testing.T, j *client) {
		const count = 200
		topic, p := j.newTopic(4), j.startProducer(nil)
		messages := newMessages(topic, 0, count)
		results := p.send("async", messages)
		require.Len(t, results, count)
		bodies := map[string]string{}
		for i, r := range results {
			bodies[fmt.Sprint(r.MessageQueue.QueueID, " ", r.QueueOffset)] = string(messages[i].Body)
		}
		for _, r := range j.stored(topic, count) {
			require.Equal(t, bodies[fmt.Sprint(r.QueueID, " ", r.QueueOffset)], string(r.Body))
		}
		j.mustHoldOnce(topic, count)
	})
}

func TestSendOneWay(t *testing.T) {
	each(t, forms, func(t *testing.T, j *client) {
		const count = 100
		topic, p := j.newTopic(2), j.startProducer(nil)
		p.send("one way", newMessages(topic, 0, count))
		j.mustHoldOnce(topic, count)
	})
}

func TestSendBatch(t *testing.T) {
	each(t, forms, func(t *testing.T, j *client) {
		const batches, size = 4, 30
		topic, p := j.newTopic(4), j.startProducer(nil)
		byID, places := map[string]message{}, map[string]int64{}
		for b := range batches {
			batch := newMessages(topic, b*size, size)
			for i := range batch {
				batch[i].Tags, batch[i].Flag = fmt.Sprintf("Tag%d", i%3), int32(i)
			}
			results := p.send("batch", batch)
			require.Len(t, results, 1)
			ids, offsetIDs := strings.Split(results[0].MsgID, ","), strings.Split(results[0].OffsetMsgID, ",")
			require.Len(t, ids, size)
			require.Len(t, offsetIDs, size)
			for i, id := range ids {
				byID[id], places[id] = batch[i], results[0].QueueOffset+int64(i)
				require.Equal(t, j.c.Broker.Addr, hostOf(t, offsetIDs[i]))
			}
		}
		got := j.startConsumer(j.unique("group"), topic, options{})
		eventually(t, "all messages", func() bool { return got.different() == batches*size })
		for _, m := range got.all() {
			requireSame(t, byID[m.MsgID], m)
			require.Equal(t, places[m.MsgID], m.QueueOffset)
		}
		j.mustHoldOnce(topic, batches*size)
	})
}

// A MessageQueueSelector decides the queue; so does a sender who names it.
func TestSendToSelectedQueue(t *testing.T) {
	each(t, releases, func(t *testing.T, j *client) {
		const count, queues = 40, 4
		topic, p := j.newTopic(queues), j.startProducer(nil)
		messages := newMessages(topic, 0, count)
		for i := range messages {
			messages[i].Properties["order"] = fmt.Sprint(i % 10)
		}
		for i, r := range p.send("selector", messages) {
			require.EqualValues(t, i%10%queues, r.MessageQueue.QueueID)
		}
		for _, r := range p.sendTo(queue{topic, "broker-a", 3}, newMessages(topic, count, 3)) {
			require.EqualValues(t, 3, r.MessageQueue.QueueID)
		}
		for _, r := range j.stored(topic, count+3) {
			if order, _ := r.Property("order"); order != "" {
				number, err := strconv.Atoi(order)
				require.NoError(t, err)
				require.EqualValues(t, number%queues, r.QueueID)
			}
		}
		j.mustHoldOnce(topic, count+3)
	})
}

// sysFlagCompressed is set in the record of a body that the client has compressed.
const sysFlagCompressed = 1

// A body of 4 KiB and more is compressed by the client, one over 4 MiB refused.
func TestSendLarge(t *testing.T) {
	each(t, forms, func(t *testing.T, j *client) {
		topic, p := j.newTopic(1), j.startProducer(fields{"maxMessageSize": 8 << 20})
		noise := make([]byte, 1<<20)
		_, _ = rand.Read(noise)
		messages := newMessages(topic, 0, 4)
		for i, body := range [][]byte{bytes.Repeat([]byte("rocket"), 100_000), bytes.Repeat([]byte("r"), 4096), bytes.Repeat([]byte("r"), 4095), noise} {
			messages[i].Body = body
		}
		p.send("sync", messages)
		for i, r := range j.stored(topic, len(messages)) {
			require.Equal(t, i != 2, r.SysFlag&sysFlagCompressed != 0, "message %d", i)
			require.Equal(t, i != 3, len(r.Body) <= 4096, "message %d", i)
		}
		got := j.startConsumer(j.unique("group"), topic, options{})
		eventually(t, "all messages", func() bool { return got.different() == len(messages) })
		for _, m := range got.all() {
			requireSame(t, messages[m.QueueOffset], m)
		}

		huge := newMessage(topic, 5)
		huge.Body = make([]byte, 5<<20)
		_, _ = rand.Read(huge.Body)
		var thrown *javaError
		require.ErrorAs(t, p.do(fields{"do": "send", "on": p.name, "mode": "sync", "messages": []message{huge}}, nil), &thrown)
		require.EqualValues(t, 13, thrown.Code, thrown.Error())
	})
}

// The releases from 5.x on choose between three compressions; the bits that name one are the sender's business alone.
func TestSendCompressed(t *testing.T) {
	each(t, forms[1:], func(t *testing.T, j *client) {
		topic := j.newTopic(1)
		var messages []message
		for i, kind := range []string{"LZ4", "ZSTD", "ZLIB"} {
			m := newMessage(topic, i)
			m.Body = bytes.Repeat([]byte(kind), 10_000)
			messages = append(messages, m)
			j.startProducer(fields{"compressType": kind}).send("sync", []message{m})
		}
		for i, r := range j.stored(topic, len(messages)) {
			require.EqualValues(t, i+1, r.SysFlag>>8&7)
			require.Less(t, len(r.Body), 4096)
		}
		got := j.startConsumer(j.unique("group"), topic, options{})
		eventually(t, "all messages", func() bool { return got.different() == len(messages) })
		for _, m := range got.all() {
			requireSame(t, messages[m.QueueOffset], m)
		}
	})
}

// The releases from 5.x on can gather single messages into batches by themselves.
func TestSendGathered(t *testing.T) {
	each(t, forms[1:], func(t *testing.T, j *client) {
		const count = 100
		topic, p := j.newTopic(1), j.startProducer(fields{"autoBatch": true})
		messages := newMessages(topic, 0, count)
		byID := map[string]int{}
		for i, r := range p.send("async", messages) {
			byID[r.MsgID] = i
		}
		require.Len(t, byID, count)
		for _, r := range j.stored(topic, count) {
			id, _ := r.Property("UNIQ_KEY")
			require.Equal(t, string(messages[byID[id]].Body), string(r.Body))
		}
		j.mustHoldOnce(topic, count)
	})
}

// The first send to a topic that nobody has made creates it.
func TestSendCreatesTopic(t *testing.T) {
	each(t, releases, func(t *testing.T, j *client) {
		topic, p := j.unique("topic"), j.startProducer(nil)
		p.send("sync", newMessages(topic, 0, 10))
		require.NoError(t, j.c.WaitRoute(topic))
		queues, err := j.c.Queues(topic)
		require.NoError(t, err)
		require.EqualValues(t, 4, queues, "what the client asks for")
		j.mustHoldOnce(topic, 10)
	})
}

// Programs make topics by their producer, too.
func TestCreateTopic(t *testing.T) {
	each(t, releases, func(t *testing.T, j *client) {
		topic, p := j.unique("topic"), j.startProducer(nil)
		args := []any{"TBW102", topic, 3}
		if j.version != "4.9.8" {
			args = append(args, map[string]string{})
		}
		p.call(nil, "createTopic", args...)
		require.NoError(t, j.c.WaitRoute(topic))
		queues, err := j.c.Queues(topic)
		require.NoError(t, err)
		require.EqualValues(t, 3, queues)
	})
}

// The levels of the test's Broker are all one second; a message is never early.
func TestSendDelayed(t *testing.T) {
	each(t, forms, func(t *testing.T, j *client) {
		const count = 18
		topic, p := j.newTopic(2), j.startProducer(nil)
		got := j.startConsumer(j.unique("group"), topic, options{})
		messages := newMessages(topic, 0, count)
		for i := range messages {
			messages[i].Tags, messages[i].DelayTimeLevel = "TagD", 1+i
		}
		byID := map[string]int{}
		for i, r := range p.send("sync", messages) {
			byID[r.MsgID] = i
		}
		eventually(t, "the delayed messages", func() bool { return got.different() == count })
		for _, m := range got.all() {
			i, known := byID[m.MsgID]
			require.True(t, known, m.MsgID)
			requireSame(t, messages[i], m)
			require.Equal(t, fmt.Sprint(1+i), m.Properties["DELAY"])
			require.Equal(t, topic, m.Properties["REAL_TOPIC"])
			// Java rounds the due time down to a whole second.
			require.GreaterOrEqual(t, m.StoreTimestamp-m.BornTimestamp, int64(0))
		}
		require.Len(t, got.all(), count)
	})
}

// The VIP channel is the Broker's port less two; nothing else listens there.
func TestSendOverTheVipChannel(t *testing.T) {
	each(t, releases, func(t *testing.T, j *client) {
		const count = 50
		topic, p := j.newTopic(4), j.startProducer(fields{"vipChannelEnabled": true})
		p.send("sync", newMessages(topic, 0, count))
		p.send("batch", newMessages(topic, count, count))
		p.send("async", newMessages(topic, 2*count, count))
		got := j.startConsumer(j.unique("group"), topic, options{set: fields{"vipChannelEnabled": true}})
		eventually(t, "all messages", func() bool { return got.different() == 3*count })
		j.mustHoldOnce(topic, 3*count)
	})
}
