// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/remoting"
)

const (
	pullMessages  = 32
	pollPatience  = 15 * time.Second
	callPatience  = 2 * pollPatience
	lastArrivals  = 5 * time.Second // how long e2e waits for what is under way when the sending has ended
	endToEndSends = 2000            // messages a second of e2e without a rate
)

// reader pulls one queue.
type reader struct {
	*options
	peer  remoting.Peer
	group string
	queue int32
	next  int64
	tally *tally
}

// pull asks once. Of what has arrived it counts the messages, and with arrivals the time since each was wanted.
func (r *reader) pull(ctx context.Context, wait, arrivals bool) (code int32, err error) {
	flags := protocol.PullFlagSubscription
	if wait {
		flags |= protocol.PullFlagSuspend
	}
	ctx, cancel := context.WithTimeout(ctx, callPatience)
	defer cancel()
	answer, err := r.peer.Call(ctx, protocol.NewRequest(protocol.PullMessage, &protocol.PullHeader{
		ConsumerGroup: r.group, Topic: r.topic, QueueID: r.queue, QueueOffset: r.next, MaxMsgNums: pullMessages, SysFlag: flags,
		SuspendTimeoutMs: pollPatience.Milliseconds(), Subscription: protocol.SubscribeAll, ExpressionType: protocol.ExpressionTag,
	}))
	if err != nil {
		return 0, err
	}
	var result protocol.PullResult
	if err := protocol.CodecOf[protocol.PullResult]("rmq").Decode(answer.Fields, &result); err != nil {
		return 0, err
	}
	switch answer.Code {
	case protocol.Success, protocol.PullOffsetMoved, protocol.PullRetryImmediately:
		r.next = result.NextBeginOffset
	case protocol.PullNotFound:
	default:
		return 0, fmt.Errorf("PULL_MESSAGE: answer %d: %s", answer.Code, answer.Remark)
	}
	return answer.Code, r.take(answer.Body, arrivals)
}

func (r *reader) take(records []byte, arrivals bool) error {
	now := time.Now()
	for len(records) > 0 {
		var v message.View
		if err := v.Parse(records, false); err != nil {
			return err
		}
		r.tally.messages++
		r.tally.bytes += int64(len(v.Body))
		if arrivals && len(v.Body) >= 8 {
			r.tally.took(now.Sub(time.Unix(0, int64(binary.BigEndian.Uint64(v.Body)))))
		}
		records = records[v.Size:]
	}
	return nil
}

func (o *options) reader(ctx context.Context, group string, queue int32) (*reader, error) {
	peer, err := o.dial(ctx)
	if err != nil {
		return nil, err
	}
	return &reader{options: o, peer: peer, group: group, queue: queue, tally: newTally()}, nil
}

// end asks the Broker where the queue ends, and the reader begins there.
func (r *reader) end(ctx context.Context) (int64, error) {
	answer, err := r.peer.Call(ctx, protocol.NewRequest(protocol.GetMaxOffset, &protocol.GetMaxOffsetHeader{Topic: r.topic, QueueID: r.queue}))
	if err != nil {
		return 0, err
	}
	var result protocol.GetMaxOffsetResult
	err = protocol.CodecOf[protocol.GetMaxOffsetResult]("rmq").Decode(answer.Fields, &result)
	return result.Offset, err
}

// runPull reads each queue from its start to its end, a connection each. A latency is that of a pull.
func runPull(ctx context.Context, o *options) (*Result, error) {
	if err := o.prepare(ctx); err != nil {
		return nil, err
	}
	m := newMeter(o.pid)
	err := o.eachQueue(func(queue int32) error {
		r, err := o.reader(ctx, o.group, queue)
		if err != nil {
			return err
		}
		defer r.peer.Close()
		defer func() { m.add(r.tally) }()
		for {
			asked := time.Now()
			code, err := r.pull(ctx, false, false)
			if err != nil || code == protocol.PullNotFound {
				return err
			}
			r.tally.took(time.Since(asked))
		}
	})
	if err != nil {
		return nil, err
	}
	return m.result("pull"), nil
}

// eachQueue runs f for all queues at once.
func (o *options) eachQueue(f func(queue int32) error) error {
	var all sync.WaitGroup
	errs := make([]error, o.queues)
	for queue := range o.queues {
		all.Go(func() { errs[queue] = f(queue) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// runEndToEnd sends at a rate while consumers wait for each queue.
func runEndToEnd(ctx context.Context, o *options) (*Result, error) {
	if o.rate == 0 {
		o.rate = endToEndSends
	}
	if err := o.prepare(ctx); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	m := newMeter(o.pid)
	var arrived atomic.Int64
	var all sync.WaitGroup
	var failed atomic.Pointer[error]
	for g := range o.groups {
		for queue := range o.queues {
			r, err := o.reader(ctx, o.groupName(g), queue)
			if err != nil {
				return nil, err
			}
			defer r.peer.Close()
			if r.next, err = r.end(ctx); err != nil {
				return nil, err
			}
			all.Go(func() {
				defer func() { m.add(r.tally) }()
				if err := r.follow(ctx, &arrived); err != nil && ctx.Err() == nil {
					failed.CompareAndSwap(nil, &err)
				}
			})
		}
	}
	sent, err := runSend(ctx, o)
	if err == nil {
		awaitCount(&arrived, sent.Messages*int64(o.groups), o.delay+lastArrivals)
	}
	stop()
	all.Wait()
	if e := failed.Load(); err == nil && e != nil {
		err = *e
	}
	if err != nil {
		return nil, err
	}
	r := m.result("e2e")
	r.Errors = sent.Messages*int64(o.groups) - r.Messages // what did not arrive in time
	return r, nil
}

// follow pulls until ctx ends.
func (r *reader) follow(ctx context.Context, arrived *atomic.Int64) error {
	for ctx.Err() == nil {
		before := r.tally.messages
		if _, err := r.pull(ctx, true, true); err != nil {
			return err
		}
		arrived.Add(r.tally.messages - before)
	}
	return nil
}

func awaitCount(n *atomic.Int64, want int64, patience time.Duration) {
	for deadline := time.Now().Add(patience); n.Load() < want && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
}
