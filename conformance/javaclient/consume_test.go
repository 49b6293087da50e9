// SPDX-License-Identifier: Apache-2.0

package javaclient

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
)

// Consumers of a group share the queues, and share them anew whenever one comes or leaves in order.
func TestClustering(t *testing.T) {
	each(t, forms, func(t *testing.T, j *client) {
		topic, group, p := j.newTopic(4), j.unique("group"), j.startProducer(nil)
		a := j.startConsumer(group, topic, options{})
		b := j.startConsumer(group, topic, options{})
		sent := sendUntil(p, topic, 0, func() bool { return a.different() > 0 && b.different() > 0 })
		b.call(nil, "shutdown")
		p.send("sync", newMessages(topic, sent, 100))
		sent += 100
		eventually(t, "every message at one of the two", func() bool { return together(a.inbox, b.inbox) == sent })
		j.mustHoldOnce(topic, sent)
		for queue := range int32(4) {
			_, end, err := j.c.Range(topic, queue)
			require.NoError(t, err)
			eventually(t, "all offsets", func() bool { return j.committed(group, topic, queue) == end })
		}
	})
}

// Consumers of 5.x can leave it to the Broker who has which queue.
func TestAssignmentByTheBroker(t *testing.T) {
	each(t, forms[1:], func(t *testing.T, j *client) {
		topic, group, p := j.newTopic(4), j.unique("group"), j.startProducer(nil)
		o := options{set: fields{"clientRebalance": false}}
		a, b := j.startConsumer(group, topic, o), j.startConsumer(group, topic, o)
		sent := sendUntil(p, topic, 0, func() bool { return a.different() > 0 && b.different() > 0 })
		eventually(t, "every message at one of the two", func() bool { return together(a.inbox, b.inbox) == sent })
	})
}

// sendUntil sends messages until a condition holds, and returns how many there are then.
func sendUntil(p *object, topic string, sent int, cond func() bool) int {
	p.t.Helper()
	eventually(p.t, "enough messages", func() bool {
		p.send("sync", newMessages(topic, sent, 20))
		sent += 20
		return cond()
	})
	return sent
}

func (j *client) committed(group, topic string, queue int32) int64 {
	j.t.Helper()
	offset, err := j.c.Committed(group, topic, queue)
	require.NoError(j.t, err)
	return offset
}

// The queues of a consumer whose process dies go to the other one, without a message lost.
func TestTakeover(t *testing.T) {
	each(t, releases, func(t *testing.T, j *client) {
		topic, group, p := j.newTopic(4), j.unique("group"), j.startProducer(nil)
		a := j.startConsumer(group, topic, options{})
		b := j.startConsumer(group, topic, options{})
		sent := sendUntil(p, topic, 0, func() bool { return a.different() > 0 && b.different() > 0 })
		require.NoError(t, j.do(fields{"do": "die", "on": b.name}, nil))
		p.send("sync", newMessages(topic, sent, 100))
		sent += 100
		eventually(t, "every message at one of the two", func() bool { return together(a.inbox, b.inbox) == sent })
		before := a.different()
		p.send("sync", newMessages(topic, sent, 40))
		eventually(t, "the queues at the one that is left", func() bool { return a.different() >= before+40 })
	})
}

func TestBroadcast(t *testing.T) {
	each(t, releases, func(t *testing.T, j *client) {
		const count = 100
		topic, group, p := j.newTopic(4), j.unique("group"), j.startProducer(nil)
		o := options{set: fields{"messageModel": "BROADCASTING"}}
		a, b := j.startConsumer(group, topic, o), j.startConsumer(group, topic, o)
		p.send("sync", newMessages(topic, 0, count))
		eventually(t, "every message at both", func() bool { return a.different() == count && b.different() == count })
		require.Len(t, a.all(), count)
		require.Len(t, b.all(), count)
		a.call(nil, "shutdown")
		require.LessOrEqual(t, j.committed(group, topic, 0), int64(0), "the offsets are the clients' own")
	})
}

func TestTags(t *testing.T) {
	each(t, forms, func(t *testing.T, j *client) {
		const rounds = 30
		topic, p := j.newTopic(4), j.startProducer(nil)
		tags := []string{"TagA", "TagB", "TagC", ""}
		messages := newMessages(topic, 0, rounds*len(tags))
		for i := range messages {
			messages[i].Tags = tags[i%len(tags)]
		}
		p.send("sync", messages)
		some := j.startConsumer(j.unique("group"), topic, options{expression: "TagA || TagC"})
		all := j.startConsumer(j.unique("group"), topic, options{})
		eventually(t, "the tagged messages", func() bool { return some.different() == 2*rounds })
		eventually(t, "all messages", func() bool { return all.different() == len(messages) })
		for _, m := range some.all() {
			require.Contains(t, []string{"TagA", "TagC"}, m.Tags)
		}
	})
}

