// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/rand"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
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

const timerStartMs = 1_700_000_000_300

// timerFixture is a broker under a clock of the test's.
type timerFixture struct {
	t     *testing.T
	disk  *vfs.Mem
	clock *clockwork.FakeClock
	b     *liveBroker
	w     *wire
	cfg   func(*Config)
}

func newTimerFixture(t *testing.T, change func(*Config)) *timerFixture {
	f := &timerFixture{t: t, disk: vfs.NewMem(), clock: clockwork.NewFakeClockAt(time.UnixMilli(timerStartMs)), cfg: change}
	f.start()
	return f
}

func (f *timerFixture) start() {
	f.b = newBroker(f.t, f.disk, f.clock, f.cfg)
	f.w = dial(f.t, f.b, "10911")
}

func (f *timerFixture) restart() {
	require.NoError(f.t, f.b.stop())
	f.start()
}

func (f *timerFixture) send(body, properties string) *protocol.Command {
	f.t.Helper()
	answer := f.w.ask(protocol.SendMessage, sendFields("T", "properties="+props("UNIQ_KEY=id-"+body+" "+properties)), body)
	if answer.Code == protocol.SystemBusy { // the clock went on while another put was at work
		return f.send(body, properties)
	}
	return answer
}

func (f *timerFixture) sent(body, properties string) *protocol.Command {
	f.t.Helper()
	answer := f.send(body, properties)
	require.Equal(f.t, protocol.Success, answer.Code, answer.Remark)
	return answer
}

func (f *timerFixture) bodies() (bodies []string) {
	for _, m := range f.b.records("T") {
		bodies = append(bodies, string(m.Body))
	}
	return bodies
}

// entered waits until the timer knows of everything that was sent.
func (f *timerFixture) entered(waiting int64) {
	f.t.Helper()
	testkit.Eventually(f.t, func() bool { return f.b.timer.State().Waiting == waiting }, "messages in the wheel")
}

// expect lets time pass until so many messages are delivered, and checks of each that it is not too early.
func (f *timerFixture) expect(want ...string) {
	f.t.Helper()
	testkit.Eventually(f.t, func() bool {
		f.clock.Advance(200 * time.Millisecond)
		return len(f.bodies()) >= len(want)
	}, fmt.Sprint("delivered ", want))
	require.Equal(f.t, want, f.bodies())
	for _, m := range f.b.records("T") {
		text, waited := m.Property("WANT")
		if wantMs, err := strconv.ParseInt(text, 10, 64); waited {
			require.NoError(f.t, err)
			require.GreaterOrEqual(f.t, m.StoreTimestampMs, wantMs, string(m.Body))
		}
	}
}

// at asks for a time so many milliseconds from now.
func (f *timerFixture) at(ms int64) string {
	atMs := f.b.nowMs() + ms
	return fmt.Sprintf("TIMER_DELIVER_MS=%d WANT=%d", atMs, atMs)
}

func TestATimerMessageWaits(t *testing.T) {
	f := newTimerFixture(t, nil)
	answer := f.sent("m", "TIMER_DELAY_SEC=10 K=v")
	handle, _ := answer.Field("recallHandle")
	raw, err := base64.URLEncoding.DecodeString(handle)
	require.NoError(t, err)
	require.Equal(t, "v1 T broker-a 1700000010001 id-m", string(raw))
	require.Empty(t, f.b.records("T"))
	waiting := f.b.records(message.TimerTopic)
	require.Len(t, waiting, 1)
	require.Equal(t, map[string]string{"UNIQ_KEY": "id-m", "TIMER_DELAY_SEC": "10", "K": "v", "TIMER_OUT_MS": "1700000010000", "REAL_TOPIC": "T", "REAL_QID": "0",
		"MSG_REGION": "DefaultRegion", "TRACE_ON": "true", "CLUSTER": "DefaultCluster"}, message.ParseProperties(waiting[0].Properties))
	f.entered(1)

	f.expect("m")
	m := f.b.records("T")[0]
	require.GreaterOrEqual(t, m.StoreTimestampMs, int64(timerStartMs+10_000))
	got := message.ParseProperties(m.Properties)
	require.Equal(t, strconv.FormatInt(m.StoreTimestampMs, 10), got["TIMER_DEQUEUE_MS"])
	require.Equal(t, "1700000000000", got["TIMER_ENQUEUE_MS"])
	require.Equal(t, []string{"1700000010000", "T", "v"}, []string{got["TIMER_OUT_MS"], got["REAL_TOPIC"], got["K"]})
	require.Equal(t, waiting[0].BornTimestampMs, m.BornTimestampMs)
	f.entered(0)
}

