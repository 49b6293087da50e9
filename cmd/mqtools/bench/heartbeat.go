// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"rocketd/protocol"
	"rocketd/remoting"
)

const (
	heartbeatSubscriptions = 10   // topics that each group subscribes to
	heartbeatRate          = 1000 // heartbeats a second without a rate
)

// runHeartbeat is the heartbeats of many consumer groups, a connection each, with the same subscriptions again and again, as
// clients send them. A message of the result is a heartbeat.
func runHeartbeat(ctx context.Context, o *options) (*Result, error) {
	if o.rate == 0 {
		o.rate = heartbeatRate
	}
	if err := o.prepare(ctx); err != nil {
		return nil, err
	}
	peers := make([]remoting.Peer, o.groups)
	for i := range peers {
		peer, err := o.dial(ctx)
		if err != nil {
			return nil, err
		}
		defer peer.Close()
		if err := succeed(ctx, peer, o.heartbeatOf(i)); err != nil { // the first one makes the retry topic
			return nil, err
		}
		peers[i] = peer
	}
	s := &sender{options: o, perCall: 1, start: time.Now(), meter: newMeter(o.pid)}
	var all sync.WaitGroup
	for range o.conns * o.inFlight {
		all.Go(func() { s.heartbeats(ctx, peers) })
	}
	all.Wait()
	if err := s.first.Load(); err != nil {
		return nil, *err
	}
	return s.meter.result("heartbeat"), nil
}

// heartbeats keeps one heartbeat in flight, of one client after the other.
func (s *sender) heartbeats(ctx context.Context, peers []remoting.Peer) {
	t := newTally()
	defer func() { s.meter.add(t) }()
	for {
		n := s.next.Add(1) - 1
		due, ok := s.due(n)
		if !ok {
			return
		}
		i := int(n % int64(len(peers)))
		req := s.heartbeatOf(i)
		if err := succeed(ctx, peers[i], req); err != nil {
			s.first.CompareAndSwap(nil, &err)
			return
		}
		t.took(time.Since(due))
		t.messages++
		t.bytes += int64(len(req.Body))
	}
}

// heartbeatOf is what the client of the group with that number sends.
func (o *options) heartbeatOf(i int) *protocol.Command {
	topics := make([]string, heartbeatSubscriptions)
	for n := range topics {
		topics[n] = fmt.Sprintf("%s_%d", o.topic, n)
	}
	return heartbeat(fmt.Sprintf("mqtools_bench@%d", i), o.groupName(i), topics)
}

// heartbeat is that of a push consumer.
func heartbeat(clientID, group string, topics []string) *protocol.Command {
	var subscriptions strings.Builder
	for i, topic := range topics {
		if i > 0 {
			subscriptions.WriteByte(',')
		}
		fmt.Fprintf(&subscriptions, `{"topic":%q,"subString":"*","expressionType":"TAG","subVersion":1,"tagsSet":[],"codeSet":[],"classFilterMode":false}`, topic)
	}
	req := protocol.NewRequest[protocol.Empty](protocol.HeartBeat, nil)
	req.Body = fmt.Appendf(nil, `{"clientID":%q,"producerDataSet":[],"consumerDataSet":[{"groupName":%q,"consumeType":"CONSUME_PASSIVELY",`+
		`"messageModel":"CLUSTERING","consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","unitMode":false,"subscriptionDataSet":[%s]}]}`,
		clientID, group, subscriptions.String())
	return req
}
