// SPDX-License-Identifier: Apache-2.0

package namesrv

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rocketd/compat"
	"rocketd/compat/fastjson"
	"rocketd/internal/testkit"
	"rocketd/protocol"
)

func TestRegisterMakesRoutes(t *testing.T) {
	f := newServer(t)
	answer := f.mustRegister(broker{name: "b", addr: "10.0.0.1:1", topics: topics("A", "B")})
	require.NotNil(t, answer.Fields, "Java sends the answer's empty header")
	require.Empty(t, answer.Fields)
	require.Empty(t, answer.Body, "there is no order configuration")
	route := f.route("A")
	require.Equal(t, []protocol.BrokerData{{BrokerAddrs: map[int64]string{0: "10.0.0.1:1"}, BrokerName: "b", Cluster: "C"}}, route.BrokerDatas)
	require.Equal(t, []protocol.QueueData{{BrokerName: "b", Perm: 6, ReadQueueNums: 4, WriteQueueNums: 4}}, route.QueueDatas)
	require.Nil(t, f.route("C"))
}

// Java: RouteInfoManagerNewTest.registerSingleTopic
func TestNewBrokerWithOneTopicIsRefused(t *testing.T) {
	f := newServer(t)
	one := broker{name: "b", addr: "10.0.0.1:1", topics: topics("A")}
	answer := f.register(one)
	require.Equal(t, protocol.SystemError, answer.Code)
	require.Equal(t, "register broker failed", answer.Remark)
	require.Empty(t, f.clusterInfoOf().BrokerAddrTable, "a refused registration leaves no trace")

	f.mustRegister(broker{name: "b", addr: "10.0.0.1:1"})
	f.mustRegister(one)
	require.NotNil(t, f.route("A"))
	slave := f.register(broker{name: "b", addr: "10.0.0.2:1", id: 1, topics: topics("A")})
	require.Equal(t, protocol.SystemError, slave.Code, "the rule is about the broker id, not the name")
}

func (f *fixture) clusterInfoOf() *protocol.ClusterInfo {
	f.t.Helper()
	info := new(protocol.ClusterInfo)
	require.NoError(f.t, fastjson.Unmarshal(f.must(protocol.GetBrokerClusterInfo, nil, nil).Body, info))
	return info
}

func TestSlaveLearnsItsMasterAndItsTopicsAreIgnored(t *testing.T) {
	f := newServer(t)
	f.mustRegister(broker{name: "b", addr: "10.0.0.1:1", topics: topics("A", "B")})
	answer := f.mustRegister(broker{name: "b", addr: "10.0.0.2:1", id: 1, topics: topics("A", "Z")})
	ha, _ := answer.Field("haServerAddr")
	master, _ := answer.Field("masterAddr")
	require.Equal(t, "10.0.0.1:19", ha)
	require.Equal(t, "10.0.0.1:1", master)
	require.Nil(t, f.route("Z"))
	require.Equal(t, map[int64]string{0: "10.0.0.1:1", 1: "10.0.0.2:1"}, f.route("A").BrokerDatas[0].BrokerAddrs)
}

func TestPrimeSlave(t *testing.T) {
	f := newServer(t, func(c *Config) { c.SupportActingMaster = true })
	f.mustRegister(broker{name: "b", addr: "10.0.0.3:1", id: 2, topics: topics("A", "rmq_sys_SYNC_BROKER_MEMBER_b"), fields: map[string]string{"enableActingMaster": "true"}})
	route := f.route("A")
	require.Equal(t, map[int64]string{0: "10.0.0.3:1"}, route.BrokerDatas[0].BrokerAddrs, "the lowest slave acts as master")
	require.Equal(t, protocol.PermRead, route.QueueDatas[0].Perm, "and takes no messages")
	require.Equal(t, map[int64]string{2: "10.0.0.3:1"}, f.route("rmq_sys_SYNC_BROKER_MEMBER_b").BrokerDatas[0].BrokerAddrs)

	f.mustRegister(broker{name: "b", addr: "10.0.0.4:1", id: 3, topics: topics("Z", "Y"), fields: map[string]string{"enableActingMaster": "true"}})
	require.Nil(t, f.route("Z"), "the topics of a slave that is not the lowest are ignored")

	f.mustRegister(broker{name: "q", addr: "10.0.1.3:1", id: 2, topics: topics("Q", "R"), fields: map[string]string{"enableActingMaster": "false"}})
	require.Equal(t, map[int64]string{2: "10.0.1.3:1"}, f.route("Q").BrokerDatas[0].BrokerAddrs)
	require.Equal(t, protocol.PermRead|protocol.PermWrite, f.route("Q").QueueDatas[0].Perm)
	f.mustRegister(broker{name: "o", addr: "10.0.2.3:1", id: 2, topics: topics("O", "P")})
	require.Nil(t, f.route("O"), "an old broker's slave never counts")
}

