// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"rocketd/compat/fastjson"
	"rocketd/internal/testkit"
	"rocketd/protocol"
	"rocketd/remoting"
)

// fakeNamesrv is a name server that remembers who registered.
type fakeNamesrv struct {
	port string

	mu           sync.Mutex
	registered   []*protocol.RegisterBrokerBody
	headers      []protocol.RegisterBrokerHeader
	unregistered int
	order        map[string]string
	refuse       bool
	refused      int
}

func newFakeNamesrv(t *testing.T) *fakeNamesrv {
	t.Helper()
	ns := &fakeNamesrv{}
	mux, lane := remoting.NewMux(zerolog.Nop()), remoting.NewLane("all", 100, false)
	remoting.Handle(mux, protocol.RegisterBroker, lane, ns.register)
	remoting.Handle(mux, protocol.UnregisterBroker, lane, ns.unregister)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ns.port = strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	server := remoting.NewServer(remoting.DefaultServerConfig(), mux, zerolog.Nop(), remoting.Hooks{})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return ns
}

func (ns *fakeNamesrv) register(_ context.Context, c *remoting.Call, req *protocol.RegisterBrokerHeader) (*protocol.RegisterBrokerResult, error) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if ns.refuse {
		ns.refused++
		return nil, protocol.Errorf(protocol.SystemError, "not today")
	}
	if req.BodyCRC32 != protocol.BodyCRC32(c.Request().Body) {
		return nil, protocol.Errorf(protocol.SystemError, "crc32 not match")
	}
	body, err := protocol.DecodeRegisterBrokerBody(c.Request().Body, req.Compressed, c.Request().Version)
	if err != nil {
		return nil, err
	}
	ns.registered = append(ns.registered, body)
	ns.headers = append(ns.headers, *req)
	if ns.order != nil {
		text, err := fastjson.Marshal(protocol.KVTable{Table: ns.order})
		if err != nil {
			return nil, err
		}
		c.SetBody(text)
	}
	return &protocol.RegisterBrokerResult{}, nil
}

func (ns *fakeNamesrv) unregister(context.Context, *remoting.Call, *protocol.UnregisterBrokerHeader) (*protocol.Empty, error) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	ns.unregistered++
	return nil, nil
}

func (ns *fakeNamesrv) counts() (registered, unregistered int) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	return len(ns.registered), ns.unregistered
}

func (ns *fakeNamesrv) awaitRegistrations(t *testing.T, n int) {
	t.Helper()
	testkit.Eventually(t, func() bool { got, _ := ns.counts(); return got >= n }, strconv.Itoa(n)+" registrations")
	got, _ := ns.counts()
	require.Equal(t, n, got)
}

func (ns *fakeNamesrv) last() (*protocol.RegisterBrokerBody, protocol.RegisterBrokerHeader) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	return ns.registered[len(ns.registered)-1], ns.headers[len(ns.headers)-1]
}

// newDeadNamesrv accepts connections and never says a word.
func newDeadNamesrv(t *testing.T) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// newRegisteringBroker runs the registration of a broker; stop ends it. Its clock starts at the
// real time, because connections take a request's deadline at its word.
func newRegisteringBroker(t *testing.T, servers string, change func(*Config)) (b *bareBroker, stop func()) {
	t.Helper()
	b = newBareBroker(t, func(c *Config) {
		c.NamesrvAddr, c.RegisterBrokerTimeoutMills = servers, 3_600_000
		if change != nil {
			change(c)
		}
	})
	b.clock = clockwork.NewFakeClockAt(time.Now())
	b.Broker.clock = b.clock
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.runRegistration(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			require.NoError(t, <-done)
			require.NoError(t, b.client.Close())
		})
	}
	t.Cleanup(stop)
	return b, stop
}

