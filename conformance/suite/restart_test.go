// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/producer"
	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
)

var ours = []target.Kind{target.InProc, target.Binary}

// load sends from several goroutines until it is told to stop, and remembers what was acknowledged. Nothing is ever
// sent twice, so a body that is stored twice was doubled by the server.
type load struct {
	stop  atomic.Bool
	done  sync.WaitGroup
	mu    sync.Mutex
	acked map[string]bool
}

func startLoad(p rocketmq.Producer, topic string, senders int) *load {
	l := &load{acked: map[string]bool{}}
	for sender := range senders {
		l.done.Go(func() {
			for i := 0; !l.stop.Load(); i++ {
				m := newMessage(topic, i)
				m.Body = fmt.Appendf(nil, "sender %d message %d", sender, i)
				if _, err := p.SendSync(context.Background(), m); err != nil {
					time.Sleep(10 * time.Millisecond) // the server is away: no need to spin
					continue
				}
				l.mu.Lock()
				l.acked[string(m.Body)] = true
				l.mu.Unlock()
			}
		})
	}
	return l
}

func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

// more waits until n further messages have been acknowledged.
func (l *load) more(t *testing.T, n int) {
	t.Helper()
	enough := l.count() + n
	eventually(t, fmt.Sprintf("%d more acknowledged messages", n), func() bool { return l.count() >= enough })
}

func (l *load) end() map[string]bool {
	l.stop.Store(true)
	l.done.Wait()
	return l.acked
}

// verify demands that what was acknowledged is stored once, and that nothing is stored twice.
func verify(t *testing.T, c *target.Cluster, topic string, acked map[string]bool) {
	stored := bodies(t, c, topic, len(acked))
	for body := range acked {
		if stored[body] != 1 {
			t.Errorf("%q was acknowledged and is stored %d times", body, stored[body])
		}
	}
	for body, times := range stored {
		if times != 1 {
			t.Errorf("%q is stored %d times", body, times)
		}
	}
	t.Logf("%d acknowledged, %d stored", len(acked), len(stored))
}

func TestNameServerRestart(t *testing.T) {
	eachAlone(t, target.Options{}, ours, func(t *testing.T, c *target.Cluster) {
		topic, p := newTopic(t, c, 4), newProducer(t, c)
		got := newInbox()
		newConsumer(t, c, unique(t, "group"), topic, everything, got.consume)
		l := startLoad(p, topic, 2)
		l.more(t, 100)
		require.NoError(t, c.Names.Stop())
		l.more(t, 200) // clients know the way
		require.NoError(t, c.Names.Start())
		l.more(t, 100)
		require.NoError(t, c.WaitRoute(topic), "the Broker registers again by itself")
		newcomer := startLoad(newProducer(t, c), newTopic(t, c, 2), 1)
		newcomer.more(t, 20)
		newcomer.end()
		acked := l.end()
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
			l.more(t, 200)
			require.NoError(t, c.Broker.Stop())
			require.NoError(t, c.Broker.Start())
		}
		l.more(t, 100)
		acked := l.end()
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
			l.more(t, 1500)
			require.NoError(t, c.Broker.Kill())
			require.NoError(t, c.Broker.Start())
		}
		l.more(t, 500)
		acked := l.end()
		verify(t, c, topic, acked)
		eventually(t, "every acknowledged message at the consumer", func() bool { return containsAll(got, acked) })
	})
}
