// SPDX-License-Identifier: Apache-2.0

package examples

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
	"rocketd/protocol/message"
)

// producerExample is a program that sends, what it prints and what the Broker then holds.
type producerExample struct {
	class, topic string
	count        int
	lines        *regexp.Regexp
	shown        int                // at least so many lines have that form
	endless      bool               // the Java class never ends
	only         string             // the one runtime that has the class, or for which this line is
	text         func(i int) string // tag|key|body of its message i
	delayed      string             // the topic that they come to later: the Broker holds them in topic until then
}

const traceTopic = "RMQ_SYS_TRACE_TOPIC"

func hello(int) string { return "TagA|OrderID188|Hello world" }

func tagged(tags string, key, body string) func(i int) string {
	all := strings.Split(tags, " ")
	return func(i int) string {
		return fmt.Sprintf("%s|%s|%s", all[i%len(all)], strings.ReplaceAll(key, "#", fmt.Sprint(i)), strings.ReplaceAll(body, "#", fmt.Sprint(i)))
	}
}

func textOf(m message.Message) string { return m.Tags() + "|" + m.Keys() + "|" + string(m.Body) }

var (
	asyncResult = regexp.MustCompile(`(?m)^\d+ +OK [0-9A-Fa-f]{32} $`)
	scheduled   = tagged("", "", "Hello scheduled message #")
)

var producers = [][]producerExample{
	{
		{class: "simple.Producer", topic: "TopicTest", count: 128, lines: sendResult, shown: 128, text: hello},
		{class: "simple.OnewayProducer", topic: "TopicTest", count: 100, lines: sendResult, shown: 0, text: tagged("TagA", "", "Hello RocketMQ #")},
		{class: "tracemessage.TraceProducer", topic: "TopicTest", count: 128, lines: sendResult, shown: 128, text: hello},
		{class: "tracemessage.OpenTracingProducer", only: "java", topic: "TopicTest", count: 1, lines: sendResult, shown: 1, text: hello},
		{class: "schedule.ScheduledMessageProducer", topic: message.ScheduleTopic, delayed: "TestTopic", count: 100, lines: sendResult, shown: 100, text: scheduled},
	},
	{
		{class: "schedule.TimerMessageProducer", only: "go", topic: message.TimerTopic, delayed: "TimerTopic", count: 10, lines: sendResult, shown: 10, text: scheduled},
		{class: "schedule.TimerMessageProducer", only: "java", topic: message.TimerTopic, delayed: "TimerTopic", count: 10, lines: timerResult, shown: 10, text: scheduled},
		{class: "simple.AsyncProducer", topic: "Jodie_topic_1023", count: 100, lines: asyncResult, shown: 100, text: hello},
		{class: "ordermessage.Producer", topic: "TopicTestjjj", count: 100, lines: sendResult, shown: 100, text: orderText},
		{class: "batch.SimpleBatchProducer", topic: "BatchTest", count: 3, lines: sendResult, shown: 1, endless: true, text: func(i int) string {
			return fmt.Sprintf("Tag|OrderID%03d|Hello world %d", i+1, i)
		}},
		{class: "batch.SplitBatchProducer", topic: "BatchTest", count: 100_000, lines: sendResult, shown: 8, endless: true, text: tagged("Tag", "OrderID#", "Hello world #")},
		{class: "filter.TagFilterProducer", topic: "TagFilterTest", count: 60, lines: sendResult, shown: 60, text: tagged("TagA TagB TagC", "", "Hello world")},
		{class: "filter.SqlFilterProducer", topic: "SqlFilterTest", count: 10, lines: sendResult, shown: 10, text: tagged("TagA TagB TagC", "", "Hello RocketMQ #")},
	},
}

func TestProducers(t *testing.T) {
	f := newField(t)
	each(t, producers, func(e producerExample) (string, string) { return e.class, e.only }, func(t *testing.T, runtime string, e producerExample) {
		before := f.stored(t, e.topic)
		traces := len(f.stored(t, traceTopic))
		p := f.start(t, runtime, e.class)
		if e.endless && runtime == "java" {
			p.wait(t, func(out string) bool {
				held, err := f.Stored(e.topic)
				return err == nil && held >= int64(len(before)+e.count) && len(e.lines.FindAllString(out, -1)) >= e.shown
			})
			p.end()
		} else {
			<-p.done
			require.Zero(t, p.cmd.ProcessState.ExitCode(), "%s", p.shown(t))
		}
		require.GreaterOrEqual(t, len(e.lines.FindAllString(p.shown(t), -1)), e.shown, "lines of the form that was expected")
		require.NoError(t, f.WaitStored(e.topic, int64(len(before)+e.count))) // a new topic has its route a little later
		want, got := map[string]int{}, map[string]int{}
		for i := range e.count {
			want[e.text(i)]++
		}
		for place, m := range f.stored(t, e.topic) {
			if _, old := before[place]; !old {
				got[textOf(m)]++
				real, _ := m.Property(message.PropRealTopic)
				require.Equal(t, e.delayed, real, "the topic that a held message is for")
			}
		}
		if e.class == "tracemessage.TraceProducer" {
			require.NoError(t, f.WaitStored(traceTopic, int64(traces+1))) // a record holds several traces
		}
		if e.class == "ordermessage.Producer" {
			records, err := f.Read(e.topic)
			require.NoError(t, err)
			requireOrders(t, slices.DeleteFunc(records, func(r target.Record) bool { _, old := before[r.PhyOffset]; return old }))
		}
		require.True(t, maps.Equal(want, got), "%d different messages were stored, %d expected", len(got), len(want))
	})
}
