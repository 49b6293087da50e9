// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"fmt"
	"math/rand"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"

	"rocketd/internal/testkit"
	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/store"
	"rocketd/store/vfs"
)

// txnFixture is a broker under a clock of the test's with a producer of the group P.
type txnFixture struct {
	t     *testing.T
	disk  *vfs.Mem
	clock *roundsClock
	b     *liveBroker
	w     *wire
	cfg   func(*Config)
}

// roundsClock counts how often the rounds of checks have begun to wait for the next one. Their interval tells them from
// all else that waits, so it must be nobody else's.
type roundsClock struct {
	*clockwork.FakeClock
	intervalMs int64
	waits      atomic.Int64
}

const checkIntervalMs = 30_001

func (c *roundsClock) NewTimer(d time.Duration) clockwork.Timer {
	timer := c.FakeClock.NewTimer(d)
	if d.Milliseconds() == c.intervalMs {
		c.waits.Add(1)
	}
	return timer
}

// awaitRounds waits until as many rounds are over, and one more waits for its time.
func (f *txnFixture) awaitRounds(n int64) {
	f.t.Helper()
	testkit.Eventually(f.t, func() bool { return f.clock.waits.Load() > n }, "a round of checks")
}

func newTxnFixture(t *testing.T, change func(*Config)) *txnFixture {
	clock := &roundsClock{FakeClock: clockwork.NewFakeClockAt(time.UnixMilli(1_700_000_000_000))}
	f := &txnFixture{t: t, disk: vfs.NewMem(), clock: clock, cfg: change}
	f.start()
	return f
}

func (f *txnFixture) start() {
	was := f.clock.waits.Load()
	f.b = newBroker(f.t, f.disk, f.clock, func(c *Config) {
		c.TransactionCheckInterval = checkIntervalMs
		if f.cfg != nil {
			f.cfg(c)
		}
		f.clock.intervalMs = c.TransactionCheckInterval
	})
	f.awaitRounds(was)
	f.w = dial(f.t, f.b, "10911")
	f.beat()
}

func (f *txnFixture) beat() {
	f.t.Helper()
	require.Equal(f.t, protocol.Success, f.w.ask(protocol.HeartBeat, "", heartbeatBody("cid", "G", 0, false, "T")).Code)
}

// half is a half message as its producer knows it.
type half struct {
	body                         string
	queueOffset, commitLogOffset int64
}

func (f *txnFixture) send(body, more string) half {
	f.t.Helper()
	answer := f.w.ask(protocol.SendMessage, sendFields("T", fmt.Sprintf("sysFlag=4 bornTimestamp=%d properties=%s", f.clock.Now().UnixMilli(),
		props("TRAN_MSG=true PGROUP=P TAGS=a UNIQ_KEY=id-"+body+" "+more))), body)
	if answer.Code == protocol.SystemBusy { // the clock went on while another put was at work
		return f.send(body, more)
	}
	require.Equal(f.t, protocol.Success, answer.Code, answer.Remark)
	id, _ := answer.Field("msgId")
	_, phyOffset, err := message.ParseOffsetMsgID(id)
	require.NoError(f.t, err)
	return half{body, number(f.t, answer, "queueOffset"), phyOffset}
}

func number(t *testing.T, c *protocol.Command, name string) int64 {
	t.Helper()
	text, _ := c.Field(name)
	n, err := strconv.ParseInt(text, 10, 64)
	require.NoError(t, err, name)
	return n
}

func endFields(h half, decision int32, more string) string {
	return fmt.Sprintf("producerGroup=P tranStateTableOffset=%d commitLogOffset=%d commitOrRollback=%d msgId=id-%s %s", h.queueOffset, h.commitLogOffset, decision, h.body, more)
}

func (f *txnFixture) end(h half, decision int32, more string) *protocol.Command {
	f.t.Helper()
	return f.w.ask(protocol.EndTransaction, endFields(h, decision, more), "")
}

// asked returns the next question of the rounds so far, and the half message that it is about.
func (f *txnFixture) asked() (half, *protocol.Command) {
	f.t.Helper()
	f.beat() // its answer comes behind what the server has asked
	next := slices.IndexFunc(f.w.pushed, func(c *protocol.Command) bool { return c.Code == protocol.CheckTransactionState })
	require.GreaterOrEqual(f.t, next, 0, "no question")
	frame := f.w.pushed[next]
	f.w.pushed = f.w.pushed[next+1:]
	return f.questioned(frame), frame
}

