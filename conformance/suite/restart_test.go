// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"context"
	"fmt"
	"testing"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/producer"
	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
)

var ours = []target.Kind{target.InProc, target.Binary}

func startLoad(p rocketmq.Producer, topic string, senders int) *target.Load {
	return target.StartLoad(senders, func(body []byte) error {
		m := newMessage(topic, 0)
		m.Body = body
		_, err := p.SendSync(context.Background(), m)
		return err
	})
}

// more waits until n further messages have been acknowledged.
func more(t *testing.T, l *target.Load, n int) {
	t.Helper()
	enough := l.Count() + n
	eventually(t, fmt.Sprintf("%d more acknowledged messages", n), func() bool { return l.Count() >= enough })
}

// verify demands that what was acknowledged is stored once, and that nothing is stored twice.
func verify(t *testing.T, c *target.Cluster, topic string, acked map[string]bool) {
	t.Helper()
	stored := bodies(t, c, topic, len(acked))
	target.RequireOnce(t, acked, stored)
	t.Logf("%d acknowledged, %d stored", len(acked), len(stored))
}

func TestNameServerRestart(t *testing.T) {
	eachAlone(t, target.Options{}, ours, func(t *testing.T, c *target.Cluster) {
		topic, p := newTopic(t, c, 4), newProducer(t, c)
		got := newInbox()
		newConsumer(t, c, unique(t, "group"), topic, everything, got.consume)
		l := startLoad(p, topic, 2)
		more(t, l, 100)
		require.NoError(t, c.Names.Stop())
		more(t, l, 200) // clients know the way
		require.NoError(t, c.Names.Start())
		more(t, l, 100)
		require.NoError(t, c.WaitRoute(topic), "the Broker registers again by itself")
		newcomer := startLoad(newProducer(t, c), newTopic(t, c, 2), 1)
		more(t, newcomer, 20)
		newcomer.End()
		acked := l.End()
		eventually(t, "every acknowledged message", func() bool { return got.different() >= len(acked) })
		verify(t, c, topic, acked)
	})
}

func TestBrokerRestart(t *testing.T) {
	eachAlone(t, target.Options{}, ours, func(t *testing.T, c *target.Cluster) {
		topic, group := newTopic(t, c, 4), unique(t, "group")
		p := newProducer(t, c, producer.WithSendMsgTimeout(3*time.Second))
		got := newInbox()
		newConsumer(t, c, group, topic, everything, got.consume)
		l := startLoad(p, topic, 2)
		for range 2 {
			more(t, l, 200)
			require.NoError(t, c.Broker.Stop())
			require.NoError(t, c.Broker.Start())
		}
		more(t, l, 100)
		acked := l.End()
		eventually(t, "every acknowledged message", func() bool {
			return containsAll(got, acked)
		})
		verify(t, c, topic, acked)
	})
}

func containsAll(b *inbox, acked map[string]bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for body := range acked {
		if b.times[body] == 0 {
			return false
		}
	}
	return true
}

// Small files make the log roll, and the kill falls into every phase of that.
func TestCrashLosesNothingAcknowledged(t *testing.T) {
	small := target.Options{Broker: map[string]string{"mappedFileSizeCommitLog": "1048576", "mappedFileSizeConsumeQueue": "20000"}}
	eachAlone(t, small, []target.Kind{target.Binary}, func(t *testing.T, c *target.Cluster) {
		topic := newTopic(t, c, 4)
		p := newProducer(t, c, producer.WithSendMsgTimeout(3*time.Second))
		got := newInbox()
		newConsumer(t, c, unique(t, "group"), topic, everything, got.consume)
		l := startLoad(p, topic, 8)
		for range 6 {
			more(t, l, 1500)
			require.NoError(t, c.Broker.Kill())
			require.NoError(t, c.Broker.Start())
		}
		more(t, l, 500)
		acked := l.End()
		verify(t, c, topic, acked)
		eventually(t, "every acknowledged message at the consumer", func() bool { return containsAll(got, acked) })
	})
}
