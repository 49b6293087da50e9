// SPDX-License-Identifier: Apache-2.0

package javaclient

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
)

// resetOffset has the tools set a group's offset of a topic's one queue to the first message of a time or later; to the
// end for -1.
func (o *object) resetOffset(group string, q queue, timeMs, want int64) {
	o.t.Helper()
	var offsets map[string]int64
	o.call(&offsets, "resetOffsetByTimestamp", q.Topic, group, timeMs, true)
	require.Len(o.t, offsets, 1)
	require.Equal(o.t, want, offsets[javaKey(o.t, offsets, q)])
}

// A running consumer goes back to where the tools set its group, and one that comes later begins there.
func TestAdminResetOffset(t *testing.T) {
	each(t, releases, func(t *testing.T, j *client) {
		const count, skipped = 10, 5
		admin, group := j.startAdmin(), j.unique("group")
		topic, p := j.newTopic(1), j.startProducer(nil)
		q, messages := queue{topic, "broker-a", 0}, newMessages(topic, 0, count+skipped+1)
		p.sendTo(q, messages[:count])
		first := j.startConsumer(group, topic, options{})
		first.commit(group, q, count)
		admin.resetOffset(group, q, 1, 0)
		first.mustRepeat(count)
		first.commit(group, q, count)
		first.call(nil, "shutdown")

		p.sendTo(q, messages[count:count+skipped])
		require.NoError(t, j.c.WaitStored(topic, count+skipped))
		admin.resetOffset(group, q, -1, count+skipped)
		p.sendTo(q, messages[count+skipped:])
		second := j.startConsumer(group, topic, options{})
		eventually(t, "the message behind", func() bool { return second.different() > 0 })
		require.Len(t, second.all(), 1)
		requireSame(t, messages[count+skipped], second.all()[0])
	})
}

// mustRepeat waits until count messages have come twice each.
func (c *consumer) mustRepeat(count int) {
	c.t.Helper()
	eventually(c.t, "every message again", func() bool { return len(c.all()) >= 2*count })
	c.mu.Lock()
	defer c.mu.Unlock()
	require.Len(c.t, c.times, count)
	for body, times := range c.times {
		require.Equal(c.t, 2, times, body)
	}
}

// stuck is an orderly consumer that refuses the first message of those that its group has not consumed, again and again.
// It does not commit by itself, for that might overtake its commit of an offset that was set.
type stuck struct {
	*consumer
	group    string
	q        queue
	messages []message
	at       int
}

func (j *client) startStuck() stuck {
	j.t.Helper()
	const consumed, count = 6, 10
	group := j.unique("group")
	q, messages := j.consumedTopic(group, consumed, count)
	require.NoError(j.t, j.c.WaitStored(q.Topic, count))
	c := j.startConsumer(group, q.Topic, options{
		listener: fields{"orderly": true, "refuse": math.MaxInt32}, set: fields{"persistConsumerOffsetInterval": math.MaxInt32},
	})
	eventually(j.t, "the message that it refuses", func() bool { return c.different() > 0 })
	return stuck{c, group, q, messages, consumed}
}

// passOver has the tools set the group to the end of its queue.
func (s stuck) passOver() { s.startAdmin().resetOffset(s.group, s.q, -1, int64(len(s.messages))) }

// mustPass waits until the offset is set, and demands that none but the next message comes.
func (s stuck) mustPass() {
	s.t.Helper()
	eventually(s.t, "the offset that was set", func() bool { return s.committed(s.group, s.q.Topic, 0) == int64(len(s.messages)) })
	next := newMessage(s.q.Topic, len(s.messages))
	s.startProducer(nil).sendTo(s.q, []message{next})
	eventually(s.t, "the next message", func() bool { return s.different() > 1 })
	for _, m := range s.all() {
		if m.QueueOffset != int64(s.at) {
			requireSame(s.t, next, m)
		}
	}
}

// A running consumer that is stuck passes over what lies before the new offset: its next pull is told.
func TestAdminResetOffsetForward(t *testing.T) {
	each(t, releases, func(t *testing.T, j *client) {
		s := j.startStuck()
		s.passOver()
		s.mustPass()
	})
}

// Without useServerSideResetOffset the Broker tells the members of a group, back and forward. They rest for ten seconds,
// commit the offset themselves and go on there.
func TestAdminResetOffsetByPush(t *testing.T) {
	pushing := target.Options{Broker: map[string]string{"useServerSideResetOffset": "false"}}
	eachAlone(t, releases, pushing, func(t *testing.T, j *client) {
		const count = 10
		admin, group, topic := j.startAdmin(), j.unique("group"), j.newTopic(1)
		q := queue{topic, "broker-a", 0}
		j.startProducer(nil).sendTo(q, newMessages(topic, 0, count))
		back := j.startConsumer(group, topic, options{})
		back.commit(group, q, count)
		s := j.startStuck()
		admin.resetOffset(group, q, 1, 0)
		s.passOver()
		back.mustRepeat(count)
		back.commit(group, q, count)
		s.mustPass()
	})
}
