// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"

	"rocketd/internal/testkit"
	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/remoting/remotingtest"
	"rocketd/store"
	"rocketd/store/vfs"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// liveBroker is a running broker on a network in memory.
type liveBroker struct {
	*Broker
	t       testing.TB
	network *remotingtest.Network
	stop    func() error
}

func testConfig() Config {
	cfg := DefaultConfig()
	cfg.BrokerName, cfg.BrokerIP1 = "broker-a", "127.0.0.1"
	cfg.StorePathRootDir, cfg.StorePathCommitLog = "/store", "/store/commitlog"
	cfg.CommitLogFileSize = 1 << 20
	cfg.MaxHashSlotNum, cfg.MaxIndexNum = 1000, 4000
	cfg.ConsumeQueueFileSize = 20 * 5000 // a disk in memory has no holes
	return cfg
}

func newBroker(t testing.TB, disk vfs.FS, clock clockwork.Clock, change func(*Config)) *liveBroker {
	t.Helper()
	network := new(remotingtest.Network)
	return startBroker(t, network, Deps{FS: disk, Clock: clock, Listen: network.Listen, Dial: network.Dial}, change)
}

// startBroker runs a broker in a world of the caller's.
func startBroker(t testing.TB, network *remotingtest.Network, deps Deps, change func(*Config)) *liveBroker {
	t.Helper()
	cfg := testConfig()
	if change != nil {
		change(&cfg)
	}
	l := &liveBroker{t: t, network: network}
	b, err := New(cfg, deps)
	require.NoError(t, err)
	l.Broker = b
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	stopped := false
	l.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() { require.NoError(t, l.stop()) })
	select {
	case <-b.Ready():
	case err := <-ended:
		stopped = true
		t.Fatal(err)
	}
	return l
}

// records are the messages in queue 0 of a topic.
func (l *liveBroker) records(topic string) (records []message.Message) {
	low, high, _ := l.store.QueueRange(topic, 0)
	for at := low; at < high; at++ {
		phyOffset, _, _, _ := l.store.TagsCodeAt(topic, 0, at)
		m, err := l.store.Message(phyOffset)
		require.NoError(l.t, err)
		records = append(records, *m)
	}
	return records
}

// wire is a client's connection.
type wire struct {
	*remotingtest.Raw
	t      testing.TB
	opaque int32
	pushed []*protocol.Command // what the server asked while an answer was waited for
}

func dial(t testing.TB, b *liveBroker, port string) *wire {
	t.Helper()
	conn, err := b.network.Dial(context.Background(), "tcp", net.JoinHostPort("0.0.0.0", port))
	require.NoError(t, err)
	return &wire{Raw: remotingtest.NewRaw(t, conn), t: t}
}

// send writes a request and returns its opaque.
func (w *wire) send(code int32, fields, body string) int32 {
	w.opaque++
	req := &protocol.Command{Code: code, Version: 513, Opaque: w.opaque, Body: []byte(body)}
	for pair := range strings.FieldsSeq(fields) {
		key, value, _ := strings.Cut(pair, "=")
		req.SetField(key, value)
	}
	w.WriteFrame(req)
	return w.opaque
}

// ask sends a request and returns its answer.
func (w *wire) ask(code int32, fields, body string) *protocol.Command {
	w.t.Helper()
	opaque := w.send(code, fields, body)
	answer := w.answer()
	require.Equal(w.t, opaque, answer.Opaque)
	return answer
}

// answer is the next one.
func (w *wire) answer() *protocol.Command {
	w.t.Helper()
	answer := w.ReadFrame()
	for !answer.IsResponse() {
		w.pushed = append(w.pushed, answer)
		answer = w.ReadFrame()
	}
	return answer
}

func TestSendAndPullOverTheWire(t *testing.T) {
	b := newBroker(t, vfs.NewMem(), clockwork.NewRealClock(), nil)
	for _, port := range []string{"10911", "10909"} {
		w := dial(t, b, port)
		for i := range 3 {
			answer := w.ask(protocol.SendMessage, sendFields("T"+port, ""), fmt.Sprint("m", i))
			require.Equal(t, protocol.Success, answer.Code, answer.Remark)
		}
		answer := w.ask(protocol.PullMessage, pullFields("T"+port, 0, ""), "")
		require.Equal(t, []string{"m0", "m1", "m2"}, bodiesOf(t, answer.Body))
	}
}

