// SPDX-License-Identifier: Apache-2.0

// Package bench loads a RocketMQ server, ours or any other, over the remoting protocol and says what it took: throughput,
// latency, and the server's own processor time and memory where its process is on this machine.
package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"rocketd/protocol"
	"rocketd/remoting"
)

// options are what all loads have in common.
type options struct {
	addr     string
	topic    string
	group    string
	topics   int
	queues   int32
	conns    int
	inFlight int
	size     int
	batch    int
	rate     int
	count    int64
	duration time.Duration
	delay    time.Duration
	groups   int
	park     bool
	pid      int
	json     bool
}

// Command returns `bench` with a sub-command a load.
func Command() *cobra.Command {
	o := &options{}
	root := &cobra.Command{Use: "bench", Short: "Load a Broker and measure it", SilenceErrors: true, SilenceUsage: true}
	f := root.PersistentFlags()
	f.StringVarP(&o.addr, "addr", "b", "127.0.0.1:10911", "the Broker's address")
	f.StringVarP(&o.topic, "topic", "t", "mqtools_bench", "topic, which is created")
	f.StringVarP(&o.group, "group", "g", "mqtools_bench", "consumer group")
	f.IntVar(&o.topics, "topics", 1, "topics that the messages go round, named after the topic (send, batch)")
	f.Int32VarP(&o.queues, "queues", "q", 8, "queues of each topic")
	f.IntVarP(&o.conns, "conns", "c", 4, "connections")
	f.IntVarP(&o.inFlight, "in-flight", "w", 32, "requests in flight on each connection")
	f.IntVarP(&o.size, "size", "s", 1024, "bytes of a message's body")
	f.IntVar(&o.batch, "batch", 32, "messages a request of the load batch")
	f.IntVarP(&o.rate, "rate", "r", 0, "messages a second, 0: as fast as it goes (e2e: 2000, heartbeat: 1000); latency then counts from when a message was due")
	f.Int64VarP(&o.count, "count", "n", 0, "messages to send, in place of a duration")
	f.DurationVarP(&o.duration, "duration", "d", 10*time.Second, "how long")
	f.DurationVar(&o.delay, "delay", 0, "single messages are for a time of their own, so long after the send; e2e counts latency from that time")
	f.IntVar(&o.groups, "groups", 1, "consumer groups that each get every message (e2e), or beat (heartbeat)")
	f.BoolVar(&o.park, "park", true, "each idle connection also holds one pull")
	f.IntVarP(&o.pid, "pid", "p", 0, "the server's process id, for its processor time and memory")
	f.BoolVar(&o.json, "json", false, "print JSON")
	for _, l := range []struct {
		name, short string
		run         func(context.Context, *options) (*Result, error)
	}{
		{"send", "single messages", runSend},
		{"batch", "messages in batches", runBatch},
		{"pull", "everything that the topic holds", runPull},
		{"e2e", "from the send to the arrival at a consumer that waits", runEndToEnd},
		{"heartbeat", "heartbeats of many consumer groups, a connection each", runHeartbeat},
		{"idle", "connections that do nothing", runIdle},
	} {
		root.AddCommand(&cobra.Command{Use: l.name, Short: l.short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			result, err := l.run(cmd.Context(), o)
			if err != nil {
				return err
			}
			return result.print(o.json)
		}})
	}
	return root
}

// Result is what one load took.
type Result struct {
	Load             string
	Messages         int64
	Errors           int64 // answers that were no success
	Seconds          float64
	PerSecond        float64
	MBPerSecond      float64
	P50Ms            float64
	P99Ms            float64
	P999Ms           float64
	MaxMs            float64
	CPUMicros        float64 // the server's processor time a message
	CPUPercent       float64 // of one core
	RSSMB, RSSAnonMB float64 // the second without the pages of mapped files
}