func TestTimesThatAreAskedFor(t *testing.T) {
	f := newTimerFixture(t, nil)
	for name, c := range map[string]struct {
		properties string
		outMs      int64 // 0: delivered at once
	}{
		"seconds before the others": {"TIMER_DELAY_SEC=10 TIMER_DELAY_MS=1 TIMER_DELIVER_MS=1", timerStartMs + 9_700},
		"milliseconds":              {"TIMER_DELAY_MS=1500 TIMER_DELIVER_MS=1", timerStartMs + 700},
		"a time":                    {"TIMER_DELIVER_MS=1700000005001", 1_700_000_005_000},
		"a whole second":            {"TIMER_DELIVER_MS=1700000005000", 1_700_000_004_000},
		"a time that is past":       {"TIMER_DELIVER_MS=1", 0},
		"now":                       {fmt.Sprintf("TIMER_DELIVER_MS=%d", timerStartMs), 0},
		"no delay":                  {"TIMER_DELAY_SEC=0", 0},
		"less than none":            {"TIMER_DELAY_SEC=-7", 0},
		"been through the timer":    {"TIMER_DELAY_SEC=10 TIMER_OUT_MS=5", 0},
		"the longest":               {"TIMER_DELAY_SEC=259200", timerStartMs + 259_199_700},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(f.b.records("T"))
			handle, _ := f.sent("m", c.properties).Field("recallHandle")
			require.Equal(t, c.outMs == 0, handle == "")
			if c.outMs == 0 {
				require.Len(t, f.b.records("T"), before+1)
				return
			}
			waiting := f.b.records(message.TimerTopic)
			got, _ := waiting[len(waiting)-1].Property("TIMER_OUT_MS")
			require.Equal(t, strconv.FormatInt(c.outMs, 10), got)
		})
	}
}

const timerIllegal = "timer message illegal, the delay time should not be bigger than the max delay 259200000ms; or if set del msg, the delay time should be bigger than the current time"

func TestTimesThatCannotBe(t *testing.T) {
	f := newTimerFixture(t, nil)
	for _, properties := range []string{
		"TIMER_DELAY_SEC=259201", "TIMER_DELAY_SEC=x", "TIMER_DELAY_SEC=99999999999", "TIMER_DELAY_MS=1.5", "TIMER_DELIVER_MS=x",
		"TIMER_DELIVER_MS=9223372036854775807", "TIMER_DELIVER_MS=9223372036854775808", "TIMER_DELAY_SEC=0 TIMER_DEL_UNIQKEY=T+u",
		"TRAN_MSG=true PGROUP=P TIMER_DELAY_SEC=259201",
	} {
		answer := f.send("m", properties)
		require.Equal(t, []any{protocol.MessageIllegal, timerIllegal}, []any{answer.Code, answer.Remark}, properties)
	}
	require.Empty(t, f.b.records(message.TimerTopic))

	f = newTimerFixture(t, func(c *Config) { c.TimerWheelEnable = false })
	answer := f.send("m", "TIMER_DELAY_SEC=5")
	require.Equal(t, []any{protocol.SystemError, "accurate timer message is not enabled, timerWheelEnable is false"}, []any{answer.Code, answer.Remark})
}

func TestASlotTakesSoManyMessages(t *testing.T) {
	f := newTimerFixture(t, func(c *Config) { c.TimerCongestNumEachSlot = 1 })
	for i := range 2 {
		f.sent("m", "TIMER_DELIVER_MS=1700000005500")
		f.entered(int64(i + 1))
	}
	answer := f.send("m", "TIMER_DELIVER_MS=1700000005600")
	require.Equal(t, []any{protocol.SystemError, "timer message is under flow control, max num limit is 2 or the current value is greater than 1 and less than 2, trigger random flow control"},
		[]any{answer.Code, answer.Remark})
	f.sent("m", "TIMER_DELIVER_MS=1700000006600")
}