// A connection that waits for a message can send in the meantime.
func TestAParkedPullHoldsUpNobody(t *testing.T) {
	b := newBroker(t, vfs.NewMem(), clockwork.NewRealClock(), nil)
	w := dial(t, b, "10911")
	w.ask(protocol.SendMessage, sendFields("T", ""), "m0")
	pull := w.send(protocol.LitePullMessage, pullFields("T", 1, "sysFlag=22"), "")
	testkit.Eventually(t, func() bool { return b.parked.Len() == 1 }, "parked")
	send := w.send(protocol.SendMessage, sendFields("T", ""), "m1")
	got := map[int32]*protocol.Command{}
	for range 2 {
		answer := w.ReadFrame()
		got[answer.Opaque] = answer
	}
	require.Equal(t, protocol.Success, got[send].Code)
	require.Equal(t, []string{"m1"}, bodiesOf(t, got[pull].Body))
}

func TestAClosedConnectionLeavesNothingParked(t *testing.T) {
	b := newBroker(t, vfs.NewMem(), clockwork.NewRealClock(), nil)
	w := dial(t, b, "10911")
	w.ask(protocol.SendMessage, sendFields("T", ""), "m0")
	w.send(protocol.PullMessage, pullFields("T", 1, "sysFlag=6"), "")
	testkit.Eventually(t, func() bool { return b.parked.Len() == 1 }, "parked")
	require.NoError(t, w.Conn().Close())
	testkit.Eventually(t, func() bool { return b.parked.Len() == 0 }, "forgotten")
}

func TestTheEndAnswersWhoWaitsAndKeepsEverything(t *testing.T) {
	disk := vfs.NewMem()
	b := newBroker(t, disk, clockwork.NewRealClock(), nil)
	w := dial(t, b, "10911")
	w.ask(protocol.SendMessage, sendFields("T", ""), "m0")
	w.ask(protocol.SendMessage, sendFields("T", "properties="+props("DELAY=5")), "later")
	pull := w.send(protocol.PullMessage, pullFields("T", 1, "sysFlag=7 commitOffset=1"), "")
	testkit.Eventually(t, func() bool { return b.parked.Len() == 1 }, "parked")
	require.NoError(t, b.stop())
	answer := w.ReadFrame()
	require.Equal(t, []any{pull, protocol.PullNotFound}, []any{answer.Opaque, answer.Code})
	w.ExpectClosed()
	_, err := disk.Stat("/store/abort")
	require.Error(t, err, "a clean end")

	b = newBroker(t, disk, clockwork.NewRealClock(), nil)
	w = dial(t, b, "10911")
	require.Equal(t, []string{"m0"}, bodiesOf(t, w.ask(protocol.PullMessage, pullFields("T", 0, ""), "").Body))
	offset, ok := b.offsets.Query("G", "T", 0)
	require.True(t, ok)
	require.EqualValues(t, 1, offset)
	_, waiting, _ := b.store.QueueRange(message.ScheduleTopic, 4)
	require.EqualValues(t, 1, waiting)
}

func TestADelayedMessageIsDelivered(t *testing.T) {
	disk, clock := vfs.NewMem(), clockwork.NewFakeClockAt(time.UnixMilli(1_700_000_000_000))
	b := newBroker(t, disk, clock, nil)
	w := dial(t, b, "10911")
	w.ask(protocol.SendMessage, sendFields("T", "queueId=1"), "now")
	for i := range 3 {
		w.ask(protocol.SendMessage, sendFields("T", "queueId=1 properties="+props("UNIQ_KEY=U TAGS=a DELAY=2")), fmt.Sprint("d", i))
	}
	sentMs := b.nowMs()
	testkit.Eventually(t, func() bool {
		clock.Advance(500 * time.Millisecond)
		_, end, _ := b.store.QueueRange("T", 1)
		return end == 4
	}, "delivered")
	records := w.ask(protocol.PullMessage, pullFields("T", 1, "queueId=1 subscription=a"), "").Body
	require.Equal(t, []string{"d0", "d1", "d2"}, bodiesOf(t, records))
	var m message.Message
	require.NoError(t, message.DecodeRecord(records[:message.RecordSize(records)], &m))
	require.GreaterOrEqual(t, m.StoreTimestampMs, sentMs+5000)
	require.Equal(t, map[string]string{"UNIQ_KEY": "U", "TAGS": "a", "DELAY": "2", "REAL_TOPIC": "T", "REAL_QID": "1",
		"MSG_REGION": "DefaultRegion", "TRACE_ON": "true", "CLUSTER": "DefaultCluster"}, message.ParseProperties(m.Properties))
	require.NoError(t, b.stop())

	b = newBroker(t, disk, clock, nil)
	offset, _ := b.delays.Get(2)
	require.EqualValues(t, 3, offset, "not delivered again after a clean end")
}