func (f *txnFixture) questioned(frame *protocol.Command) half {
	return half{bodiesOf(f.t, frame.Body)[0], number(f.t, frame, "tranStateTableOffset"), number(f.t, frame, "commitLogOffset")}
}

// round lets time pass, and one round of checks in it.
func (f *txnFixture) round(span time.Duration) {
	f.t.Helper()
	f.beat()
	was := f.clock.waits.Load()
	f.clock.Advance(span)
	f.awaitRounds(was)
}

func (f *txnFixture) delivered() []string { return f.w.pullAll(f.t, "T") }

func TestATransactionIsReadOnceItIsCommitted(t *testing.T) {
	f := newTxnFixture(t, nil)
	kept, dropped := f.send("kept", "K=v"), f.send("dropped", "")
	require.Empty(t, f.delivered())
	stored := f.b.records(message.HalfTopic)[0]
	require.Zero(t, message.TranType(stored.SysFlag))
	for name, want := range map[string]string{"REAL_TOPIC": "T", "REAL_QID": "0", "__transactionId__": "id-kept", "TRAN_MSG": "true", "PGROUP": "P", "K": "v"} {
		got, _ := stored.Property(name)
		require.Equal(t, want, got, name)
	}
	require.Equal(t, protocol.Success, f.end(kept, protocol.TransactionCommit, "").Code)
	require.Equal(t, protocol.Success, f.end(dropped, protocol.TransactionRollback, "").Code)
	require.Equal(t, []string{"kept"}, f.delivered())
	final := f.b.records("T")[0]
	require.Equal(t, message.TranCommit, message.TranType(final.SysFlag))
	require.Equal(t, kept.commitLogOffset, final.PreparedTransactionOffset)
	require.Equal(t, "id-kept", final.UniqKey())
	require.Equal(t, stored.BornTimestampMs, final.BornTimestampMs)

	require.Empty(t, f.b.records(message.OpHalfTopic))
	testkit.Eventually(t, func() bool {
		f.clock.Advance(time.Second)
		return len(f.b.records(message.OpHalfTopic)) > 0
	}, "the decisions to be written down")
	op := f.b.records(message.OpHalfTopic)[0]
	require.Equal(t, "0,1,", string(op.Body))
	require.Equal(t, "d", op.Tags())

	f.round(time.Minute)
	require.Equal(t, []string{"kept"}, f.delivered())
	offset, _ := f.b.offsets.Query(message.TransConsumerGroup, message.HalfTopic, 0)
	require.EqualValues(t, 2, offset)
	offset, _ = f.b.offsets.Query(message.TransConsumerGroup, message.OpHalfTopic, 0)
	require.EqualValues(t, 1, offset)
}

func TestAnUndecidedProducerIsAsked(t *testing.T) {
	f := newTxnFixture(t, nil)
	f.send("m", "")
	f.round(31 * time.Second)
	copied, frame := f.asked()
	require.EqualValues(t, 1, copied.queueOffset, "the copy")
	for name, want := range map[string]string{"topic": message.HalfTopic, "msgId": "id-m", "transactionId": "id-m",
		"offsetMsgId": message.OffsetMsgID(f.b.storeHost, copied.commitLogOffset), "bname": "broker-a"} {
		got, _ := frame.Field(name)
		require.Equal(t, want, got, name)
	}
	require.True(t, frame.IsOneway())
	var shown message.Message
	require.NoError(t, message.DecodeRecord(frame.Body, &shown))
	require.Equal(t, []any{"T", int32(0), copied.queueOffset, copied.commitLogOffset}, []any{shown.Topic, shown.QueueID, shown.QueueOffset, shown.PhyOffset})
	checks, _ := shown.Property(message.PropTransactionChecks)
	require.Equal(t, "1", checks)

	require.Equal(t, protocol.Success, f.end(copied, protocol.TransactionCommit, "fromTransactionCheck=true").Code)
	require.Equal(t, []string{"m"}, f.delivered())
	f.round(31 * time.Second)
	require.Equal(t, []string{"m"}, f.delivered())
	require.Len(t, f.b.records(message.HalfTopic), 2, "not asked about again")
}

