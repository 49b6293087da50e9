// SPDX-License-Identifier: Apache-2.0

// timer_test.go: what becomes of messages that are sent for a time of their own.

package wire

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rocketd/protocol/message"
)

// sendTimed sends a message to queue 1 of {topic}.
func sendTimed(p *pair, n *names, i int, more string) [2]*Answer {
	p.t.Helper()
	return sent{queueID: "1", sysFlag: "0", bornMs: "1", flag: "5", reconsumed: "3", properties: "TAGS\x01A\x02" + more}.send(p, n, i)
}

func TestTimerMessages(t *testing.T) {
	eachAtOnce(t, func(t *testing.T, p *pair) {
		t.Run("delivered", func(t *testing.T) { sameDelivery(p.with(t), 4100) })
		t.Run("delivered at a whole second", func(t *testing.T) { sameDelivery(p.with(t), 4000) })
		t.Run("taken back", func(t *testing.T) { sameTakenBack(p.with(t)) })
	})
}

// sameDelivery compares the record of a delivered message, and its times: not before the one that was asked for, noted
// when it was sent, and taken out when it was stored.
func sameDelivery(p *pair, inMs int64) {
	n := newNames()
	topicAndGroup(p, n)
	now := time.Now().UnixMilli() / 1000 * 1000
	sendTimed(p, n, 1, fmt.Sprintf("TIMER_DELIVER_MS\x01%d\x02", now+inMs))
	records := p.last(n, "{topic}", 1)
	for side := range records {
		m := &records[side]
		times := message.ParseProperties(m.Properties)
		ms := func(name string) int64 {
			at, err := strconv.ParseInt(times[name], 10, 64)
			require.NoError(p.t, err, "%s of side %d", name, side)
			m.SetProperty(name, "a time")
			return at
		}
		require.GreaterOrEqual(p.t, m.StoreTimestampMs, now+inMs)
		require.Equal(p.t, (now+inMs-1)/1000*1000, ms("TIMER_OUT_MS"))
		require.Zero(p.t, ms("TIMER_ENQUEUE_MS")%1000)
		require.InDelta(p.t, m.StoreTimestampMs, ms("TIMER_DEQUEUE_MS"), 2000)
	}
	sameRecord(p.t, records)
}

// sameTakenBack has a message taken back that waits, and one of the same time that does not know of it.
func sameTakenBack(p *pair) {
	n := newNames()
	topicAndGroup(p, n)
	at := fmt.Sprintf("TIMER_DELIVER_MS\x01%d\x02", time.Now().UnixMilli()/1000*1000+5100)
	sendTimed(p, n, 2, at)
	sendTimed(p, n, 3, at+"TIMER_DEL_UNIQKEY\x01"+uniq(2)+"\x02")
	sendTimed(p, n, 4, at)
	records := p.last(n, "{topic}", 1)
	for _, m := range records {
		require.Zero(p.t, m.QueueOffset, "the first one of the queue")
		require.Equal(p.t, "body 4", string(m.Body))
	}
}
