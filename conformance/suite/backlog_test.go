// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"context"
	"flag"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
)

var backlog = flag.Int("backlog", 50_000, "how many messages wait for the consumers of TestBacklog")

// A backlog is drained by consumers that join and leave while they are at work. Every message is accounted for: stored
// once, delivered, and its offset committed.
func TestBacklog(t *testing.T) {
	each(t, func(t *testing.T, c *target.Cluster) {
		count := *backlog
		topic, group := newTopic(t, c, 8), unique(t, "group")
		fill(t, c, topic, count)
		require.NoError(t, c.WaitStored(topic, int64(count)))

		d := newDrain(count)
		defer d.open(count) // also where the test fails: a consumer that waits cannot end
		defer func() {
			if t.Failed() {
				t.Logf("%d of %d messages are missing, the first ones %v; %d offsets are committed; deliveries by consumer: %v",
					d.missing(), count, d.first(10), committed(t, c, group, topic), d.by)
			}
		}()
		ends := map[string]func() error{}
		join := func(name string) {
			pc := newConsumer(t, c, group, topic, everything, d.callback(name), consumer.WithPullBatchSize(32), consumer.WithConsumeMessageBatchMaxSize(32))
			ends[name] = pc.Shutdown
			eventually(t, "queues for "+name, func() bool { return d.arrived(name) })
		}
		// The gate holds all consumers where a change is due, so that it falls into the work on any machine.
		join("first")
		d.openTo(t, count/10)
		join("second")
		d.openTo(t, 3*count/10)
		join("third")
		d.openTo(t, 5*count/10)
		d.open(6 * count / 10)
		require.NoError(t, ends["second"](), "leaves in the midst of it")
		d.openTo(t, 6*count/10)
		join("fourth")
		d.open(8 * count / 10)
		require.NoError(t, ends["first"]())
		d.openTo(t, 8*count/10)
		join("fifth")
		d.open(count)
		eventually(t, "every message delivered", func() bool { return d.missing() == 0 })
		eventually(t, "every offset committed", func() bool { return committed(t, c, group, topic) == int64(count) })
		held, err := c.Stored(topic)
		require.NoError(t, err)
		require.EqualValues(t, count, held)
		t.Logf("%d messages, %d deliveries, by consumer: %v", count, d.deliveries(), d.by)
	})
}

// fill sends count messages, whose bodies are their numbers, in batches.
func fill(t *testing.T, c *target.Cluster, topic string, count int) {
	const batch, senders = 100, 4
	p := newProducer(t, c)
	var sending sync.WaitGroup
	for sender := range senders {
		sending.Go(func() {
			for first := sender * batch; first < count; first += senders * batch {
				var messages []*primitive.Message
				for i := first; i < min(first+batch, count); i++ {
					messages = append(messages, primitive.NewMessage(topic, strconv.AppendInt(nil, int64(i), 10)))
				}
				result, err := p.SendSync(context.Background(), messages...)
				if err != nil || result.Status != primitive.SendOK {
					t.Errorf("batch at %d: %v, %v", first, result, err)
					return
				}
			}
		})
	}
	sending.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// drain counts the deliveries of numbered messages, and lets no more than a limit of different ones pass.
type drain struct {
	mu    sync.Mutex
	moved sync.Cond
	times []uint16       // by number
	by    map[string]int // deliveries
	here  map[string]bool
	got   int // different messages
	limit int
}

func newDrain(count int) *drain {
	d := &drain{times: make([]uint16, count), by: map[string]int{}, here: map[string]bool{}}
	d.moved.L = &d.mu
	return d
}

func (d *drain) callback(name string) callback {
	return func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.here[name] = true
		for d.got >= d.limit && d.limit < len(d.times) {
			d.moved.Wait()
		}
		for _, m := range messages {
			i, err := strconv.Atoi(string(m.Body))
			if err != nil || i < 0 || i >= len(d.times) {
				return consumer.ConsumeRetryLater, fmt.Errorf("%q was never sent", m.Body)
			}
			if d.times[i]++; d.times[i] == 1 {
				d.got++
			}
			d.by[name]++
		}
		return consumer.ConsumeSuccess, nil
	}
}

func (d *drain) arrived(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.here[name]
}

// open raises the limit.
func (d *drain) open(limit int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.limit = limit
	d.moved.Broadcast()
}

// openTo raises the limit and waits until it is reached.
func (d *drain) openTo(t *testing.T, limit int) {
	d.open(limit)
	eventually(t, fmt.Sprintf("%d messages delivered", limit), func() bool { return d.missing() <= len(d.times)-limit })
}

func (d *drain) missing() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.times) - d.got
}

// first are the lowest numbers that were not delivered, n at most.
func (d *drain) first(n int) (missing []int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, times := range d.times {
		if times == 0 && len(missing) < n {
			missing = append(missing, i)
		}
	}
	return missing
}

func (d *drain) deliveries() (sum int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, times := range d.times {
		sum += int(times)
	}
	return sum
}