// A slot's messages come in the order in which they were sent, and slots in the order of their times.
func TestTimerMessagesComeInTheOrderOfTheirTimes(t *testing.T) {
	f := newTimerFixture(t, nil)
	f.sent("c", f.at(9_000))
	f.sent("b1", f.at(5_000))
	f.sent("a", f.at(2_000))
	f.sent("b2", f.at(5_000))
	f.entered(4)
	f.expect("a", "b1", "b2", "c")
}

// A message for a time that the wheel does not reach goes through it several times.
func TestAMessageForALaterTimeThanTheWheelReaches(t *testing.T) {
	f := newTimerFixture(t, func(c *Config) { c.TimerRollWindowSlot = 10 })
	f.sent("m", f.at(35_000))
	f.sent("n", f.at(11_000))
	f.entered(2)
	f.expect("n", "m")
	rolls, _ := f.b.records("T")[0].Property("TIMER_ROLL_TIMES")
	require.Equal(t, "1", rolls)
	rolls, _ = f.b.records("T")[1].Property("TIMER_ROLL_TIMES")
	require.Contains(t, []string{"2", "3"}, rolls, "as late as the clock lets it")
}

func TestATimerMessageIsTakenBack(t *testing.T) {
	f := newTimerFixture(t, nil)
	f.sent("kept", f.at(5_000))
	f.sent("gone", f.at(5_000))
	f.sent("gonetoo", f.at(5_000))
	f.sent("late", f.at(6_000))
	f.entered(4)
	f.sent("back", f.at(5_000)+" TIMER_DEL_UNIQKEY=T+id-gone")
	f.sent("back too", f.at(5_000)+" TIMER_DEL_UNIQKEY=id-gonetoo")
	f.entered(2)
	f.expect("kept", "late")
}

func TestAMessageIsRecalled(t *testing.T) {
	f := newTimerFixture(t, nil)
	handle, _ := f.sent("gone", f.at(5_000)).Field("recallHandle")
	f.entered(1)
	recall := func(topic, handle string) *protocol.Command {
		return f.w.ask(protocol.RecallMessage, "producerGroup=P topic="+topic+" recallHandle="+handle, "")
	}
	answer := recall("T", handle)
	require.Equal(t, []any{protocol.NoPermission, "recall failed, operation is forbidden"}, []any{answer.Code, answer.Remark})
	require.Equal(t, protocol.Success, f.w.ask(protocol.UpdateBrokerConfig, "", "recallMessageEnable=true\n").Code)
	f.w.ask(protocol.SendMessage, sendFields("Other", ""), "x")
	sealed := func(topic, broker, time string) string {
		return protocol.RecallHandle{Topic: topic, BrokerName: broker, TimeText: time, UniqKey: "u"}.String()
	}
	for _, c := range []struct {
		name, topic, handle string
		code                int32
		remark              string
	}{
		{"unknown topic", "Unknown", handle, protocol.TopicNotExist, "recall failed, the topic[Unknown] not exist"},
		{"another topic", "Other", handle, protocol.IllegalOperation, "recall failed, topic not match"},
		{"another broker", "T", sealed("T", "broker-b", "1700000005000"), protocol.IllegalOperation, "recall failed, broker service not available"},
		{"past", "T", sealed("T", "broker-a", "1700000000000"), protocol.IllegalOperation, "recall failed, timestamp invalid"},
		{"far away", "T", sealed("T", "broker-a", "9223372036854775807"), protocol.IllegalOperation, "recall failed, timestamp invalid"},
		{"no time", "T", sealed("T", "broker-a", "x"), protocol.IllegalOperation, "recall failed, timestamp invalid"},
		{"no base 64", "T", "***", protocol.IllegalOperation, "recall handle is invalid"},
		{"another version", "T", base64.URLEncoding.EncodeToString([]byte("v2 T broker-a 1 u")), protocol.IllegalOperation, "recall handle is invalid"},
		{"too few parts", "T", base64.URLEncoding.EncodeToString([]byte("v1 T broker-a 1")), protocol.IllegalOperation, "recall handle is invalid"},
	} {
		answer := recall(c.topic, c.handle)
		require.Equal(t, []any{c.code, c.remark}, []any{answer.Code, answer.Remark}, c.name)
	}
	answer = recall("T", handle)
	require.Equal(t, protocol.Success, answer.Code, answer.Remark)
	id, _ := answer.Field("msgId")
	require.Equal(t, "id-gone", id)
	f.entered(0)
	f.sent("kept", f.at(6_000))
	f.expect("kept")
}