func TestTopicsTurnReadOnlyWhenTheMasterGoes(t *testing.T) {
	f := newServer(t, func(c *Config) { c.SupportActingMaster = true })
	acting := map[string]string{"enableActingMaster": "true"}
	master := broker{name: "b", addr: "10.0.0.1:1", topics: topics("A", "B"), fields: acting}
	f.mustRegister(master)
	f.mustRegister(broker{name: "b", addr: "10.0.0.2:1", id: 1, topics: topics("A", "B"), fields: acting})
	f.must(protocol.UnregisterBroker, master.header(), nil)
	route := f.route("A")
	require.Equal(t, protocol.PermRead, route.QueueDatas[0].Perm)
	require.Equal(t, map[int64]string{0: "10.0.0.2:1"}, route.BrokerDatas[0].BrokerAddrs)
}

// Java: RouteInfoManagerNewTest.registerBrokerWithTheSameAddr and switchBrokerRole
func TestSameAddressUnderAnotherID(t *testing.T) {
	f := newServer(t)
	f.mustRegister(broker{name: "b", addr: "10.0.0.1:1", id: 1, topics: topics("A", "B")})
	f.mustRegister(broker{name: "b", addr: "10.0.0.1:1", id: 0, topics: topics("A", "B")})
	require.Equal(t, map[int64]string{0: "10.0.0.1:1"}, f.route("A").BrokerDatas[0].BrokerAddrs)
}

func TestStaleStateVersionIsIgnored(t *testing.T) {
	f := newServer(t)
	at := func(addr string, state int64) broker {
		return broker{name: "b", addr: addr, topics: topics("A", "B", "T"+strconv.FormatInt(state, 10)), version: protocol.DataVersion{StateVersion: state}}
	}
	f.mustRegister(at("10.0.0.1:1", 5))
	answer := f.mustRegister(at("10.0.0.2:1", 4))
	require.Empty(t, answer.Fields)
	require.Equal(t, "10.0.0.1:1", f.route("A").BrokerDatas[0].BrokerAddrs[0])
	require.Nil(t, f.route("T4"))
	f.mustRegister(at("10.0.0.3:1", 6))
	require.Equal(t, "10.0.0.3:1", f.route("A").BrokerDatas[0].BrokerAddrs[0])
}

func TestUnregister(t *testing.T) {
	f := newServer(t)
	b1, b2 := broker{name: "b1", addr: "10.0.0.1:1", topics: topics("A", "B")}, broker{name: "b2", addr: "10.0.0.2:1", topics: topics("A", "B")}
	f.mustRegister(b1)
	f.mustRegister(b2)
	f.must(protocol.UnregisterBroker, b1.header(), nil)
	require.Len(t, f.route("A").BrokerDatas, 1)
	require.Len(t, f.route("A").QueueDatas, 1)
	f.must(protocol.UnregisterBroker, b2.header(), nil)
	require.Nil(t, f.route("A"))
	require.Empty(t, f.clusterInfoOf().ClusterAddrTable)
	require.Zero(t, f.registry.pairs)
}