// Messages of one queue stay in order, also when one is refused and when another consumer takes the queue over.
func TestOrderly(t *testing.T) {
	each(t, forms, func(t *testing.T, j *client) {
		const orders, steps = 6, 20
		topic, group, p := j.newTopic(3), j.unique("group"), j.startProducer(nil)
		send := func(from, to int) {
			var messages []message
			for step := from; step < to; step++ {
				for order := range orders {
					m := newMessage(topic, step*orders+order)
					m.Properties = map[string]string{"order": fmt.Sprint(order), "step": fmt.Sprint(step)}
					messages = append(messages, m)
				}
			}
			p.send("selector", messages)
		}
		send(0, steps/2)
		o := options{listener: fields{"orderly": true, "refuse": 1}}
		first := j.startConsumer(group, topic, o)
		eventually(t, "the first half", func() bool { return accepted(first.all()) == orders*steps/2 })
		first.call(nil, "shutdown") // which unlocks its queues
		send(steps/2, steps)
		second := j.startConsumer(group, topic, o)
		eventually(t, "every step", func() bool { return accepted(append(first.all(), second.all()...)) == orders*steps })

		seen := map[string][]string{}
		for _, m := range append(first.all(), second.all()...) {
			order := m.Properties["order"]
			if !slices.Contains(seen[order], m.Properties["step"]) {
				seen[order] = append(seen[order], m.Properties["step"])
			}
		}
		require.Len(t, seen, orders)
		for order, got := range seen {
			for step := range steps {
				require.Equal(t, fmt.Sprint(step), got[step], "order %s", order)
			}
		}
	})
}

// accepted counts the messages that have come again after a refusal.
func accepted(messages []received) int {
	times := map[string]bool{}
	for _, m := range messages {
		if m.ReconsumeTimes > 0 {
			times[string(m.Body)] = true
		}
	}
	return len(times)
}

func TestRetryAfterFailure(t *testing.T) {
	each(t, forms, func(t *testing.T, j *client) {
		const count = 20
		topic, group, p := j.newTopic(2), j.unique("group"), j.startProducer(nil)
		got := j.startConsumer(group, topic, options{listener: fields{"refuse": 3}})
		messages := newMessages(topic, 0, count)
		for i := range messages {
			messages[i].Tags = "TagR"
		}
		byID := map[string]int{}
		results := p.send("sync", messages)
		for i, r := range results {
			byID[r.MsgID] = i
		}
		eventually(t, "every message four times", func() bool { return len(got.all()) == 4*count })
		tries := map[string]int32{}
		for _, m := range got.all() {
			i, known := byID[m.MsgID]
			require.True(t, known, "%s: the id of a message stays", m.MsgID)
			requireSame(t, messages[i], m)
			require.Equal(t, tries[m.MsgID], m.ReconsumeTimes)
			tries[m.MsgID]++
			if m.ReconsumeTimes == 0 {
				continue
			}
			require.Equal(t, results[i].OffsetMsgID, m.Properties["ORIGIN_MESSAGE_ID"])
			require.Equal(t, topic, m.Properties["RETRY_TOPIC"])
			require.Equal(t, fmt.Sprint(2+m.ReconsumeTimes), m.Properties["DELAY"], "the level rises with each try")
			require.Equal(t, "%RETRY%"+group, m.Properties["REAL_TOPIC"])
		}
	})
}

// A listener may ask for a delay level of its own.
func TestRetryLevel(t *testing.T) {
	each(t, releases, func(t *testing.T, j *client) {
		topic, group, p := j.newTopic(1), j.unique("group"), j.startProducer(nil)
		got := j.startConsumer(group, topic, options{listener: fields{"refuse": 2, "delayLevel": 7}})
		p.send("sync", newMessages(topic, 0, 5))
		eventually(t, "every message three times", func() bool { return len(got.all()) == 15 })
		for _, m := range got.all() {
			if m.ReconsumeTimes > 0 {
				require.Equal(t, "7", m.Properties["DELAY"])
			}
		}
	})
}

