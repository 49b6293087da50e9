// SPDX-License-Identifier: Apache-2.0

package examples

import (
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/protocol/message"
)

// delayedExample is a program that receives what comes later: what feeds it, and where its messages wait.
type delayedExample struct {
	class, feed, topic, waitsIn string
	count                       int
	due                         func(t *testing.T, waiting message.Message) int64
	since                       func(arrived message.Message) int64 // what the program counts its milliseconds from
}

const levelMs = 10_000 // javaLevels, level 3

var delayed = [][]delayedExample{
	{{
		class: "schedule.ScheduledMessageConsumer", feed: "schedule.ScheduledMessageProducer", topic: "TestTopic", waitsIn: message.ScheduleTopic, count: 100,
		due:   func(_ *testing.T, m message.Message) int64 { return m.StoreTimestampMs + levelMs },
		since: func(m message.Message) int64 { return m.StoreTimestampMs },
	}},
	{{
		class: "schedule.TimerMessageConsumer", feed: "schedule.TimerMessageProducer", topic: "TimerTopic", waitsIn: message.TimerTopic, count: 10,
		due: func(t *testing.T, m message.Message) int64 {
			text, _ := m.Property(message.PropTimerDeliverMs)
			ms, err := strconv.ParseInt(text, 10, 64)
			require.NoError(t, err)
			return ms
		},
		since: func(m message.Message) int64 { return m.BornTimestampMs },
	}},
}

var late = regexp.MustCompile(`(?m)^Receive message\[msgId=([0-9A-Fa-f]{32}) (\d+)  ms later\]$`)

// TestConsumersOfDelayedMessages starts the programs while their messages wait: each shows every message, and none
// before its time.
func TestConsumersOfDelayedMessages(t *testing.T) {
	f := newField(t)
	each(t, delayed, func(e delayedExample) (string, string) { return e.class, "" }, func(t *testing.T, runtime string, e delayedExample) {
		before := f.stored(t, e.waitsIn)
		f.feed(t, e.feed)
		p := f.start(t, runtime, e.class)
		due := map[string]int64{}
		for at, m := range f.stored(t, e.waitsIn) {
			if _, old := before[at]; !old {
				due[m.UniqKey()] = e.due(t, m)
			}
		}
		require.Len(t, due, e.count)
		var later map[string]int64
		p.wait(t, func(out string) bool {
			later = shownLate(t, out, due)
			return len(later) == len(due)
		})
		for _, m := range f.stored(t, e.topic) {
			if ms, ok := later[m.UniqKey()]; ok {
				require.GreaterOrEqual(t, e.since(m)+ms, due[m.UniqKey()], "%s was shown before its time", m.UniqKey())
				delete(later, m.UniqKey())
			}
		}
		require.Empty(t, later, "messages that were shown and that the topic does not hold")
	})
}

// shownLate are the milliseconds that a program has shown for the messages that it is to show, by their keys.
func shownLate(t *testing.T, out string, wanted map[string]int64) map[string]int64 {
	later := map[string]int64{}
	for _, line := range late.FindAllStringSubmatch(out, -1) {
		if _, ok := wanted[line[1]]; ok {
			ms, err := strconv.ParseInt(line[2], 10, 64)
			require.NoError(t, err)
			later[line[1]] = ms
		}
	}
	return later
}
