// SPDX-License-Identifier: Apache-2.0

package javaclient

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
)

// A message for a time of its own is never early, and keeps everything.
func TestSendTimed(t *testing.T) {
	each(t, forms, func(t *testing.T, j *client) {
		const count = 30
		topic, p := j.newTopic(2), j.startProducer(nil)
		got := j.startConsumer(j.unique("group"), topic, options{})
		began, messages := time.Now().UnixMilli(), newMessages(topic, 0, count)
		waits := make([]int64, count) // in milliseconds
		for i := range messages {
			waits[i] = int64(1000 * (i % 3))
			timer := [...][2]string{{"TIMER_DELAY_SEC", fmt.Sprint(i % 3)}, {"TIMER_DELAY_MS", fmt.Sprint(waits[i])}, {"TIMER_DELIVER_MS", fmt.Sprint(began + waits[i])}}[i/3%3]
			messages[i].Tags, messages[i].Timer = "TagT", map[string]string{timer[0]: timer[1]}
		}
		byID := map[string]int{}
		for i, r := range p.send("sync", messages) {
			byID[r.MsgID] = i
		}
		eventually(t, "the messages", func() bool { return got.different() == count })
		for _, m := range got.all() {
			i, known := byID[m.MsgID]
			require.True(t, known, m.MsgID)
			requireSame(t, messages[i], m)
			for name, value := range messages[i].Timer {
				require.Equal(t, value, m.Properties[name])
			}
			require.GreaterOrEqual(t, m.StoreTimestamp, began+waits[i])
		}
		require.Len(t, got.all(), count)
	})
}

// 5.5.0 can take back what waits.
func TestRecall(t *testing.T) {
	recall := target.Options{Broker: map[string]string{"recallMessageEnable": "true"}}
	eachAlone(t, forms[1:], recall, func(t *testing.T, j *client) {
		topic, p := j.newTopic(2), j.startProducer(nil)
		got := j.startConsumer(j.unique("group"), topic, options{})
		messages := newMessages(topic, 0, 10)
		for i := range messages {
			messages[i].Timer = map[string]string{"TIMER_DELAY_SEC": "12"}
		}
		for i, r := range p.send("sync", messages) {
			if i%2 == 0 {
				var id string
				p.call(&id, "recallMessage", topic, r.RecallHandle)
				require.Equal(t, r.MsgID, id)
			}
		}
		eventually(t, "what was not taken back", func() bool { return got.different() == 5 })
		for _, m := range got.all() {
			require.Contains(t, []string{"1", "3", "5", "7", "9"}, m.Properties["number"])
		}
		j.mustHoldOnce(topic, 5)
	})
}
