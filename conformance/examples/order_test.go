// SPDX-License-Identifier: Apache-2.0

package examples

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
	"rocketd/protocol"
	"rocketd/protocol/message"
)

// orders is how many orders ordermessage.Producer has: its message i is step i/orders of order i%orders.
const orders = 10

var orderText = tagged("TagA TagB TagC TagD TagE", "KEY#", "Hello RocketMQ #")

// step is the place of a message in its order.
type step struct{ order, number int }

func stepOf(t *testing.T, m message.Message) step {
	i, err := strconv.Atoi(strings.TrimPrefix(string(m.Body), "Hello RocketMQ "))
	require.NoError(t, err)
	return step{i % orders, i / orders}
}

// requireOrders demands that each order stands in one queue, its steps one after the other.
func requireOrders(t *testing.T, records []target.Record) {
	queues, next := map[int]int32{}, map[int]int{}
	for _, r := range records {
		s := stepOf(t, r.Message)
		if s.number == 0 {
			queues[s.order] = r.QueueID
		}
		require.Equal(t, queues[s.order], r.QueueID, "the queue of order %d", s.order)
		require.Equal(t, next[s.order], s.number, "the step of order %d", s.order)
		next[s.order]++
	}
}

// TestOrder runs ordermessage.Consumer, whose topic is not the Producer's: it shows each order's steps one after the
// other, whichever call puts a queue off for three seconds.
func TestOrder(t *testing.T) {
	for _, runtime := range runtimes {
		t.Run("ordermessage.Consumer "+runtime, func(t *testing.T) {
			enter(t, runtime, "ordermessage.Consumer")
			f := newField(t)
			steps := f.sendOrders(t, 3)
			p := f.start(t, runtime, "ordermessage.Consumer")
			p.wait(t, func(out string) bool { return followed(t, out, steps) == len(steps) && strings.Contains(out, started) })
		})
	}
}

// sendOrders puts some steps of each order into one queue, and returns those that the Consumer subscribes to, by the
// places that it shows.
func (f *field) sendOrders(t *testing.T, each int) map[string]step {
	const queues = 4
	require.NoError(t, f.CreateTopic("TopicTest", queues))
	for i := range orders * each {
		m := strings.Split(orderText(i), "|")
		req := protocol.NewRequest(protocol.SendMessage, &protocol.SendHeader{
			ProducerGroup: "orders", Topic: "TopicTest", QueueID: int32(i % orders % queues), BornTimestampMs: time.Now().UnixMilli(),
			Properties: message.EncodeProperties(map[string]string{message.PropTags: m[0], message.PropKeys: m[1]}),
		})
		req.Body = []byte(m[2])
		answer, err := f.Ask(req)
		require.NoError(t, err)
		require.Equal(t, protocol.Success, answer.Code, answer.Remark)
	}
	require.NoError(t, f.WaitStored("TopicTest", int64(orders*each)))
	steps := map[string]step{}
	for at, m := range f.stored(t, "TopicTest") {
		if tagIs("TagA TagC TagD")(m) {
			steps[fmt.Sprint(at)] = stepOf(t, m)
		}
	}
	require.Len(t, steps, orders*each*3/5)
	return steps
}

// followed demands that what a program has shown are each order's steps one after the other, and returns how many
// different ones there are. A step whose queue was put off is shown again before the next one.
func followed(t *testing.T, out string, steps map[string]step) (different int) {
	done := map[int]int{}
	for _, shown := range place.FindAllStringSubmatch(out, -1) {
		s, asked := steps[shown[1]]
		require.True(t, asked, "the message at %s is none that the program subscribes to", shown[1])
		if s.number == done[s.order] {
			done[s.order]++
			different++
		}
		require.Equal(t, done[s.order]-1, s.number, "the step of order %d that is shown after %d others", s.order, done[s.order])
	}
	return different
}