func TestRegistrationAtTheStartLaterAndOnChanges(t *testing.T) {
	ns := newFakeNamesrv(t)
	b, stop := newRegisteringBroker(t, " localhost:"+ns.port+" ; ;", nil)
	ns.awaitRegistrations(t, 1)
	body, header := ns.last()
	acting := false
	crc := header.BodyCRC32
	require.Equal(t, protocol.RegisterBrokerHeader{
		BrokerName: "broker-a", BrokerAddr: "127.0.0.1:10911", ClusterName: "DefaultCluster", HAServerAddr: "127.0.0.1:10912",
		EnableActingMaster: &acting, BodyCRC32: crc,
	}, header)
	topics, version := b.topics.All()
	require.Equal(t, topics, body.TopicConfigSerializeWrapper.TopicConfigTable)
	require.Equal(t, version, body.TopicConfigSerializeWrapper.DataVersion)

	b.clock.Advance(10*time.Second - 1)
	b.clock.Advance(1)
	ns.awaitRegistrations(t, 2)
	b.clock.Advance(30 * time.Second)
	ns.awaitRegistrations(t, 3)
	b.mustAsk(protocol.UpdateAndCreateTopic, newTopicFields("T", ""), "")
	ns.awaitRegistrations(t, 4)
	body, _ = ns.last()
	require.Contains(t, body.TopicConfigSerializeWrapper.TopicConfigTable, "T", "the answer came after the registration")

	b.awaitAnswered(0)
	stop()
	_, unregistered := ns.counts()
	require.Equal(t, 1, unregistered)
}

// awaitAnswered waits until a name server has taken all there is to tell.
func (b *bareBroker) awaitAnswered(server int) {
	b.t.Helper()
	testkit.Eventually(b.t, func() bool {
		r := b.registration
		r.mu.Lock()
		defer r.mu.Unlock()
		ns := r.servers[server]
		return ns.answered && ns.known == r.changed
	}, "the name server has answered")
}

func TestADeadNameServerHoldsUpNobody(t *testing.T) {
	ns := newFakeNamesrv(t)
	b, _ := newRegisteringBroker(t, "127.0.0.1:"+newDeadNamesrv(t)+";127.0.0.1:1;127.0.0.1:"+ns.port, nil)
	ns.awaitRegistrations(t, 1)
	b.awaitAnswered(2)
	b.mustAsk(protocol.UpdateAndCreateTopic, newTopicFields("T", ""), "")
	body, _ := ns.last()
	require.Contains(t, body.TopicConfigSerializeWrapper.TopicConfigTable, "T")
}

func TestARefusedRegistrationIsTriedAgain(t *testing.T) {
	ns := newFakeNamesrv(t)
	ns.refuse = true
	b, _ := newRegisteringBroker(t, "127.0.0.1:"+ns.port, nil)
	testkit.Eventually(t, func() bool { ns.mu.Lock(); defer ns.mu.Unlock(); return ns.refused > 0 }, "the first is refused")
	ns.mu.Lock()
	ns.refuse = false
	ns.mu.Unlock()
	testkit.Eventually(t, func() bool {
		b.clock.Advance(retryRegistrationAfter)
		got, _ := ns.counts()
		return got > 0
	}, "it is tried again")
}

func TestTheBrokersPermissionMasksThatOfTopics(t *testing.T) {
	ns := newFakeNamesrv(t)
	b, _ := newRegisteringBroker(t, "127.0.0.1:"+ns.port, func(c *Config) { c.BrokerPermission, c.CompressedRegister = protocol.PermRead, true })
	ns.awaitRegistrations(t, 1)
	body, header := ns.last()
	require.True(t, header.Compressed)
	require.Equal(t, protocol.PermRead, body.TopicConfigSerializeWrapper.TopicConfigTable["BenchmarkTest"].Perm)
	cfg, _ := b.topics.Get("BenchmarkTest")
	require.Equal(t, protocol.PermRead|protocol.PermWrite, cfg.Perm)
}

func TestOrderedTopicsOfTheNameServerAreMarked(t *testing.T) {
	ns := newFakeNamesrv(t)
	ns.order = map[string]string{"BenchmarkTest": "broker-a:4", "nope": "x"}
	b, _ := newRegisteringBroker(t, "127.0.0.1:"+ns.port, nil)
	testkit.Eventually(t, func() bool { cfg, _ := b.topics.Get("BenchmarkTest"); return cfg.Order }, "the topic is marked")
	_, ok := b.topics.Get("nope")
	require.False(t, ok)
}