func TestATransactionForATime(t *testing.T) {
	f := newTimerFixture(t, nil)
	id, _ := f.sent("m", "TRAN_MSG=true PGROUP=P TIMER_DELAY_SEC=5").Field("msgId")
	_, phyOffset, err := message.ParseOffsetMsgID(id)
	require.NoError(t, err)
	require.Len(t, f.b.records(message.HalfTopic), 1)
	f.clock.Advance(20 * time.Second)
	answer := f.w.ask(protocol.EndTransaction, endFields(half{"m", 0, phyOffset}, protocol.TransactionCommit, ""), "")
	require.Equal(t, protocol.Success, answer.Code, answer.Remark)
	require.Empty(t, f.b.records("T"), "its delay begins with the commit")
	f.expect("m")
	require.GreaterOrEqual(t, f.b.records("T")[0].StoreTimestampMs, int64(timerStartMs+25_000))
	require.Equal(t, message.TranCommit, message.TranType(f.b.records("T")[0].SysFlag))
}

// What others put into the timer's queue harms nobody.
func TestMessagesThatTheTimerCannotDeliver(t *testing.T) {
	f := newTimerFixture(t, nil)
	for i, properties := range []string{
		"", "TIMER_OUT_MS=x", "TIMER_OUT_MS=1", "TIMER_OUT_MS=1 REAL_TOPIC=T", "TIMER_OUT_MS=1 REAL_TOPIC=T REAL_QID=-1",
		"TIMER_OUT_MS=1 REAL_TOPIC=../T REAL_QID=0", "TIMER_OUT_MS=-9223372036854775808 REAL_TOPIC=rmq_sys_wheel_timer REAL_QID=0",
		"TIMER_OUT_MS=1700000002000 REAL_TOPIC=RMQ_SYS_TRANS_HALF_TOPIC REAL_QID=0", "TIMER_OUT_MS=1700000002000 REAL_TOPIC=SCHEDULE_TOPIC_XXXX REAL_QID=0",
		"TIMER_OUT_MS=9223372036854775807 REAL_TOPIC=T REAL_QID=0",
	} {
		answer := f.w.ask(protocol.SendMessage, sendFields(message.TimerTopic, "properties="+props("UNIQ_KEY=u "+properties)), fmt.Sprint("bad", i))
		require.Equal(t, protocol.Success, answer.Code, answer.Remark)
	}
	f.sent("good", f.at(3_000))
	f.expect("good")
	require.Len(t, f.b.records(message.TimerTopic), 11)
	require.Empty(t, f.b.records(message.HalfTopic))
}

func TestTheTimerCanBeStopped(t *testing.T) {
	f := newTimerFixture(t, nil)
	set := func(text string) {
		require.Equal(t, protocol.Success, f.w.ask(protocol.UpdateBrokerConfig, "", text).Code)
	}
	set("timerStopEnqueue=true\n")
	f.sent("m", f.at(2_000))
	require.Zero(t, f.b.timer.State().Waiting)
	set("timerStopEnqueue=false\ntimerStopDequeue=true\n")
	testkit.Eventually(t, func() bool {
		f.clock.Advance(200 * time.Millisecond)
		return f.b.timer.State().Waiting == 1 || len(f.bodies()) == 1 // entered too late to wait
	}, "entered")
	f.sent("n", f.at(4_000))
	testkit.Eventually(t, func() bool {
		f.clock.Advance(200 * time.Millisecond)
		return f.b.timer.State().Waiting > 0
	}, "entered")
	set("timerStopDequeue=false\n")
	f.expect("m", "n")
}

