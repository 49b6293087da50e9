// SPDX-License-Identifier: Apache-2.0

package javaclient

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// load sends until it is told to stop, and remembers what was acknowledged. Nothing is ever sent twice, so a body that
// is stored twice was doubled by the server.
type load struct {
	stop  atomic.Bool
	done  sync.WaitGroup
	mu    sync.Mutex
	acked map[string]bool
}

func startLoad(p *object, topic string, senders int) *load {
	l := &load{acked: map[string]bool{}}
	for sender := range senders {
		l.done.Go(func() {
			for i := 0; !l.stop.Load(); i++ {
				m := message{Topic: topic, Body: fmt.Appendf(nil, "sender %d message %d", sender, i)}
				if err := p.do(fields{"do": "send", "on": p.name, "mode": "sync", "messages": []message{m}}, nil); err != nil {
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

// verify demands that what was acknowledged is stored once and consumed, and that nothing is stored twice.
func (l *load) verify(t *testing.T, j *client, topic string, got *consumer) {
	acked, times := l.end(), map[string]int{}
	for _, r := range j.stored(topic, len(acked)) {
		times[string(r.Body)]++
	}
	for body := range acked {
		if times[body] != 1 {
			t.Errorf("%q was acknowledged and is stored %d times", body, times[body])
		}
	}
	for body, n := range times {
		if n != 1 {
			t.Errorf("%q is stored %d times", body, n)
		}
	}
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
	eachAlone(t, releases, func(t *testing.T, j *client) {
		topic, p := j.newTopic(4), j.startProducer(nil)
		got := j.startConsumer(j.unique("group"), topic, options{})
		l := startLoad(p, topic, 2)
		l.more(t, 50)
		require.NoError(t, j.c.Names.Stop())
		l.more(t, 100) // clients know the way
		require.NoError(t, j.c.Names.Start())
		require.NoError(t, j.c.WaitRoute(topic), "the Broker registers again by itself")
		l.more(t, 50)
		other := j.newTopic(2)
		j.startProducer(nil).send("sync", newMessages(other, 0, 20))
		l.verify(t, j, topic, got)
	})
}

func TestBrokerRestart(t *testing.T) {
	eachAlone(t, releases, func(t *testing.T, j *client) {
		topic, p := j.newTopic(4), j.startProducer(fields{"sendMsgTimeout": 3000})
		got := j.startConsumer(j.unique("group"), topic, options{})
		l := startLoad(p, topic, 2)
		for range 2 {
			l.more(t, 100)
			require.NoError(t, j.c.Broker.Stop())
			require.NoError(t, j.c.Broker.Start())
		}
		l.more(t, 50)
		l.verify(t, j, topic, got)
	})
}