func TestAYoungHalfMessageIsLeftAlone(t *testing.T) {
	f := newTxnFixture(t, func(c *Config) { c.TransactionTimeOut = 40_000 })
	f.send("old", "")
	f.clock.Advance(20 * time.Second)
	f.send("young", "")
	f.round(21 * time.Second)
	asked, _ := f.asked()
	require.Equal(t, "old", asked.body)
	require.Len(t, f.b.records(message.HalfTopic), 3)
}

func TestNobodyDecides(t *testing.T) {
	f := newTxnFixture(t, func(c *Config) { c.TransactionCheckMax = 3 })
	f.send("m", "")
	for i := range 3 {
		f.round(31 * time.Second)
		h, frame := f.asked()
		var shown message.Message
		require.NoError(t, message.DecodeRecord(frame.Body, &shown))
		checks, _ := shown.Property(message.PropTransactionChecks)
		require.Equal(t, strconv.Itoa(i+1), checks)
		require.Equal(t, "m", h.body)
	}
	f.round(31 * time.Second)
	given := f.b.records(message.TransCheckMaxTimeTopic)
	require.Len(t, given, 1)
	require.Equal(t, "m", string(given[0].Body))
	require.Equal(t, protocol.Success, f.w.ask(protocol.ResumeCheckHalfMessage, "topic=T msgId="+given[0].MsgID, "").Code)
	f.round(31 * time.Second)
	again, _ := f.asked()
	require.Equal(t, protocol.Success, f.end(again, protocol.TransactionCommit, "fromTransactionCheck=true").Code)
	require.Equal(t, []string{"m"}, f.delivered())
}

// A half message may say how long it wants to be left alone. The rounds store it again meanwhile; the decision is about
// the original and counts for the copy.
func TestAHalfMessageSetsItsOwnTime(t *testing.T) {
	f := newTxnFixture(t, nil)
	original := f.send("slow", "CHECK_IMMUNITY_TIME_IN_SECONDS=500")
	late := f.send("late", "CHECK_IMMUNITY_TIME_IN_SECONDS=500")
	for range 2 {
		f.round(31 * time.Second)
	}
	require.Len(t, f.b.records(message.HalfTopic), 6)
	require.Equal(t, protocol.Success, f.end(original, protocol.TransactionCommit, "").Code)
	f.round(31 * time.Second)
	require.Len(t, f.b.records(message.HalfTopic), 7, "late alone")
	for range 5 {
		f.round(100 * time.Second)
	}
	refused := f.end(late, protocol.TransactionCommit, "")
	require.Equal(t, []any{protocol.IllegalOperation, unsetRemark}, []any{refused.Code, refused.Remark})
	f.round(31 * time.Second)
	asked, _ := f.asked()
	require.Equal(t, "late", asked.body)
	require.Equal(t, protocol.Success, f.end(asked, protocol.TransactionRollback, "fromTransactionCheck=true").Code)
	f.round(31 * time.Second)
	require.Equal(t, []string{"slow"}, f.delivered())
}

// Java's half message with a delay level goes to the delayed ones, from which it is delivered to nobody.
func TestADelayBeginsWithTheCommit(t *testing.T) {
	f := newTxnFixture(t, nil)
	h := f.send("m", "DELAY=3")
	require.Len(t, f.b.records(message.HalfTopic), 1)
	f.clock.Advance(20 * time.Second)
	require.Equal(t, protocol.Success, f.end(h, protocol.TransactionCommit, "").Code)
	require.Empty(t, f.delivered())
	testkit.Eventually(t, func() bool {
		f.clock.Advance(time.Second)
		return len(f.delivered()) > 0
	}, "the delayed message")
	require.Equal(t, []string{"m"}, f.delivered())
	require.Equal(t, message.TranCommit, message.TranType(f.b.records("T")[0].SysFlag))
}