func TestRuntimeInfo(t *testing.T) {
	b := newBareBroker(t, nil)
	b.mustPut("BenchmarkTest", 0)
	b.delays.Put(3, 5)
	b.clock.Advance(26*time.Hour + 61*time.Second)
	answer := b.mustAsk(protocol.GetBrokerRuntimeInfo, "", "")
	require.Nil(t, answer.Fields)
	var got protocol.KVTable
	require.NoError(t, fastjson.Unmarshal(answer.Body, &got))
	for _, key := range []string{ // what a Java 5.5.0 broker answers
		"EndTransactionQueueSize", "EndTransactionThreadPoolQueueCapacity", "ackThreadPoolQueueCapacity", "ackThreadPoolQueueHeadWaitTimeMills",
		"ackThreadPoolQueueSize", "bootTimestamp", "brokerActive", "brokerVersionDesc", "commitLogDirCapacity", "commitLogDiskRatio",
		"commitLogMaxOffset", "commitLogMinOffset", "consumeQueueDiskRatio", "dispatchBehindBytes", "dispatchMaxBuffer",
		"earliestMessageTimeStamp", "getFoundTps", "getMessageEntireTimeMax", "getMissTps", "getTotalTps", "getTransferredTps",
		"litePullThreadPoolQueueCapacity", "litePullThreadPoolQueueHeadWaitTimeMills", "litePullThreadPoolQueueSize", "msgGetTotalTodayMorning",
		"msgGetTotalTodayNow", "msgGetTotalYesterdayMorning", "msgPutTotalTodayMorning", "msgPutTotalTodayNow", "msgPutTotalYesterdayMorning",
		"pageCacheLockTimeMills", "pullThreadPoolQueueCapacity", "pullThreadPoolQueueHeadWaitTimeMills", "pullThreadPoolQueueSize", "putLatency99",
		"putLatency999", "putMessageAverageSize", "putMessageDistributeTime", "putMessageEntireTimeMax", "putMessageFailedTimes",
		"putMessageSizeTotal", "putMessageTimesTotal", "putTps", "queryThreadPoolQueueCapacity", "queryThreadPoolQueueHeadWaitTimeMills",
		"queryThreadPoolQueueSize", "remainHowManyDataToFlush", "remainTransientStoreBufferNumbs", "runtime", "sendThreadPoolQueueCapacity",
		"sendThreadPoolQueueHeadWaitTimeMills", "sendThreadPoolQueueSize", "startAcceptSendRequestTimeStamp", "timerCongestNum",
		"timerDequeueTps", "timerEnqueueTps", "timerOffsetBehind", "timerReadBehind", "commitLogDiskRatio_/store/commitlog",
		"getTransferedTps",
	} {
		require.Contains(t, got.Table, key)
	}
	for key, want := range map[string]string{
		"brokerVersionDesc": "V5_5_0", "runtime": "[ 1 days, 2 hours, 1 minutes, 1 seconds ]", "bootTimestamp": "1700000000000",
		"putTps": "0.0 0.0 0.0", "scheduleMessageOffset_3": "5,0", "commitLogMinOffset": "0", "earliestMessageTimeStamp": "1700000000000",
		"remainTransientStoreBufferNumbs": "2147483647",
	} {
		require.Equal(t, want, got.Table[key], key)
	}
	require.Regexp(t, `^Total : \d+\.\d [KMGTP]iB, Free : \d+\.\d [KMGTP]iB\.$|^Total : \d+ B, Free : \d+ B\.$`, got.Table["commitLogDirCapacity"])
}

func TestNumbersReadAsJavasDo(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0.0", 1: "1.0", 0.19: "0.19", 35.4964503549645: "35.4964503549645", 1e7: "1.0E7", 12345678: "1.2345678E7", 0.001: "0.001",
		0.00025: "2.5E-4", 9999999: "9999999.0", -3: "-3.0",
	} {
		require.Equal(t, want, javaDouble(v))
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 270582939648: "252.0 GiB"} {
		require.Equal(t, want, humanBytes(n))
	}
}