func TestDeadLetters(t *testing.T) {
	each(t, releases, func(t *testing.T, j *client) {
		const count = 10
		topic, group, p := j.newTopic(2), j.unique("group"), j.startProducer(nil)
		j.startConsumer(group, topic, options{listener: fields{"refuse": 99}, set: fields{"maxReconsumeTimes": 1}})
		results := p.send("sync", newMessages(topic, 0, count))
		dead := "%DLQ%" + group
		require.NoError(t, j.c.WaitRoute(dead))
		queues, err := j.c.Queues(dead)
		require.NoError(t, err)
		require.EqualValues(t, 1, queues)
		records := j.stored(dead, count)
		require.Equal(t, count, len(records)) //nolint:testifylint // Len prints all of them
		origins := map[string]string{}
		for _, r := range results {
			origins[r.MsgID] = r.OffsetMsgID
		}
		for _, r := range records {
			id, _ := r.Property("UNIQ_KEY")
			origin, _ := r.Property("ORIGIN_MESSAGE_ID")
			require.Equal(t, origins[id], origin)
			from, _ := r.Property("RETRY_TOPIC")
			require.Equal(t, topic, from)
		}
		j.mustHoldOnce(dead, count)
	})
}

// A refusal with a level below zero goes to the dead letters at once.
func TestDeadLettersAtOnce(t *testing.T) {
	each(t, releases, func(t *testing.T, j *client) {
		topic, group, p := j.newTopic(1), j.unique("group"), j.startProducer(nil)
		got := j.startConsumer(group, topic, options{listener: fields{"refuse": 99, "delayLevel": -1}})
		p.send("sync", newMessages(topic, 0, 3))
		require.NoError(t, j.c.WaitRoute("%DLQ%"+group))
		j.mustHoldOnce("%DLQ%"+group, 3)
		require.Len(t, got.all(), 3)
	})
}

// A consumer commits its offsets from time to time, and its successor begins there.
func TestOffsetsAreKept(t *testing.T) {
	each(t, forms, func(t *testing.T, j *client) {
		const count, queues = 100, 4
		topic, group, p := j.newTopic(queues), j.unique("group"), j.startProducer(nil)
		p.send("sync", newMessages(topic, 0, count))
		first := j.startConsumer(group, topic, options{})
		eventually(t, "all messages", func() bool { return first.different() == count })
		var offsets [queues]int64
		eventually(t, "all offsets", func() bool {
			var sum int64
			for queue := range offsets {
				offsets[queue] = j.committed(group, topic, int32(queue))
				sum += offsets[queue]
			}
			return sum == count
		})
		first.call(nil, "shutdown")
		second := j.startConsumer(group, topic, options{})
		p.send("sync", newMessages(topic, count, 1))
		eventually(t, "the new message", func() bool { return second.different() > 0 })
		require.Equal(t, string(newMessage(topic, count).Body), string(second.all()[0].Body), "nothing comes twice")
	})
}

// A new group begins with a topic's first message, wherever it asks to begin, as long as the Broker has deleted none.
func TestConsumeFromWhere(t *testing.T) {
	each(t, releases, func(t *testing.T, j *client) {
		topic, p := j.newTopic(1), j.startProducer(nil)
		p.send("sync", newMessages(topic, 0, 10))
		require.Len(t, j.stored(topic, 10), 10)
		for _, where := range []string{"CONSUME_FROM_FIRST_OFFSET", "CONSUME_FROM_LAST_OFFSET", "CONSUME_FROM_TIMESTAMP"} {
			got := j.startConsumer(j.unique("group"), topic, options{set: fields{"consumeFromWhere": where}})
			eventually(t, where, func() bool { return got.different() == 10 })
			require.Len(t, got.all(), 10)
		}
	})
}

// Where a topic's first message has left the memory, a new group begins where it asks to. Java asks the page cache, which
// a test cannot empty for it.
func TestConsumeFromWhereOfAnOldTopic(t *testing.T) {
	forgetful := target.Options{Broker: map[string]string{"accessMessageInMemoryMaxRatio": "0"}}
	eachAlone(t, releases, forgetful, func(t *testing.T, j *client) {
		const old, later = 5, 5
		topic, p := j.newTopic(1), j.startProducer(nil)
		q, messages := queue{topic, "broker-a", 0}, newMessages(topic, 0, old+later)
		p.sendTo(q, messages[:old])
		before := j.stored(topic, old)[old-1].StoreTimestampMs / 1000 // the property has seconds
		eventually(t, "the next second", func() bool { return time.Now().Unix() > before })
		p.sendTo(q, messages[old:])
		since := time.UnixMilli(j.stored(topic, old+later)[old].StoreTimestampMs)
		begin := func(where string) *consumer {
			return j.startConsumer(j.unique("group"), topic, options{set: fields{"consumeFromWhere": where, "consumeTimestamp": since.Format("20060102150405")}})
		}
		first, timed, last := begin("CONSUME_FROM_FIRST_OFFSET"), begin("CONSUME_FROM_TIMESTAMP"), begin("CONSUME_FROM_LAST_OFFSET")
		eventually(t, "all messages", func() bool { return first.different() == old+later })
		eventually(t, "the later messages", func() bool { return timed.different() == later })
		for _, m := range timed.all() {
			require.GreaterOrEqual(t, m.QueueOffset, int64(old))
		}
		sent := old + later
		eventually(t, "what comes now", func() bool {
			p.sendTo(q, newMessages(topic, sent, 1))
			sent++
			return last.different() > 0
		})
		for _, m := range last.all() {
			require.GreaterOrEqual(t, m.QueueOffset, int64(old+later))
		}
	})
}