func TestSilentBrokersExpire(t *testing.T) {
	f := newServer(t)
	long, short := &fakePeer{id: 10}, &fakePeer{id: 11}
	f.mustRegister(broker{name: "b1", addr: "10.0.0.1:1", topics: topics("A", "B"), peer: long})
	f.mustRegister(broker{name: "b2", addr: "10.0.0.2:1", topics: topics("X", "Y"), peer: short, fields: map[string]string{"heartbeatTimeoutMillis": "10000"}})
	f.mustRegister(broker{name: "b3", addr: "10.0.0.3:1", topics: topics("V", "W"), fields: map[string]string{"heartbeatTimeoutMillis": strconv.FormatInt(1<<63-1, 10)}})

	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.expireSilent(ctx) }()
	require.NoError(t, f.clock.BlockUntilContext(ctx, 1))
	step := func(d time.Duration) {
		for end := f.clock.Now().Add(d); f.clock.Now().Before(end); {
			f.clock.Advance(5 * time.Second)
		}
	}
	step(10 * time.Second)
	require.NotNil(t, f.route("X"), "10 s are not yet more than 10 s")
	step(5 * time.Second)
	testkit.Eventually(t, func() bool { return f.route("X") == nil }, "b2 expires")
	testkit.Eventually(t, func() bool { return short.closed.Load() == 1 }, "its connection is closed")
	require.NotNil(t, f.route("A"))

	f.must(protocol.BrokerHeartbeat, map[string]string{"clusterName": "C", "brokerName": "b1", "brokerAddr": "10.0.0.1:1"}, nil)
	step(120 * time.Second)
	require.NotNil(t, f.route("A"), "the heartbeat counted")
	step(5 * time.Second)
	testkit.Eventually(t, func() bool { return f.route("A") == nil }, "b1 expires")
	testkit.Eventually(t, func() bool { return long.closed.Load() == 1 }, "its connection is closed")
	require.NotNil(t, f.route("V"), "a timeout that overflows a sum does not")
	stop()
	require.NoError(t, <-ended)
}

func TestClosedConnectionUnregistersAtOnce(t *testing.T) {
	f := newServer(t)
	p1, p2 := &fakePeer{id: 10}, &fakePeer{id: 11}
	b := broker{name: "b", addr: "10.0.0.1:1", topics: topics("A", "B"), peer: p1}
	f.mustRegister(b)
	f.mustRegister(broker{name: "c", addr: "10.0.0.2:1", topics: topics("A", "B"), peer: p1})
	b.peer = p2
	f.mustRegister(b)
	f.peerClosed(p1)
	require.Len(t, f.route("A").BrokerDatas, 1, "only what still hangs on the connection goes")
	require.Equal(t, "b", f.route("A").BrokerDatas[0].BrokerName)
	f.peerClosed(p2)
	require.Nil(t, f.route("A"))
}

func TestUnchangedDataVersionKeepsWipedPermissions(t *testing.T) {
	f := newServer(t)
	b := broker{name: "b", addr: "10.0.0.1:1", topics: topics("A", "B"), version: protocol.DataVersion{Counter: 1}}
	f.mustRegister(b)
	count, _ := f.must(protocol.WipeWritePermOfBroker, map[string]string{"brokerName": "b"}, nil).Field("wipeTopicCount")
	require.Equal(t, "2", count)
	f.mustRegister(b)
	require.Equal(t, protocol.PermRead, f.route("A").QueueDatas[0].Perm)
	count, _ = f.must(protocol.AddWritePermOfBroker, map[string]string{"brokerName": "b"}, nil).Field("addTopicCount")
	require.Equal(t, "2", count)
	require.Equal(t, protocol.PermRead|protocol.PermWrite, f.route("A").QueueDatas[0].Perm)
	f.must(protocol.WipeWritePermOfBroker, map[string]string{"brokerName": "b"}, nil)
	b.version.Counter = 2
	f.mustRegister(b)
	require.Equal(t, protocol.PermRead|protocol.PermWrite, f.route("A").QueueDatas[0].Perm)
	count, _ = f.must(protocol.WipeWritePermOfBroker, map[string]string{"brokerName": "nobody"}, nil).Field("wipeTopicCount")
	require.Equal(t, "0", count)
}

func TestDeleteTopicWithBrokerRegistration(t *testing.T) {
	for _, on := range []bool{false, true} {
		f := newServer(t, func(c *Config) { c.DeleteTopicWithBrokerRegistration = on })
		b := broker{name: "b", addr: "10.0.0.1:1", topics: topics("A", "B", "D")}
		f.mustRegister(b)
		b.topics, b.version.Counter = topics("A", "B"), 1
		f.mustRegister(b)
		require.Equal(t, on, f.route("D") == nil)
		require.NotNil(t, f.route("A"))
	}
}

