// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/remoting"
)

// sender shares what all senders of a load count down or up.
type sender struct {
	*options
	meter   *meter
	names   []string // of the topics, which the messages go round
	perCall int      // messages a request
	start   time.Time
	next    atomic.Int64 // number of the next request
	first   atomic.Pointer[error]
}

func runSend(ctx context.Context, o *options) (*Result, error) { return o.send(ctx, "send", 1) }

func runBatch(ctx context.Context, o *options) (*Result, error) { return o.send(ctx, "batch", o.batch) }

func (o *options) send(ctx context.Context, load string, perCall int) (*Result, error) {
	if err := o.prepare(ctx); err != nil {
		return nil, err
	}
	peers := make([]remoting.Peer, o.conns)
	for i := range peers {
		peer, err := o.dial(ctx)
		if err != nil {
			return nil, err
		}
		defer peer.Close()
		peers[i] = peer
	}
	s := &sender{options: o, names: o.topicNames(), perCall: perCall, start: time.Now(), meter: newMeter(o.pid)}
	var all sync.WaitGroup
	for i := range o.conns * o.inFlight {
		all.Go(func() { s.run(ctx, peers[i%o.conns]) })
	}
	all.Wait()
	if err := s.first.Load(); err != nil {
		return nil, *err
	}
	return s.meter.result(load), nil
}

// run keeps one request in flight.
func (s *sender) run(ctx context.Context, peer remoting.Peer) {
	t := newTally()
	defer func() { s.meter.add(t) }()
	codec := protocol.CodecOf[protocol.SendHeader]("v2")
	var fields []protocol.Field
	body, packed := s.body(), []byte(nil)
	topics := int64(len(s.names))
	for {
		n := s.next.Add(1) - 1
		due, ok := s.due(n)
		if !ok {
			return
		}
		header := protocol.SendHeader{
			ProducerGroup: "mqtools_bench", Topic: s.names[n%topics], DefaultTopic: "TBW102", DefaultTopicQueueNums: s.queues,
			QueueID: int32(n / topics % int64(s.queues)), BornTimestampMs: time.Now().UnixMilli(), Batch: s.perCall > 1,
		}
		req := &protocol.Command{Code: protocol.SendMessageV2, Language: protocol.LangJava, Version: 513, Body: body}
		wanted := time.Now().Add(s.delay)
		stamp(body, wanted)
		if s.perCall == 1 {
			header.Properties = s.properties(n, 0)
			if s.delay > 0 {
				header.Properties += fmt.Sprintf("%s\x01%d\x02", message.PropTimerDeliverMs, wanted.UnixMilli())
			}
		} else {
			packed = s.pack(packed[:0], n, body)
			req.Code, req.Body = protocol.SendBatchMessage, packed
		}
		fields = codec.Append(fields[:0], &header)
		req.Fields = fields
		answer, err := peer.Call(ctx, req)
		if err != nil {
			s.first.CompareAndSwap(nil, &err)
			return
		}
		t.took(time.Since(due))
		if answer.Code != protocol.Success {
			t.errors++
			continue
		}
		t.messages += int64(s.perCall)
		t.bytes += int64(s.perCall * s.size)
	}
}

// due waits until request n is to be sent. Latency counts from then, so that a server that stalls is not spared the
// requests that it held up.
func (s *sender) due(n int64) (at time.Time, ok bool) {
	if s.count > 0 && n >= s.count/int64(s.perCall) || s.count == 0 && time.Since(s.start) >= s.duration {
		return time.Time{}, false
	}
	if s.rate == 0 {
		return time.Now(), true
	}
	at = s.start.Add(time.Duration(float64(n) * float64(time.Second) * float64(s.perCall) / float64(s.rate)))
	if s.count == 0 && at.Sub(s.start) >= s.duration {
		return time.Time{}, false
	}
	time.Sleep(time.Until(at))
	return at, true
}

// properties are those that a client's message has.
func (s *sender) properties(n int64, i int) string {
	return fmt.Sprintf("UNIQ_KEY\x01%020d%012d\x02WAIT\x01true\x02TAGS\x01TagA\x02", n, i)
}

func (s *sender) pack(dst []byte, n int64, body []byte) []byte {
	for i := range s.perCall {
		dst = message.AppendBatchItem(dst, 0, body, s.properties(n, i))
	}
	return dst
}

// stamp writes the time that a message is wanted at into its body, if there is room.
func stamp(body []byte, wanted time.Time) {
	if len(body) >= 8 {
		binary.BigEndian.PutUint64(body, uint64(wanted.UnixNano()))
	}
}
