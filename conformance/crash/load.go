// SPDX-License-Identifier: Apache-2.0

// Package crash kills a Broker under load, harms its files, starts it again, and checks the whole history: what was
// acknowledged is there once, where the answer said, with its body; nothing else is there twice; queues have no gaps.
package crash

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"rocketd/conformance/target"
	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/remoting"
)

const (
	topic   = "Crash"
	queues  = 4
	senders = 8
)

// place is where a message was acknowledged.
type place struct {
	queue  int32
	offset int64
}

// history is what senders did and what they were told.
type history struct {
	mu       sync.Mutex
	tried    map[string]bool
	acked    map[string]place
	timeouts int // acknowledged as stored, but not yet on the disk
}

func newHistory() *history { return &history{tried: map[string]bool{}, acked: map[string]place{}} }

func (h *history) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.acked)
}

// load is some senders that go on until they are stopped. No body is sent twice.
type load struct {
	stop atomic.Bool
	done sync.WaitGroup
}

func startLoad(h *history, addr string, round int) *load {
	l := &load{}
	for sender := range senders {
		l.done.Go(func() {
			client := remoting.NewClient(remoting.DefaultClientConfig(), nil, zerolog.Nop(), new(net.Dialer).DialContext)
			defer client.Close()
			for i := 0; !l.stop.Load(); i++ {
				if !h.send(client, addr, int32(sender%queues), fmt.Sprintf("round %d sender %d message %d", round, sender, i)) {
					time.Sleep(time.Millisecond) // the server is away: no need to spin
				}
			}
		})
	}
	return l
}

func (l *load) end() {
	l.stop.Store(true)
	l.done.Wait()
}

// send sends one message and notes the answer. Bodies have many sizes, so that records lie anywhere in pages.
func (h *history) send(client *remoting.Client, addr string, queue int32, body string) bool {
	h.mu.Lock()
	h.tried[body] = true
	h.mu.Unlock()
	properties := message.AppendProperty(nil, message.PropKeys, "key")
	properties = message.AppendProperty(properties, message.PropUniqKey, body)
	cmd := protocol.NewRequest(protocol.SendMessage, &protocol.SendHeader{
		ProducerGroup: "crash", Topic: topic, DefaultTopic: message.DefaultTopic, DefaultTopicQueueNums: queues, QueueID: queue,
		BornTimestampMs: time.Now().UnixMilli(), Properties: string(properties),
	})
	cmd.Body = padded(body)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	answer, err := client.Call(ctx, addr, cmd)
	if err != nil || answer.Code != protocol.Success && answer.Code != protocol.FlushDiskTimeout {
		return false
	}
	var result protocol.SendResult
	if err := protocol.CodecOf[protocol.SendResult]("rmq").Decode(answer.Fields, &result); err != nil {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.acked[body] = place{result.QueueID, result.QueueOffset}
	if answer.Code == protocol.FlushDiskTimeout {
		h.timeouts++
	}
	return true
}

// padded appends a filling that the body itself decides on.
func padded(body string) []byte {
	sum := 0
	for _, c := range body {
		sum = sum*31 + int(c)
	}
	b := append([]byte(body), '\n')
	for range uint(sum) % 3000 {
		b = append(b, byte('a'+len(b)%26))
	}
	return b
}

// verify compares what the Broker has with the history. Reading checks that the offsets of each queue are dense.
func (h *history) verify(c *target.Cluster) error {
	records, err := c.Read(topic)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	found := map[string]place{}
	for i := range records {
		r := &records[i]
		if err := r.VerifyBody(); err != nil {
			return fmt.Errorf("queue %d offset %d: %w", r.QueueID, r.QueueOffset, err)
		}
		body := textOf(r.Body)
		if string(padded(body)) != string(r.Body) || !h.tried[body] {
			return fmt.Errorf("queue %d offset %d: nobody sent %.60q", r.QueueID, r.QueueOffset, r.Body)
		}
		if before, twice := found[body]; twice {
			return fmt.Errorf("%q is stored twice: %+v and queue %d offset %d", body, before, r.QueueID, r.QueueOffset)
		}
		found[body] = place{r.QueueID, r.QueueOffset}
	}
	for body, at := range h.acked {
		if found[body] != at {
			got, there := found[body]
			return fmt.Errorf("%q was acknowledged at %+v; stored: %v, at %+v", body, at, there, got)
		}
	}
	return nil
}

func textOf(body []byte) string {
	for i, c := range body {
		if c == '\n' {
			return string(body[:i])
		}
	}
	return string(body)
}
