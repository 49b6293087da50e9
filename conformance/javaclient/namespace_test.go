// SPDX-License-Identifier: Apache-2.0

package javaclient

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A client with a namespace has topics and groups of its own: their names carry it on the wire, and nowhere else.
func TestNamespace(t *testing.T) {
	each(t, releases, func(t *testing.T, j *client) {
		const count, space = 20, "space"
		topic, group := j.unique("topic"), j.unique("group")
		require.NoError(t, j.c.CreateTopic(space+"%"+topic, 2))
		p := j.startProducer(fields{"namespace": space})
		p.learn(space + "%" + topic)
		got := j.startConsumer(group, topic, options{listener: fields{"refuse": 1}, set: fields{"namespace": space}})
		messages := newMessages(topic, 0, count)
		byID := map[string]int{}
		for i, r := range p.send("sync", messages) {
			byID[r.MsgID] = i
		}
		eventually(t, "every message twice", func() bool { return len(got.all()) == 2*count })
		for _, m := range got.all() {
			requireSame(t, messages[byID[m.MsgID]], m)
		}
		j.mustHoldOnce(space+"%"+topic, count)
		j.mustHoldOnce("%RETRY%"+space+"%"+group, count)
	})
}

// The namespaces of 5.x are a matter of the requests alone: every one of them names it, those without a header too, and
// the names of topics and groups stay as they are.
func TestNamespaceV2(t *testing.T) {
	each(t, forms[1:], func(t *testing.T, j *client) {
		const count = 20
		space, topic, group, orderly := fields{"namespaceV2": "space"}, j.newTopic(2), j.unique("group"), j.unique("orderly")
		p := j.startProducer(space)
		got := j.startConsumer(group, topic, options{listener: fields{"refuse": 1}, set: space})
		inOrder := j.startConsumer(orderly, topic, options{listener: fields{"orderly": true}, set: space})
		messages := newMessages(topic, 0, 2*count)
		p.send("sync", messages[:count])
		p.send("batch", messages[count:])
		byBody := map[string]message{}
		for _, m := range messages {
			byBody[string(m.Body)] = m
		}
		eventually(t, "every message twice", func() bool { return len(got.all()) == 2*len(messages) })
		eventually(t, "every message in order", func() bool { return len(inOrder.all()) == len(messages) })
		for _, m := range got.all() {
			requireSame(t, byBody[string(m.Body)], m)
		}
		j.mustHoldOnce(topic, len(messages))
		j.mustHoldOnce("%RETRY%"+group, len(messages))
		for id := range int32(2) {
			q := queue{topic, "broker-a", id}
			var end int64
			p.call(&end, "maxOffset", q)
			got.commit(group, q, end)
		}
	})
}