// A consumer can ask for other tags, and for an expression in their place, while it runs.
func TestSubscribeOtherwise(t *testing.T) {
	each(t, releases, func(t *testing.T, j *client) {
		topic, group, p, admin := j.newTopic(1), j.unique("group"), j.startProducer(nil), j.startAdmin()
		got, want, sent := j.startConsumer(group, topic, options{expression: "TagA"}), map[string]bool{}, 0
		send := func(tags ...string) (bodies []string) {
			messages := newMessages(topic, sent, len(tags))
			for i, tag := range tags {
				messages[i].Tags = tag
				bodies = append(bodies, string(messages[i].Body))
			}
			p.send("sync", messages)
			sent += len(tags)
			return bodies
		}
		expect := func(places ...int) {
			t.Helper()
			bodies := send("TagA", "TagB", "TagC", "TagA", "TagB", "TagC")
			for _, i := range places {
				want[bodies[i]] = true
			}
			eventually(t, "the messages that are asked for", func() bool { return got.different() == len(want) })
		}
		// A pull that waits at the time of a change brings nothing more: the client looks at its result as before, the
		// Broker already as after. A message that only the old subscription asks for ends it.
		change := func(old, shown string, subscription any) {
			t.Helper()
			got.call(nil, "subscribe", topic, subscription)
			eventually(t, "the Broker's knowledge", func() bool {
				var connection struct {
					SubscriptionTable map[string]struct{ SubString string }
				}
				admin.call(&connection, "examineConsumerConnectionInfo", group)
				return connection.SubscriptionTable[topic].SubString == shown
			})
			send(old)
			eventually(t, "the waiting pull's end", func() bool { return j.committed(group, topic, 0) == int64(sent) })
		}
		const sql = "TAGS = 'TagC' AND number IS NOT NULL"
		expect(0, 3)
		change("TagA", "TagB || TagC", "TagB || TagC")
		expect(1, 2, 4, 5)
		change("TagB", sql, j.keepStatic(selectorClass, "bySql", sql).ref())
		expect(2, 5)
		change("TagC", "TagA", "TagA")
		expect(0, 3)
		for _, m := range got.all() {
			require.True(t, want[string(m.Body)], "%s with %s", m.Body, m.Tags)
		}
		require.Len(t, got.all(), len(want))
	})
}

// A subscription can change while the consumer runs.
func TestSubscribeLater(t *testing.T) {
	each(t, releases, func(t *testing.T, j *client) { subscribeLater(t, j, nil) })
}

// Heartbeats of 5.x can leave out what the Broker knows already; it must hear of a change all the same.
func TestShortHeartbeats(t *testing.T) {
	each(t, forms[1:], func(t *testing.T, j *client) { subscribeLater(t, j, fields{"useHeartbeatV2": true}) })
}

func subscribeLater(t *testing.T, j *client, set fields) {
	first, second, group, p := j.newTopic(1), j.newTopic(1), j.unique("group"), j.startProducer(nil)
	got := j.startConsumer(group, first, options{set: set})
	p.send("sync", newMessages(first, 0, 10))
	eventually(t, "the first topic", func() bool { return got.different() == 10 })
	got.call(nil, "subscribe", second, "TagB")
	messages := newMessages(second, 0, 10)
	for i := range messages {
		messages[i].Tags = []string{"TagA", "TagB"}[i%2]
	}
	p.send("sync", messages)
	eventually(t, "the second topic", func() bool { return got.different() == 15 })
	got.call(nil, "unsubscribe", first)
	admin := j.startAdmin()
	eventually(t, "the Broker's knowledge", func() bool {
		var connection struct {
			SubscriptionTable map[string]struct{ SubString string }
		}
		admin.call(&connection, "examineConsumerConnectionInfo", group)
		_, known := connection.SubscriptionTable[first]
		return !known && connection.SubscriptionTable[second].SubString == "TagB"
	})
}
