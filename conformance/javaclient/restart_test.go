// SPDX-License-Identifier: Apache-2.0

package javaclient

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
)

func startLoad(p *object, topic string) *target.Load {
	return target.StartLoad(2, func(body []byte) error {
		return p.do(fields{"do": "send", "on": p.name, "mode": "sync", "messages": []message{{Topic: topic, Body: body}}}, nil)
	})
}

// more waits until n further messages have been acknowledged.
func more(t *testing.T, l *target.Load, n int) {
	t.Helper()
	enough := l.Count() + n
	eventually(t, fmt.Sprintf("%d more acknowledged messages", n), func() bool { return l.Count() >= enough })
}

// verify demands that what was acknowledged is stored once and consumed, and that nothing is stored twice.
func verify(t *testing.T, l *target.Load, j *client, topic string, got *consumer) {
	t.Helper()
	acked, times := l.End(), map[string]int{}
	for _, r := range j.stored(topic, len(acked)) {
		times[string(r.Body)]++
	}
	target.RequireOnce(t, acked, times)
	eventually(t, "every acknowledged message", func() bool {
		got.mu.Lock()
		defer got.mu.Unlock()
		for body := range acked {
			if got.times[body] == 0 {
				return false
			}
		}
		return true
	})
}

func TestNameServerRestart(t *testing.T) {
	eachAlone(t, releases, target.Options{}, func(t *testing.T, j *client) {
		topic, p := j.newTopic(4), j.startProducer(nil)
		got := j.startConsumer(j.unique("group"), topic, options{})
		l := startLoad(p, topic)
		more(t, l, 50)
		require.NoError(t, j.c.Names.Stop())
		more(t, l, 100) // clients know the way
		require.NoError(t, j.c.Names.Start())
		require.NoError(t, j.c.WaitRoute(topic), "the Broker registers again by itself")
		more(t, l, 50)
		other := j.newTopic(2)
		j.startProducer(nil).send("sync", newMessages(other, 0, 20))
		verify(t, l, j, topic, got)
	})
}

func TestBrokerRestart(t *testing.T) {
	eachAlone(t, releases, target.Options{}, func(t *testing.T, j *client) {
		topic, p := j.newTopic(4), j.startProducer(fields{"sendMsgTimeout": 3000})
		got := j.startConsumer(j.unique("group"), topic, options{})
		l := startLoad(p, topic)
		for range 2 {
			more(t, l, 100)
			require.NoError(t, j.c.Broker.Stop())
			require.NoError(t, j.c.Broker.Start())
		}
		more(t, l, 50)
		verify(t, l, j, topic, got)
	})
}