func TestChecksum(t *testing.T) {
	f := newServer(t)
	b := broker{name: "b", addr: "10.0.0.1:1", topics: topics("A", "B")}
	b.fields = map[string]string{"bodyCrc32": strconv.Itoa(int(protocol.BodyCRC32(b.body(t))))}
	f.mustRegister(b)
	b.fields["bodyCrc32"] = "5"
	answer := f.register(b)
	require.Equal(t, protocol.SystemError, answer.Code)
	require.Equal(t, "crc32 not match", answer.Remark)
}

func TestBodiesOfAllAges(t *testing.T) {
	f := newServer(t)
	b := broker{name: "b", addr: "10.0.0.1:1"}
	f.mustRegister(b)
	require.Equal(t, protocol.Success, f.askAs(f.peer, compat.Version, protocol.RegisterBroker, b.header(), nil).Code, "no body is no topics")

	bare := []byte(`{"dataVersion":{"counter":3,"timestamp":9},"topicConfigTable":{"O1":{"topicName":"O1","perm":6,"readQueueNums":2,"writeQueueNums":2},"O2":{"topicName":"O2","perm":6,"readQueueNums":2,"writeQueueNums":2}}}`)
	old := broker{name: "old", addr: "10.0.0.2:1"}
	answer := f.askAs(f.peer, 36, protocol.RegisterBroker, old.header(), bare)
	require.Equal(t, protocol.Success, answer.Code, answer.Remark)
	require.EqualValues(t, 2, f.route("O1").QueueDatas[0].ReadQueueNums)

	answer = f.askAs(f.peer, compat.Version, protocol.RegisterBroker, b.header(), []byte("{{{{"))
	require.Equal(t, protocol.SystemError, answer.Code)
	require.Contains(t, answer.Remark, "Failed to decode RegisterBrokerBody")
}

func TestCompressedBody(t *testing.T) {
	f := newServer(t)
	body := protocol.RegisterBrokerBody{TopicConfigSerializeWrapper: protocol.TopicConfigTable{
		DataVersion:      protocol.DataVersion{Counter: 4},
		TopicConfigTable: map[string]*protocol.TopicConfig{"A": topics("A")[0], "B": topics("B")[0]},
	}}
	zipped, err := body.Encode(true)
	require.NoError(t, err)
	b := broker{name: "b", addr: "10.0.0.1:1", fields: map[string]string{"compressed": "true"}}
	answer := f.askAs(f.peer, compat.Version, protocol.RegisterBroker, b.header(), zipped)
	require.Equal(t, protocol.Success, answer.Code, answer.Remark)
	require.NotNil(t, f.route("A"))
}

func TestHostileRegistrationsAreBounded(t *testing.T) {
	f := newServer(t, func(c *Config) { c.MaxRegisteredBrokers, c.MaxRegisteredTopics = 2, 3 })
	good := topics("A", "B")
	bad := topics("bad/topic", "bad\"topic", "", strings.Repeat("x", 256), "new\nline")
	bad = append(bad, protocol.NewTopicConfig("Neg", -1, 4, 6), protocol.NewTopicConfig("Huge", 4, 1<<30, 6))
	f.mustRegister(broker{name: "b", addr: "10.0.0.1:1", topics: append(good, bad...)})
	require.Equal(t, []string{"A", "B"}, f.topicList(protocol.GetAllTopicListFromNameServer, nil))

	f.mustRegister(broker{name: "c", addr: "10.0.0.2:1", topics: topics("M", "N", "O", "P")})
	require.Len(t, f.topicList(protocol.GetAllTopicListFromNameServer, nil), 3, "maxRegisteredTopics")
	answer := f.register(broker{name: "d", addr: "10.0.0.3:1", topics: good})
	require.Equal(t, protocol.SystemError, answer.Code)
	require.Contains(t, answer.Remark, "maxRegisteredBrokers")
	f.mustRegister(broker{name: "c", addr: "10.0.0.2:1", topics: topics("M", "N")})

	for _, wrong := range []map[string]string{
		{"brokerName": ""}, {"brokerAddr": ""}, {"clusterName": ""}, {"brokerName": `a"b`}, {"brokerAddr": `1}:2`},
		{"brokerAddr": "1:2,3"}, {"clusterName": strings.Repeat("c", 300)}, {"haServerAddr": "\x00"}, {"brokerName": "a\xffb"},
	} {
		answer := f.register(broker{name: "b", addr: "10.0.0.1:1", topics: good, fields: wrong})
		require.Equal(t, protocol.SystemError, answer.Code, "%v", wrong)
		require.Contains(t, answer.Remark, "register broker failed")
	}
}