func TestDecisionsThatAreNone(t *testing.T) {
	f := newTxnFixture(t, nil)
	h := f.send("m", "")
	plain := f.w.ask(protocol.SendMessage, sendFields("T", "properties="+props("PGROUP=P REAL_TOPIC=T REAL_QID=0")), "plain")
	id, _ := plain.Field("msgId")
	_, plainAt, err := message.ParseOffsetMsgID(id)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		half   half
		more   string
		how    int32
		code   int32
		remark string
	}{
		"another group":       {h, "producerGroup=Q", 8, 1, "The producer group wrong"},
		"another offset":      {half{"m", 1, h.commitLogOffset}, "", 8, 1, "The transaction state table offset wrong"},
		"no message":          {half{"m", 0, h.commitLogOffset + 1}, "", 8, 1, "Find prepared transaction message failed"},
		"beyond the log":      {half{"m", 0, 1 << 60}, "", 12, 1, "Find prepared transaction message failed"},
		"before the log":      {half{"m", 0, -1}, "", 12, 1, "Find prepared transaction message failed"},
		"no half message":     {half{"m", 0, plainAt}, "", 8, 1, "Find prepared transaction message failed"},
		"no decision":         {h, "", 0, protocol.InvalidParameter, "commitOrRollback=0: 8 (commit) or 12 (rollback) is meant"},
		"nothing of the kind": {h, "", 7, protocol.InvalidParameter, "commitOrRollback=7: 8 (commit) or 12 (rollback) is meant"},
	} {
		t.Run(name, func(t *testing.T) {
			answer := f.end(c.half, c.how, c.more)
			require.Equal(t, []any{c.code, c.remark}, []any{answer.Code, answer.Remark})
		})
	}
	for _, id := range []string{"", "x", strings.Repeat("F", 32), id} {
		require.Equal(t, protocol.SystemError, f.w.ask(protocol.ResumeCheckHalfMessage, "msgId="+id, "").Code, id)
	}
	require.Equal(t, []string{"plain"}, f.delivered())
	require.Equal(t, protocol.Success, f.w.ask(protocol.UpdateBrokerConfig, "", "rejectTransactionMessage=true\n").Code)
	answer := f.w.ask(protocol.SendMessage, sendFields("T", "properties="+props("TRAN_MSG=true PGROUP=P")), "x")
	require.Equal(t, []any{protocol.NoPermission, "the broker[127.0.0.1] sending transaction message is forbidden"}, []any{answer.Code, answer.Remark})
}

// Whatever is lost with the power, a message that was committed is delivered in the end, and one that was rolled back never.
func TestTransactionsSurvivePowerLosses(t *testing.T) {
	for seed := int64(1); seed <= 20; seed += int64(testkit.Sparse(5)) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { powerLosses(t, seed) })
	}
}

func powerLosses(t *testing.T, seed int64) {
	rng := rand.New(rand.NewSource(seed))
	f := newTxnFixture(t, func(c *Config) { c.FlushDiskType = store.SyncFlush; c.TransactionCheckInterval = 10_001 })
	decisions := map[string]int32{}
	answerQuestions := func() {
		f.beat()
		for _, frame := range f.w.pushed {
			if frame.Code == protocol.CheckTransactionState {
				h := f.questioned(frame)
				f.oneway(h, decisions[h.body], "fromTransactionCheck=true")
			}
		}
		f.w.pushed = nil
	}
	for step := range 60 {
		switch rng.Intn(8) {
		case 0:
			f.clock.Advance(time.Duration(rng.Intn(20)) * time.Second)
		case 1:
			answerQuestions()
		case 2:
			f.w.Close()
			crashed := f.disk.CrashClone(rng)
			require.NoError(t, f.b.stop())
			f.disk = crashed
			f.start()
		default:
			body := fmt.Sprint("m", step)
			decisions[body] = []int32{protocol.TransactionCommit, protocol.TransactionRollback}[rng.Intn(2)]
			if h := f.send(body, ""); rng.Intn(2) == 0 {
				f.oneway(h, decisions[body], "")
			}
		}
	}
	testkit.Eventually(t, func() bool {
		f.clock.Advance(time.Second)
		answerQuestions()
		_, end, _ := f.b.store.QueueRange(message.HalfTopic, 0)
		at, _ := f.b.offsets.Query(message.TransConsumerGroup, message.HalfTopic, 0)
		return at == end
	}, "all half messages to be decided")
	got := f.delivered()
	for body, how := range decisions {
		require.Equal(t, how == protocol.TransactionCommit, slices.Contains(got, body), body)
	}
}

func (f *txnFixture) oneway(h half, decision int32, more string) {
	req := &protocol.Command{Code: protocol.EndTransaction, Version: 513, Flag: protocol.FlagOneway}
	for pair := range strings.FieldsSeq(endFields(h, decision, more)) {
		key, value, _ := strings.Cut(pair, "=")
		req.SetField(key, value)
	}
	f.w.WriteFrame(req)
}