// After a clean end each message is delivered once.
func TestTimerMessagesSurviveARestart(t *testing.T) {
	f := newTimerFixture(t, func(c *Config) { c.MappedFileSizeTimerLog = 52*4 + 16 })
	for i := range 10 {
		f.sent(fmt.Sprint("m", i), f.at(int64(2_000+1_000*i)))
	}
	f.restart() // before the timer may have entered all
	f.entered(10)
	f.restart()
	f.entered(10)
	f.expect("m0", "m1", "m2", "m3")
	f.restart()
	f.clock.Advance(time.Hour)
	f.expect("m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "m9")
	f.restart()
	f.sent("last", f.at(2_000))
	f.expect("m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "m9", "last")
	f.restart()
	infos, err := f.disk.List("/store/timerlog")
	require.NoError(t, err)
	require.Less(t, len(infos), 3, "files without waiting messages are removed")
}

// As long as the timer's files cannot be written, sends are taken and their messages wait; none is lost.
func TestTheTimerOutlivesAFullDisk(t *testing.T) {
	for _, file := range []string{"timerlog", "timerwheel", "timercheck"} {
		t.Run(file, func(t *testing.T) {
			f := newTimerFixture(t, func(c *Config) { c.MappedFileSizeTimerLog = 52*4 + 16 })
			f.sent("m0", f.at(2_000))
			f.entered(1)
			var refused atomic.Int64
			f.disk.SetFault(func(op vfs.Op) error {
				if !op.Changes() || op.Syncs() || !strings.Contains(op.Name, file) {
					return nil
				}
				refused.Add(1)
				return syscall.ENOSPC
			})
			for i := 1; i < 10; i++ {
				f.sent(fmt.Sprint("m", i), f.at(int64(2_000+1_000*i)))
			}
			testkit.Eventually(t, func() bool {
				f.clock.Advance(100 * time.Millisecond)
				return refused.Load() > 3
			}, "writes that fail")
			f.disk.SetFault(nil)
			testkit.Eventually(t, func() bool {
				f.clock.Advance(200 * time.Millisecond)
				return len(f.bodies()) >= 10
			}, "all messages")
			f.restart()
			require.ElementsMatch(t, []string{"m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "m9"}, f.bodies())
		})
	}
}

// A sync that fails leaves the timer's files in doubt, and it stands still until it is started again. Sends go on.
func TestATimerWhoseDiskIsInDoubt(t *testing.T) {
	f := newTimerFixture(t, nil)
	f.sent("m", f.at(2_000))
	f.entered(1)
	var failed atomic.Bool
	f.disk.SetFault(func(op vfs.Op) error {
		if op.Kind == "sync" && strings.HasPrefix(op.Name, "/store/timerlog/") {
			failed.Store(true)
			return syscall.EIO
		}
		return nil
	})
	f.sent("n", f.at(60_000))
	testkit.Eventually(t, func() bool {
		f.clock.Advance(100 * time.Millisecond)
		return failed.Load()
	}, "a sync that fails")
	f.sent("o", f.at(3_000))
	require.NoError(t, f.b.stop())
	f.disk.SetFault(nil)
	f.start()
	testkit.Eventually(t, func() bool {
		f.clock.Advance(500 * time.Millisecond)
		seen := map[string]bool{}
		for _, body := range f.bodies() {
			seen[body] = true
		}
		return len(seen) == 3
	}, "all messages")
}

// However late: Java drops what is more than seven days late.
func TestVeryLateTimerMessages(t *testing.T) {
	f := newTimerFixture(t, nil)
	f.sent("m", f.at(5_000))
	f.entered(1)
	require.NoError(t, f.b.stop())
	f.clock.Advance(10 * 24 * time.Hour)
	f.start()
	f.expect("m")
}

// Files that are lost are made again from what is left.
func TestFilesOfTheTimerMayBeLost(t *testing.T) {
	for _, lost := range [][]string{{"timerwheel"}, {"config/timercheck"}, {"timerlog"}, {"timerwheel", "timerlog"},
		{"timerwheel", "config/timercheck"}, {"timerlog", "config/timercheck"}, {"timerwheel", "timerlog", "config/timercheck"}} {
		t.Run(strings.Join(lost, "+"), func(t *testing.T) {
			f := newTimerFixture(t, nil)
			for i := range 5 {
				f.sent(fmt.Sprint("m", i), f.at(int64(2_000+1_000*i)))
			}
			f.entered(5)
			require.NoError(t, f.b.stop())
			for _, name := range lost {
				require.NoError(t, vfs.RemoveAll(f.disk, "/store/"+name))
			}
			f.start()
			f.entered(5)
			f.expect("m0", "m1", "m2", "m3", "m4")
		})
	}
}

// What stands in the timer log may be gone where the file is not.
func TestATimerLogOfZeros(t *testing.T) {
	f := newTimerFixture(t, nil)
	for i := range 3 {
		f.sent(fmt.Sprint("m", i), f.at(int64(5_000+1_000*i)))
	}
	f.entered(3)
	require.NoError(t, f.b.stop())
	file, err := f.disk.Open("/store/timerlog/00000000000000000000", vfs.ReadWrite)
	require.NoError(t, err)
	require.NoError(t, file.Zero(52, 104))
	require.NoError(t, file.Close())
	f.start()
	f.entered(3)
	f.expect("m0", "m1", "m2")
}

// Java may keep the wheel in files with a suffix, and then the one without is old.
func TestAWheelThatIsNotTheNewest(t *testing.T) {
	f := newTimerFixture(t, nil)
	f.sent("m", f.at(5_000))
	f.entered(1)
	require.NoError(t, f.b.stop())
	size, err := f.disk.Stat("/store/timerwheel")
	require.NoError(t, err)
	require.NoError(t, vfs.WriteFile(f.disk, "/store/timerwheel", make([]byte, size.Size)))
	require.NoError(t, vfs.WriteFile(f.disk, "/store/timerwheel.52", []byte("newer")))
	f.start()
	f.expect("m")
}

// The timer log may be on the disk where the commit log is not, when nobody waits for it. A unit of such a message must not
// count for the message that comes to its place.
func TestAUnitOutlivesItsMessage(t *testing.T) {
	f := newTimerFixture(t, nil)
	f.sent("m", f.at(60_000))
	f.entered(1)
	require.NoError(t, f.b.stop())
	file, err := f.disk.Open("/store/timerlog/00000000000000000000", vfs.ReadWrite)
	require.NoError(t, err)
	b := make([]byte, 52)
	_, err = file.ReadAt(b, 0)
	require.NoError(t, err)
	end := uint64(f.b.store.Marks().Appended)
	binary.BigEndian.PutUint64(b[4:], 0)
	binary.BigEndian.PutUint64(b[28:], end)
	_, err = file.WriteAt(b, 52)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	f.start()
	f.sent("n", f.at(3_000))
	f.expect("n")
	require.EqualValues(t, end, f.b.records(message.TimerTopic)[1].PhyOffset)
	f.entered(1)
}

// Whatever is lost with the power, a message that is on the disk is delivered, and none too early.
func TestTimerMessagesSurvivePowerLosses(t *testing.T) {
	for seed := int64(1); seed <= 10; seed += int64(testkit.Sparse(4)) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { timerPowerLosses(t, seed) })
	}
}

func timerPowerLosses(t *testing.T, seed int64) {
	rng := rand.New(rand.NewSource(seed))
	f := newTimerFixture(t, func(c *Config) {
		c.FlushDiskType, c.MappedFileSizeTimerLog, c.TimerRollWindowSlot = store.SyncFlush, 52*5+20, 12
	})
	want := map[string]bool{}
	for step := range 60 {
		switch rng.Intn(8) {
		case 0:
			f.clock.Advance(time.Duration(rng.Intn(3000)) * time.Millisecond)
		case 1:
			f.w.Close()
			crashed := f.disk.CrashClone(rng)
			require.NoError(t, f.b.stop())
			f.disk = crashed
			f.start()
		default:
			body := fmt.Sprint("m", step)
			f.sent(body, f.at(int64(rng.Intn(20_000))))
			want[body] = true
		}
	}
	testkit.Eventually(t, func() bool {
		f.clock.Advance(300 * time.Millisecond)
		got := map[string]bool{}
		for _, m := range f.b.records("T") {
			got[string(m.Body)] = true
			text, _ := m.Property("WANT")
			wantMs, err := strconv.ParseInt(text, 10, 64)
			require.NoError(t, err)
			require.GreaterOrEqual(t, m.StoreTimestampMs, wantMs, string(m.Body))
		}
		return len(got) == len(want)
	}, "all of them")
}
