// SPDX-License-Identifier: Apache-2.0

// Package suite drives the official Go client against each target: the same scripts for ours and for Java.
package suite

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
	"github.com/apache/rocketmq-client-go/v2/rlog"
	"github.com/stretchr/testify/require"

	"rocketd/conformance/report"
	"rocketd/conformance/target"
)

// shared holds the clusters for all tests that do not end servers.
var shared target.Pool

func TestMain(m *testing.M) {
	rlog.SetLogger(silence{})
	flag.Parse()
	// The Go client waits for most of the time: for a rebalance, for a route. Only many at once finish soon.
	if f := flag.Lookup("test.parallel"); f != nil && f.Value.String() == f.DefValue {
		_ = f.Value.Set("24")
	}
	os.Exit(shared.Run(m))
}

// each runs test against the shared cluster of every chosen kind.
func each(t *testing.T, test func(t *testing.T, c *target.Cluster)) {
	chosen, err := target.Chosen()
	require.NoError(t, err)
	t.Parallel()
	for _, kind := range chosen {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			enter(t, kind)
			test(t, shared.Get(t, kind))
		})
	}
}

// enter puts the scenario into the compatibility tables: its row is the test's name, in words.
func enter(t *testing.T, kind target.Kind) {
	test, _, _ := strings.Cut(strings.TrimPrefix(t.Name(), "Test"), "/")
	report.Test(t, report.Features, report.Words(test), "go on "+string(kind))
}

// eachAlone runs test against a cluster of its own, whose servers it may end. Java takes half a minute for each end,
// and what it does then is upstream's own business.
func eachAlone(t *testing.T, o target.Options, kinds []target.Kind, test func(t *testing.T, c *target.Cluster)) {
	chosen, err := target.Chosen()
	require.NoError(t, err)
	t.Parallel()
	for _, kind := range chosen {
		for _, wanted := range kinds {
			if kind == wanted {
				t.Run(string(kind), func(t *testing.T) {
					t.Parallel()
					enter(t, kind)
					test(t, target.New(t, kind, o))
				})
			}
		}
	}
}

var (
	names atomic.Int64
	run   = strconv.FormatInt(time.Now().UnixMilli(), 36)
)

// unique returns a name that no other test uses, nor any earlier run: the Go client keeps the offsets of a broadcast in a
// file below HOME, named by group and instance, and would go on from there in topics of the same names.
func unique(t *testing.T, what string) string {
	test, _, _ := strings.Cut(t.Name(), "/")
	return fmt.Sprintf("%s_%s_%s_%d", test, what, run, names.Add(1))
}

func newTopic(t *testing.T, c *target.Cluster, queues int32) string {
	topic := unique(t, "topic")
	require.NoError(t, c.CreateTopic(topic, queues))
	return topic
}

func newProducer(t *testing.T, c *target.Cluster, options ...producer.Option) rocketmq.Producer {
	p, err := rocketmq.NewProducer(append([]producer.Option{
		producer.WithNameServer(primitive.NamesrvAddr{c.Names.Addr}), producer.WithGroupName(unique(t, "producers")),
		producer.WithInstanceName(unique(t, "instance")), producer.WithRetry(0), producer.WithSendMsgTimeout(10 * time.Second),
	}, options...)...)
	require.NoError(t, err)
	require.NoError(t, p.Start())
	t.Cleanup(func() { _ = p.Shutdown() })
	return p
}

// inbox collects what consumers received.
type inbox struct {
	mu       sync.Mutex
	messages []*primitive.MessageExt
	times    map[string]int // by body
}

func newInbox() *inbox { return &inbox{times: map[string]int{}} }

func (b *inbox) take(messages ...*primitive.MessageExt) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range messages {
		b.messages = append(b.messages, m)
		b.times[string(m.Body)]++
	}
}

// different is how many different bodies have arrived.
func (b *inbox) different() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.times)
}

// all returns the messages in the order of their arrival.
func (b *inbox) all() []*primitive.MessageExt {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]*primitive.MessageExt(nil), b.messages...)
}

// consume is a callback that takes everything.
func (b *inbox) consume(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
	b.take(messages...)
	return consumer.ConsumeSuccess, nil
}

type callback func(context.Context, ...*primitive.MessageExt) (consumer.ConsumeResult, error)

func newConsumer(t *testing.T, c *target.Cluster, group, topic string, selector consumer.MessageSelector, f callback, options ...consumer.Option) rocketmq.PushConsumer {
	pc, err := rocketmq.NewPushConsumer(append([]consumer.Option{
		consumer.WithNameServer(primitive.NamesrvAddr{c.Names.Addr}), consumer.WithGroupName(group),
		consumer.WithInstance(unique(t, "instance")), consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset),
		consumer.WithRebalanceLockInterval(time.Second),
	}, options...)...)
	require.NoError(t, err)
	require.NoError(t, pc.Subscribe(topic, selector, f))
	require.NoError(t, pc.Start())
	t.Cleanup(func() { _ = pc.Shutdown() })
	return pc
}

// everything is a subscription without tags.
var everything = consumer.MessageSelector{}

// newMessage returns a message whose body no other message of the test has.
func newMessage(topic string, i int) *primitive.Message {
	m := primitive.NewMessage(topic, fmt.Appendf(nil, "message %d of %s", i, topic))
	m.WithKeys([]string{fmt.Sprintf("key%d", i), "both"})
	m.WithProperty("number", fmt.Sprint(i))
	return m
}

// mustSend sends count messages one after the other.
func mustSend(t *testing.T, p rocketmq.Producer, topic string, count int) {
	for i := range count {
		result, err := p.SendSync(context.Background(), newMessage(topic, i))
		require.NoError(t, err)
		require.Equal(t, primitive.SendOK, result.Status)
	}
}

// eventually waits for what a client does in its own time: its rebalance comes every 20 s, its route every 30 s.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	require.Eventually(t, cond, target.Patience, 10*time.Millisecond, what)
}

// stored waits until a topic holds at least count messages and reads all that it holds. Java shows a message to readers
// some time after it has acknowledged it.
func stored(t *testing.T, c *target.Cluster, topic string, count int) []target.Record {
	t.Helper()
	require.NoError(t, c.WaitStored(topic, int64(count)))
	records, err := c.Read(topic)
	require.NoError(t, err)
	return records
}

// bodies counts the stored messages of a topic by body, once there are at least count.
func bodies(t *testing.T, c *target.Cluster, topic string, count int) map[string]int {
	t.Helper()
	times := map[string]int{}
	for _, r := range stored(t, c, topic, count) {
		times[string(r.Body)]++
	}
	return times
}

// mustHoldOnce demands count different bodies in a topic, each of them once.
func mustHoldOnce(t *testing.T, c *target.Cluster, topic string, count int) {
	t.Helper()
	times := bodies(t, c, topic, count)
	require.Equal(t, count, len(times), "different bodies") //nolint:testifylint // Len prints all of them
	for body, n := range times {
		require.Equal(t, 1, n, body)
	}
}

// silence is the Go client's logger here. What matters shows in the results.
type silence struct{}

func (silence) Debug(string, map[string]any)   {}
func (silence) Info(string, map[string]any)    {}
func (silence) Warning(string, map[string]any) {}
func (silence) Error(string, map[string]any)   {}
func (silence) Fatal(string, map[string]any)   {}
func (silence) Level(string)                   {}
func (silence) OutputPath(string) error        { return nil }