func TestNullTopicsInARegistration(t *testing.T) {
	f := newServer(t)
	b := broker{name: "b", addr: "10.0.0.1:1"}
	for _, body := range []string{
		`{"topicConfigSerializeWrapper":null}`, `{"topicConfigSerializeWrapper":{"topicConfigTable":null}}`,
		`{"topicConfigSerializeWrapper":{"topicConfigTable":{"A":null,"B":null}}}`,
	} {
		answer := f.askAs(f.peer, compat.Version, protocol.RegisterBroker, b.header(), []byte(body))
		require.Equal(t, protocol.Success, answer.Code, "%s: %s", body, answer.Remark)
	}
}

func TestQueryDataVersion(t *testing.T) {
	f := newServer(t)
	b := broker{name: "b", addr: "10.0.0.1:1", topics: topics("A", "B"), version: protocol.DataVersion{Counter: 1, TimestampMs: 1000}}
	ask := func(body string) (string, string) {
		answer := f.must(protocol.QueryDataVersion, b.header(), []byte(body))
		changed, _ := answer.Field("changed")
		return changed, string(answer.Body)
	}
	same := `{"counter":1,"stateVersion":0,"timestamp":1000}`
	changed, body := ask(same)
	require.Equal(t, "true", changed)
	require.Empty(t, body)
	f.mustRegister(b)
	changed, body = ask(same)
	require.Equal(t, "false", changed)
	require.Equal(t, same, body)
	changed, body = ask(`{"counter":2,"stateVersion":0,"timestamp":1000}`)
	require.Equal(t, "true", changed)
	require.Equal(t, same, body)
	changed, _ = ask("")
	require.Equal(t, "true", changed)

	f.clock.Advance(100 * time.Second)
	ask(same)
	f.clock.Advance(100 * time.Second)
	f.expireOnce()
	require.NotNil(t, f.route("A"), "the question is a sign of life")
}

func TestMemberGroup(t *testing.T) {
	f := newServer(t)
	f.mustRegister(broker{name: "b", addr: "10.0.0.1:1", topics: topics("A", "B")})
	f.mustRegister(broker{name: "b", addr: "10.0.0.2:1", id: 1})
	body := f.must(protocol.GetBrokerMemberGroup, map[string]string{"clusterName": "C", "brokerName": "b"}, nil).Body
	require.Equal(t, `{"brokerMemberGroup":{"brokerAddrs":{"0":"10.0.0.1:1","1":"10.0.0.2:1"},"brokerName":"b","cluster":"C"}}`, string(body))
	body = f.must(protocol.GetBrokerMemberGroup, map[string]string{"clusterName": "C", "brokerName": "zz"}, nil).Body
	require.Equal(t, `{"brokerMemberGroup":{"brokerAddrs":{},"brokerName":"zz","cluster":"C"}}`, string(body))
}

func TestOrderConfigurationIsReturned(t *testing.T) {
	f := newServer(t, func(c *Config) { c.OrderMessageEnable = true })
	f.must(protocol.PutKVConfig, map[string]string{"namespace": "ORDER_TOPIC_CONFIG", "key": "A", "value": "b:4"}, nil)
	b := broker{name: "b", addr: "10.0.0.1:1", topics: topics("A", "B")}
	require.Equal(t, `{"table":{"A":"b:4"}}`, string(f.mustRegister(b).Body))
	require.Equal(t, "b:4", *f.route("A").OrderTopicConf)
	require.Nil(t, f.route("B").OrderTopicConf)
	body := f.must(protocol.GetRouteInfoByTopic, map[string]string{"topic": "B"}, nil).Body
	require.NotContains(t, string(body), "orderTopicConf")

	off := newServer(t, func(c *Config) { c.ReturnOrderTopicConfigToBroker = false })
	off.must(protocol.PutKVConfig, map[string]string{"namespace": "ORDER_TOPIC_CONFIG", "key": "A", "value": "b:4"}, nil)
	require.Empty(t, off.mustRegister(b).Body)
	require.Nil(t, off.route("A").OrderTopicConf)
}
