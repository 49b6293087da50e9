// SPDX-License-Identifier: Apache-2.0

package examples

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/protocol/message"
)

// consumerExample is a program that receives: what feeds it, which of that it must show, and what it says besides.
type consumerExample struct {
	class, feed, topic string
	wanted             func(m message.Message) bool
	only               string
	says               string // a part of its output
	enough             int    // messages that it must show; 0: all that are wanted
	quiet              string // the group of a program that does not show messages: its offsets must come to the end
}

func all(message.Message) bool { return true }

func tagIs(tags string) func(message.Message) bool {
	return func(m message.Message) bool { return strings.Contains(tags, m.Tags()) }
}

func sqlWanted(m message.Message) bool {
	text, _ := m.Property("a")
	a, err := strconv.Atoi(text)
	return err == nil && a <= 3 && m.Tags() != "TagC"
}

const (
	started = "Consumer Started.\n"
	feed    = "simple.Producer"
)

// LitePullConsumerAssign starts at offset 10 of its first queue and at the ends of its others, so a part of the messages
// is enough.
var consumers = [][]consumerExample{
	{
		{class: "filter.TagFilterConsumer", feed: "filter.TagFilterProducer", topic: "TagFilterTest", wanted: tagIs("TagA TagC"), says: started},
		{class: "filter.SqlFilterConsumer", feed: "filter.SqlFilterProducer", topic: "SqlFilterTest", wanted: sqlWanted, says: started},
		{class: "simple.LitePullConsumerAssign", feed: feed, topic: "TopicTest", wanted: all, enough: 1, says: "queueOffset=10,"},
		{class: "simple.LitePullConsumerAssignWithSubExpression", only: "java", feed: feed, topic: "TopicTest", wanted: all, enough: 1, says: "queueOffset=10,"},
		{class: "simple.PullConsumer", feed: feed, topic: "TopicTest", quiet: "please_rename_unique_group_name_5"},
		{class: "tracemessage.TracePushConsumer", feed: feed, topic: "TopicTest", wanted: all, says: started},
	},
	{
		{class: "simple.PushConsumer", feed: feed, topic: "TopicTest", wanted: all, says: started},
		{class: "tracemessage.OpenTracingPushConsumer", only: "java", feed: feed, topic: "TopicTest", wanted: all, says: started},
		{class: "simple.LitePullConsumerSubscribe", feed: feed, topic: "TopicTest", wanted: all},
		{class: "broadcast.PushConsumer", feed: feed, topic: "TopicTest", wanted: tagIs("TagA TagC TagD"), says: "Broadcast " + started},
		{class: "simple.PullScheduleService", only: "java", feed: feed, topic: "TopicTest", quiet: "GroupName1", says: "\tPullResult [pullStatus=FOUND, nextBeginOffset="},
	},
}

var place = regexp.MustCompile(`commitLogOffset=(\d+)`)

func TestConsumers(t *testing.T) {
	f := newField(t)
	require.NoError(t, f.CreateTopic("TopicTest1", 4)) // LitePullConsumerAssignWithSubExpression asks for its queues
	f.feed(t, feed)
	each(t, consumers, func(e consumerExample) (string, string) { return e.class, e.only }, func(t *testing.T, runtime string, e consumerExample) {
		before := f.stored(t, e.topic)
		f.feed(t, e.feed)
		p := f.start(t, runtime, e.class)
		if e.quiet != "" {
			p.wait(t, func(out string) bool { return strings.Contains(out, e.says) && f.consumed(e.quiet, e.topic) })
			return
		}
		wanted, unwanted := map[string]bool{}, map[string]bool{}
		for at, m := range f.stored(t, e.topic) {
			_, old := before[at]
			switch key := strconv.FormatInt(at, 10); {
			case !e.wanted(m):
				unwanted[key] = true
			case !old || e.enough > 0:
				wanted[key] = true
			}
		}
		enough := e.enough
		if enough == 0 {
			enough = len(wanted)
		}
		require.NotZero(t, enough)
		p.wait(t, func(out string) bool {
			seen := map[string]bool{}
			for _, found := range place.FindAllStringSubmatch(out, -1) {
				require.False(t, unwanted[found[1]], "the message at %s does not match and was shown", found[1])
				if wanted[found[1]] {
					seen[found[1]] = true
				}
			}
			return len(seen) >= enough && strings.Contains(out, e.says)
		})
	})
}

// TestAclClient runs the class that sends, receives and pulls with signed requests, which a Broker without ACL accepts.
func TestAclClient(t *testing.T) {
	f := newField(t)
	each(t, [][]string{{"simple.AclClient"}}, func(class string) (string, string) { return class, "" }, func(t *testing.T, runtime string, class string) {
		before := len(f.stored(t, "TopicTest"))
		p := f.start(t, runtime, class)
		p.wait(t, func(out string) bool {
			return len(sendResult.FindAllString(out, -1)) == 128 && strings.Contains(out, started) &&
				strings.Contains(out, "Consume from the queue: MessageQueue [topic=TopicTest, brokerName=broker-a, queueId=") &&
				strings.Contains(out, "PullResult [pullStatus=FOUND, nextBeginOffset=") &&
				strings.Count(out, "msgId : ") >= 128 && strings.Contains(out, "  body : Hello world  \n\r") &&
				strings.Contains(out, " Receive New Messages: [MessageExt [")
		})
		require.Len(t, f.stored(t, "TopicTest"), before+128)
	})
}

// feed has a Go program send, as it starts sooner than a JVM.
func (f *field) feed(t *testing.T, class string) {
	p := f.start(t, "go", class)
	<-p.done
	require.Zero(t, p.cmd.ProcessState.ExitCode(), "%s", p.shown(t))
}

// consumed says whether a group's offsets stand at the ends of all queues.
func (f *field) consumed(group, topic string) bool {
	queues, err := f.Queues(topic)
	if err != nil {
		return false
	}
	for queue := range queues {
		_, high, err := f.Range(topic, queue)
		if err != nil {
			return false
		}
		at, err := f.Committed(group, topic, queue)
		if err != nil || at < high {
			return false
		}
	}
	return true
}
