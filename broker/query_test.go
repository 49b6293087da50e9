// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rocketd/internal/testkit"
	"rocketd/protocol"
)

// indexed waits until everything sent is in the index.
func (b *bareBroker) indexed() {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.store.Run(ctx) }()
	testkit.Eventually(b.t, func() bool {
		b.clock.Advance(100 * time.Millisecond)
		return b.store.DispatchBehind() == 0
	}, "indexed")
	cancel()
	require.NoError(b.t, <-ended)
}

func TestQueryByKey(t *testing.T) {
	b := newBareBroker(t, nil)
	for i := range 70 {
		b.mustSend("T", "properties="+props(fmt.Sprintf("KEYS=k UNIQ_KEY=U%d", i)), fmt.Sprint("m", i))
	}
	for i := range 3 {
		b.mustSend("T", "properties="+props("TAGS=red"), fmt.Sprint("tagged", i))
	}
	b.indexed()
	ask := func(more string) *protocol.Command {
		return b.ask(protocol.QueryMessage, "topic=T key=k maxNum=10 beginTimestamp=0 endTimestamp=9223372036854775807 "+more, "")
	}
	answer := ask("")
	require.Equal(t, protocol.Success, answer.Code)
	got := bodiesOf(t, answer.Body)
	require.Len(t, got, 10)
	require.Equal(t, []string{"m60", "m69"}, []string{got[0], got[9]}, "the newest, oldest first")
	for more, want := range map[string]int{"maxNum=2147483647": 64, "maxNum=1": 1, "maxNum=0 _UNIQUE_KEY_QUERY=true": 32} {
		require.Len(t, bodiesOf(t, ask(more).Body), want, more)
	}
	require.Equal(t, []string{"m7"}, bodiesOf(t, ask("key=U7 _UNIQUE_KEY_QUERY=true").Body))
	require.Equal(t, []string{"tagged0", "tagged1", "tagged2"}, bodiesOf(t, ask("key=red indexType=T").Body))
	for _, more := range []string{"key=k indexType=T", "key=red", "key=red indexType=T _UNIQUE_KEY_QUERY=true", "key=other", "topic=other", "maxNum=0", "beginTimestamp=9223372036854775807"} {
		answer := ask(more)
		require.Equal(t, []any{protocol.QueryNotFound, "can not find message, maybe time range not correct"}, []any{answer.Code, answer.Remark}, more)
		requireFields(t, answer, "indexLastUpdateTimestamp=0 indexLastUpdatePhyoffset=0")
	}
	require.Equal(t, protocol.SystemError, ask("maxNum=-2147483648").Code)
}

func TestViewByID(t *testing.T) {
	b := newBareBroker(t, nil)
	b.mustSend("T", "", "m0")
	require.Equal(t, []string{"m0"}, bodiesOf(t, b.mustAsk(protocol.ViewMessageByID, "offset=0", "").Body))
	for _, offset := range []string{"5", "-5", "9223372036854775807", "-9223372036854775808"} {
		answer := b.ask(protocol.ViewMessageByID, "topic=T offset="+offset, "")
		require.Equal(t, []any{protocol.SystemError, "can not find message by the offset, " + offset}, []any{answer.Code, answer.Remark})
	}
}

func TestQueueOffsets(t *testing.T) {
	b := newBareBroker(t, nil)
	b.mustSend("T", "", "m0")
	nowMs := b.nowMs()
	b.clock.Advance(1000)
	for _, c := range []struct {
		code   int32
		fields string
		want   int64
	}{
		{protocol.GetMaxOffset, "topic=T queueId=0", 1},
		{protocol.GetMaxOffset, "topic=T queueId=0 committed=false", 1},
		{protocol.GetMaxOffset, "topic=T queueId=3", 0},
		{protocol.GetMaxOffset, "topic=../x queueId=-1", 0},
		{protocol.GetMinOffset, "topic=T queueId=0", 0},
		{protocol.GetMinOffset, "topic=NOPE queueId=2147483647", 0},
		{protocol.SearchOffsetByTimestamp, "topic=T queueId=0 timestamp=0", 0},
		{protocol.SearchOffsetByTimestamp, fmt.Sprintf("topic=T queueId=0 timestamp=%d", nowMs+1), 1},
		{protocol.SearchOffsetByTimestamp, fmt.Sprintf("topic=T queueId=0 timestamp=%d boundaryType=upper", nowMs+1), 0},
		{protocol.SearchOffsetByTimestamp, "topic=T queueId=0 timestamp=9223372036854775807", 1},
		{protocol.SearchOffsetByTimestamp, "topic=T queueId=0 timestamp=-9223372036854775808", 0},
		{protocol.SearchOffsetByTimestamp, "topic=NOPE queueId=0 timestamp=5", 0},
	} {
		requireFields(t, b.mustAsk(c.code, c.fields, ""), fmt.Sprintf("offset=%d", c.want))
	}
}
