// SPDX-License-Identifier: Apache-2.0

package javaclient

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// traceView is what the tools show of one step of a message's story.
type traceView struct {
	MsgID, OffSetMsgID, Topic, GroupName, Tags, Keys, Status, MsgType string
	ClientHost, StoreHost                                             string
}

// The trace of a message tells its sending and its consumption. The releases from 5.x on switch it on by a property, too.
func TestMessageTrace(t *testing.T) {
	each(t, releases, func(t *testing.T, j *client) {
		topic, trace, producers, group := j.newTopic(1), j.newTopic(1), j.unique("producers"), j.unique("group")
		p, got := j.startTraced(topic, trace, producers, group)
		for _, traced := range []*object{p, got.object} {
			// The client forgets a trace that it cannot send within five seconds.
			tracer := traced.keep("getTraceDispatcher").keep("getTraceProducer")
			tracer.learn(trace)
			eventually(t, "the tracer's connection", func() bool { return tracer.try(nil, "maxOffset", queue{trace, "broker-a", 0}) == nil })
		}
		m := newMessage(topic, 0)
		m.Tags = "TagT"
		sent := p.send("sync", []message{m})[0]
		eventually(t, "the message", func() bool { return got.different() == 1 })

		admin := j.startAdmin()
		var story map[string]traceView
		eventually(t, "its story where the tools look for it", func() bool {
			story = admin.story(trace, sent.MsgID)
			return len(story) == 3
		})
		for _, r := range j.stored(trace, 1) {
			keys, _ := r.Property("KEYS")
			require.Contains(t, keys, sent.MsgID)
		}
		pub := traceView{
			MsgType: "Pub", MsgID: sent.MsgID, OffSetMsgID: sent.OffsetMsgID, Topic: topic, GroupName: producers, Tags: m.Tags, Keys: m.Keys,
			Status: "success", ClientHost: "127.0.0.1", StoreHost: j.c.Broker.Addr,
		}
		require.Equal(t, pub, story["Pub"])
		for _, step := range []string{"SubBefore", "SubAfter"} {
			sub := story[step]
			sub.StoreHost, sub.OffSetMsgID = "", "" // releases differ in what stands here
			require.Equal(t, traceView{MsgType: step, MsgID: sent.MsgID, GroupName: group, Keys: m.Keys, Status: "success", ClientHost: "127.0.0.1"}, sub)
		}
	})
}

// startTraced starts a producer and a consumer that trace what they do.
func (j *client) startTraced(topic, trace, producers, group string) (*object, *consumer) {
	j.t.Helper()
	if j.version == "4.9.8" {
		return j.startProducer(fields{"producerGroup": producers}, producers, true, trace),
			j.startConsumer(group, topic, options{args: []any{group, true, trace}})
	}
	set := fields{"enableTrace": true, "traceTopic": trace}
	got := j.startConsumer(group, topic, options{set: set})
	set["producerGroup"] = producers
	return j.startProducer(set), got
}

// story is what the tools find about a message in a topic of traces, by the kind of each step.
func (o *object) story(trace, id string) map[string]traceView {
	o.t.Helper()
	steps := map[string]traceView{}
	var found queryResult
	if err := o.try(&found, "queryMessage", trace, id, 64, 0, int64(math.MaxInt64)); err != nil {
		return steps
	}
	list := o.keep("queryMessage", trace, id, 64, 0, int64(math.MaxInt64)).keep("getMessageList")
	for i := range found.MessageList {
		var views []traceView
		o.keepStatic("org.apache.rocketmq.client.trace.TraceView", "decodeFromTraceTransData", id, list.keep("get", i).ref()).call(&views, "toArray")
		for _, v := range views {
			steps[v.MsgType] = v
		}
	}
	return steps
}