// After a crash delayed messages may come twice, but none is lost: progress that is on the disk is
// never ahead of what was delivered onto it.
func TestDelayedMessagesSurviveACrash(t *testing.T) {
	for seed := range 8 {
		disk, clock := vfs.NewMem(), clockwork.NewFakeClockAt(time.UnixMilli(1_700_000_000_000))
		b := newBroker(t, disk, clock, nil)
		w := dial(t, b, "10911")
		for i := range 5 {
			w.ask(protocol.SendMessage, sendFields("T", "properties="+props("DELAY=1")), fmt.Sprint("d", i))
		}
		require.NoError(t, b.store.AwaitFlush(context.Background(), b.store.Marks().Appended))
		testkit.Eventually(t, func() bool {
			clock.Advance(100 * time.Millisecond)
			_, end, _ := b.store.QueueRange("T", 0)
			return end > int64(seed%5)
		}, "some delivered")
		require.NoError(t, delayProgress{b.Broker}.Save())
		crashed := disk.CrashClone(rand.New(rand.NewSource(int64(seed))))
		require.NoError(t, b.stop())

		b = newBroker(t, crashed, clock, nil)
		w = dial(t, b, "10911")
		testkit.Eventually(t, func() bool {
			clock.Advance(500 * time.Millisecond)
			seen := map[string]bool{}
			for _, body := range bodiesOf(t, w.ask(protocol.PullMessage, pullFields("T", 0, ""), "").Body) {
				seen[body] = true
			}
			return len(seen) == 5
		}, fmt.Sprintf("all of them, seed %d", seed))
		require.NoError(t, b.stop())
	}
}

func TestAStartThatFailsSaysWhy(t *testing.T) {
	start := func(disk vfs.FS, listen func(network, addr string) (net.Listener, error), change func(*Config)) error {
		cfg := testConfig()
		change(&cfg)
		b, err := New(cfg, Deps{FS: disk, Listen: listen})
		if err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		return b.Run(ctx)
	}
	network := new(remotingtest.Network)
	nothing := func(*Config) {}
	taken, err := network.Listen("tcp", "0.0.0.0:10909")
	require.NoError(t, err)
	disk := vfs.NewMem()
	require.ErrorContains(t, start(disk, network.Listen, nothing), "listenPort-2 (the VIP channel): cannot listen on 0.0.0.0:10909")
	require.NoError(t, taken.Close())
	require.NoError(t, start(disk, network.Listen, nothing), "the failed start left neither port nor lock behind")

	held, err := disk.Lock("/store/lock")
	require.NoError(t, err)
	require.ErrorContains(t, start(disk, network.Listen, nothing), "/store/lock")
	require.NoError(t, held.Close())

	for key, change := range map[string]func(*Config){
		"brokerId=1":              func(c *Config) { c.BrokerID = 1 },
		"brokerRole=SLAVE":        func(c *Config) { c.BrokerRole = store.Slave },
		"enableControllerMode":    func(c *Config) { c.EnableControllerMode = true },
		"enableLmq=true":          func(c *Config) { c.EnableLmq, c.EnableMultiDispatch = true, true },
		"authenticationEnabled":   func(c *Config) { c.AuthorizationEnabled = true },
		"listenPort=2":            func(c *Config) { c.ListenPort = 2 },
		"brokerName":              func(c *Config) { c.BrokerName = "../x" },
		"brokerClusterName":       func(c *Config) { c.BrokerClusterName = "" },
		"brokerIP1":               func(c *Config) { c.BrokerIP1 = "a b" },
		"brokerIP2":               func(c *Config) { c.BrokerIP2 = "[127.0.0.1]" },
		"brokerPermission=8":      func(c *Config) { c.BrokerPermission = 8 },
		"defaultTopicQueueNums=0": func(c *Config) { c.DefaultTopicQueueNums = 0 },
		"messageDelayLevel":       func(c *Config) { c.MessageDelayLevel = "1x" },
		"enableDLegerCommitLog=true: DLedger commit logs are not supported: let consumers finish with Java, switch the key off and begin with an empty directory": func(c *Config) {
			c.EnableDLegerCommitLog = true
		},
		"storeType=defaultRocksDB is not supported: set storeType=default, with which the consume queues are built anew from the commit log": func(c *Config) {
			c.StoreType = "defaultRocksDB"
		},
	} {
		err := start(vfs.NewMem(), network.Listen, change)
		require.ErrorContains(t, err, key)
		require.NotContains(t, err.Error(), "\n", "one sentence")
	}
	refused := errors.New("refused")
	require.ErrorIs(t, start(vfs.NewMem(), func(string, string) (net.Listener, error) { return nil, refused }, nothing), refused)
}

func TestHandleNeedsARunningBroker(t *testing.T) {
	b, err := New(testConfig(), Deps{FS: vfs.NewMem()})
	require.NoError(t, err)
	_, err = b.Handle(context.Background(), nil, &protocol.Command{Code: protocol.GetMaxOffset})
	require.Error(t, err)
}
