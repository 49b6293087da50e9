// SPDX-License-Identifier: Apache-2.0

// Check of what the tables say: topics and offsets against the queues that are there. What a client or an operator may
// have asked for, or a topic that was deleted leaves, is a note, however odd it is: a start takes it as it is, and repair
// leaves it. Only what a broker alone can have written is damage.

package store

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"rocketd/protocol/message"
)

type (
	offsetTable map[string]map[int32]int64 // topic@group to queue to next offset
	delayTable  map[int32]int64            // delay level to next offset of its queue
	topicTable  map[string]topicEntry
)

type topicEntry struct {
	TopicName      string `json:"topicName"`
	ReadQueueNums  int32  `json:"readQueueNums"`
	WriteQueueNums int32  `json:"writeQueueNums"`
	Perm           int32  `json:"perm"`
}

func (c *checker) checkContents(name string, table any) {
	switch t := table.(type) {
	case *topicTable:
		c.checkTopics(name, *t)
	case *offsetTable:
		c.checkOffsets(name, *t)
	case *delayTable:
		c.checkDelays(name, *t)
	}
}

func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

func (c *checker) checkTopics(name string, topics topicTable) {
	for _, topic := range sorted(topics) {
		t := topics[topic]
		if !message.SafeName(topic) {
			c.note(name, -1, "%q cannot be a topic's name", topic)
		}
		if t.TopicName != "" && t.TopicName != topic {
			c.note(name, -1, "the topic %s calls itself %q; its place in the table counts", topic, t.TopicName)
		}
		for _, n := range []int32{t.ReadQueueNums, t.WriteQueueNums} {
			if n < 0 || n > maxQueueID+1 {
				c.note(name, -1, "the topic %s cannot have %d queues", topic, n)
			}
		}
		if t.Perm < 0 || t.Perm > 7 {
			c.note(name, -1, "the topic %s cannot have the permissions %d", topic, t.Perm)
		}
	}
	missing := map[string]bool{}
	for key, q := range c.queues {
		if _, ok := topics[key.topic]; !ok && q.files != nil && q.end > 0 && !strings.HasPrefix(key.topic, lmqPrefix) {
			missing[key.topic] = true
		}
	}
	for _, topic := range sorted(missing) {
		c.note(name, -1, "does not have the topic %s, which has queues: nobody can read them until it is made again", topic)
	}
}

func (c *checker) checkOffsets(name string, offsets offsetTable) {
	for _, key := range sorted(offsets) {
		topic, group, ok := strings.Cut(key, "@")
		if !ok {
			c.note(name, -1, "%q is not of the form topic@group", key)
			continue
		}
		for _, queue := range sorted(offsets[key]) {
			c.checkOffset(name, group, queueKey{topic, queue}, offsets[key][queue])
		}
	}
}

func (c *checker) checkOffset(name, group string, key queueKey, offset int64) {
	q := c.queues[key]
	where := path.Join(key.topic, strconv.Itoa(int(key.id)))
	switch {
	case key.id < 0 || key.id > maxQueueID:
		c.note(name, -1, "the group %s has an offset of %s, which cannot be a queue", group, where)
	case offset < -1: // -1 is what clients commit of a queue from which they have had nothing
		c.note(name, -1, "the group %s has the offset %d of %s, which cannot be", group, offset, where)
	case q == nil || q.files == nil:
		if offset > 0 {
			c.note(name, -1, "the group %s has the offset %d of %s, which has no queue", group, offset, where)
		}
	case offset > q.end:
		c.note(name, -1, "the group %s has the offset %d of %s, which ends at %d: it may skip messages up to there", group, offset, where, q.end)
	}
}

// checkDelays compares with the queues of the delay topic. Nobody but the broker writes these offsets.
func (c *checker) checkDelays(name string, levels delayTable) {
	for _, level := range sorted(levels) {
		offset := levels[level]
		q := c.queues[queueKey{message.ScheduleTopic, level - 1}]
		switch {
		case level < 1:
			c.damage(name, -1, "there is no delay level %d", level)
		case offset < 0:
			c.damage(name, -1, "delay level %d cannot be at %d", level, offset)
		case q == nil || q.files == nil:
			if offset > 0 {
				c.note(name, -1, "delay level %d is at %d, and has no queue in %s", level, offset, message.ScheduleTopic)
			}
		case offset > q.end:
			c.behind(name, -1, "delay level %d is at %d, its queue in %s ends at %d; the next start goes back to there", level, offset, message.ScheduleTopic, q.end)
		}
	}
}