func (r *Result) print(asJSON bool) error {
	if asJSON {
		return json.NewEncoder(os.Stdout).Encode(r)
	}
	_, err := fmt.Printf("%-6s %12s %8s %12s %10s %9s %9s %9s %9s %12s %8s %8s\n%-6s %12d %8d %12.0f %10.1f %9.2f %9.2f %9.2f %9.2f %12.2f %8.1f %8.1f\n",
		"load", "messages", "errors", "messages/s", "MB/s", "p50 ms", "p99 ms", "p99.9 ms", "max ms", "CPU us/msg", "RSS MB", "anon MB",
		r.Load, r.Messages, r.Errors, r.PerSecond, r.MBPerSecond, r.P50Ms, r.P99Ms, r.P999Ms, r.MaxMs, r.CPUMicros, r.RSSMB, r.RSSAnonMB)
	return err
}

// dial opens a connection of its own; a Client keeps only one to each address.
func (o *options) dial(ctx context.Context) (remoting.Peer, error) {
	client := remoting.NewClient(remoting.DefaultClientConfig(), nil, zerolog.Nop(), new(net.Dialer).DialContext)
	return client.Peer(ctx, o.addr)
}

// prepare creates the topics and the groups.
func (o *options) prepare(ctx context.Context) error {
	peer, err := o.dial(ctx)
	if err != nil {
		return err
	}
	defer peer.Close()
	errs := []error{o.createTopics(ctx, peer)}
	for i := range o.groups {
		group := protocol.NewRequest[protocol.Empty](protocol.UpdateAndCreateSubscriptionGroup, nil)
		group.Body = fmt.Appendf(nil, `{"groupName":%q,"consumeEnable":true,"consumeFromMinEnable":true,"consumeBroadcastEnable":true,"retryQueueNums":1,`+
			`"retryMaxTimes":16,"brokerId":0,"whichBrokerWhenConsumeSlowly":1,"notifyConsumerIdsChangedEnable":true}`, o.groupName(i))
		errs = append(errs, succeed(ctx, peer, group))
	}
	return errors.Join(errs...)
}

// topicsPerRequest are created by one request.
const topicsPerRequest = 500

func (o *options) createTopics(ctx context.Context, peer remoting.Peer) error {
	if o.topics <= 1 {
		return succeed(ctx, peer, protocol.NewRequest(protocol.UpdateAndCreateTopic, &protocol.CreateTopicHeader{
			Topic: o.topic, DefaultTopic: "TBW102", ReadQueueNums: o.queues, WriteQueueNums: o.queues, Perm: protocol.PermRead | protocol.PermWrite,
			TopicFilterType: protocol.SingleTag, TopicSysFlag: new(int32),
		}))
	}
	for names := range slices.Chunk(o.topicNames(), topicsPerRequest) {
		var list protocol.CreateTopicList
		for _, name := range names {
			list.TopicConfigList = append(list.TopicConfigList, protocol.NewTopicConfig(name, o.queues, o.queues, protocol.PermRead|protocol.PermWrite))
		}
		req := protocol.NewRequest[protocol.Empty](protocol.UpdateAndCreateTopicList, nil)
		var err error
		if req.Body, err = json.Marshal(list); err != nil {
			return err
		}
		if err := succeed(ctx, peer, req); err != nil {
			return err
		}
	}
	return nil
}

// topicNames are the topics that messages are sent to.
func (o *options) topicNames() []string {
	names := []string{o.topic}
	for i := 1; i < o.topics; i++ {
		names = append(names, fmt.Sprintf("%s_%d", o.topic, i))
	}
	return names
}

func (o *options) groupName(i int) string {
	if i == 0 {
		return o.group
	}
	return fmt.Sprintf("%s_%d", o.group, i)
}

func succeed(ctx context.Context, peer remoting.Peer, req *protocol.Command) error {
	answer, err := peer.Call(ctx, req)
	if err == nil && answer.Code != protocol.Success {
		err = fmt.Errorf("%s: answer %d: %s", protocol.RequestName(req.Code), answer.Code, answer.Remark)
	}
	return err
}

// body is a message's body; the first bytes are for the time of sending.
func (o *options) body() []byte {
	return []byte(strings.Repeat("rocketd ", o.size/8+1))[:o.size]
}
