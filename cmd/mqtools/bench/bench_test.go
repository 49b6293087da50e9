// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
)

// Every load does what it says against a real server, with nothing lost and nothing refused.
func TestLoads(t *testing.T) {
	c := target.New(t, target.InProc, target.Options{})
	o := options{
		addr: c.Broker.Addr, topic: "bench", group: "bench", queues: 4, conns: 2, inFlight: 4, size: 100, batch: 8, count: 400,
		duration: 300 * time.Millisecond, groups: 1, park: true,
	}
	ctx := context.Background()
	for _, l := range []struct {
		run  func(context.Context, *options) (*Result, error)
		want int64
	}{{runSend, 400}, {runBatch, 400}, {runPull, 800}, {runIdle, 2}, {runHeartbeat, 400}, {runEndToEnd, 400}} {
		mine := o
		r, err := l.run(ctx, &mine)
		require.NoError(t, err)
		require.EqualValues(t, l.want, r.Messages, r.Load)
		require.Zero(t, r.Errors, r.Load)
	}
	stored, err := c.Stored("bench")
	require.NoError(t, err)
	require.EqualValues(t, 1200, stored)
}

// Messages go round the topics, and within each round its queues.
func TestManyTopics(t *testing.T) {
	c := target.New(t, target.InProc, target.Options{})
	const topics = 2*topicsPerRequest + 1
	o := options{addr: c.Broker.Addr, topic: "many", group: "many", topics: topics, queues: 2, conns: 2, inFlight: 4, size: 10, count: 2 * topics, groups: 1}
	r, err := runSend(context.Background(), &o)
	require.NoError(t, err)
	require.EqualValues(t, 2*topics, r.Messages)
	for _, topic := range []string{"many", "many_1", "many_1000"} {
		for queue := range int32(2) {
			low, high, err := c.Range(topic, queue)
			require.NoError(t, err)
			require.EqualValues(t, 1, high-low, topic)
		}
	}
}

func TestAServerThatIsNotThere(t *testing.T) {
	_, err := runSend(context.Background(), &options{addr: "127.0.0.1:1", conns: 1, inFlight: 1, queues: 1, groups: 1, count: 1})
	require.ErrorContains(t, err, "127.0.0.1:1")
}
