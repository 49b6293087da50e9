// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"

	"rocketd/compat/fastjson"
	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/remoting"
	"rocketd/store/vfs"
)

// bareBroker is a broker with open store and tables, without ports and goroutines.
type bareBroker struct {
	*Broker
	t     *testing.T
	clock *clockwork.FakeClock
	disk  *vfs.Mem
	peer  *fakePeer
}

func newBareBroker(t *testing.T, change func(*Config)) *bareBroker {
	t.Helper()
	cfg := DefaultConfig()
	cfg.BrokerName, cfg.BrokerIP1 = "broker-a", "127.0.0.1"
	cfg.StorePathRootDir, cfg.StorePathCommitLog = "/store", "/store/commitlog"
	cfg.CommitLogFileSize = 1 << 20
	if change != nil {
		change(&cfg)
	}
	clock, disk := clockwork.NewFakeClockAt(time.UnixMilli(1_700_000_000_000)), vfs.NewMem()
	b, err := New(cfg, Deps{FS: disk, Clock: clock, ConfigFile: "/conf/broker.conf"})
	require.NoError(t, err)
	require.NoError(t, b.open())
	t.Cleanup(func() { require.NoError(t, b.store.Close()) })
	require.NoError(t, b.loadTables())
	b.opened.Store(true)
	return &bareBroker{Broker: b, t: t, clock: clock, disk: disk, peer: &fakePeer{id: 1}}
}

// fakePeer is a connection that remembers what was sent to it.
type fakePeer struct {
	id uint64

	mu     sync.Mutex
	sent   []*protocol.Command
	closed bool
	answer func(*protocol.Command) (*protocol.Command, error) // to calls; nil: the connection is closed
	silent bool                                               // calls are never answered
}

func (p *fakePeer) ID() uint64         { return p.id }
func (p *fakePeer) RemoteAddr() string { return fmt.Sprintf("10.0.0.%d:999", p.id) }
func (p *fakePeer) LocalAddr() string  { return "10.0.0.9:10911" }
func (p *fakePeer) Call(ctx context.Context, req *protocol.Command) (*protocol.Command, error) {
	_ = p.Oneway(req)
	if p.silent {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if p.answer == nil {
		return nil, remoting.ErrClosed
	}
	return p.answer(req)
}

func (p *fakePeer) Oneway(req *protocol.Command) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, req)
	return nil
}

func (p *fakePeer) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	return nil
}

func (p *fakePeer) received() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.sent)
}

// ask sends a request with header fields "k=v k=v" and returns the answer.
func (b *bareBroker) ask(code int32, fields, body string) *protocol.Command {
	b.t.Helper()
	req := &protocol.Command{Code: code, Version: 513, Fields: []protocol.Field{}, Body: []byte(body)}
	for pair := range strings.FieldsSeq(fields) {
		key, value, _ := strings.Cut(pair, "=")
		req.SetField(key, value)
	}
	answer, err := b.Handle(context.Background(), b.peer, req)
	require.NoError(b.t, err)
	return answer
}

// mustAsk is ask, and the answer is a success.
func (b *bareBroker) mustAsk(code int32, fields, body string) *protocol.Command {
	b.t.Helper()
	answer := b.ask(code, fields, body)
	require.Equal(b.t, protocol.Success, answer.Code, answer.Remark)
	return answer
}

// requireAnswers asks each question and compares code and remark, those of a Java 5.5.0 broker
// unless a row says otherwise.
type question struct {
	name         string
	code         int32
	fields, body string
	want         int32
	remark       string
}

func (b *bareBroker) requireAnswers(questions []question) {
	for _, q := range questions {
		b.t.Run(q.name, func(t *testing.T) {
			answer := b.ask(q.code, q.fields, q.body)
			require.Equal(t, []any{q.want, q.remark}, []any{answer.Code, answer.Remark})
		})
	}
}

func (b *bareBroker) mustPut(topic string, queueID int32) {
	b.t.Helper()
	_, err := b.store.Put(&message.Message{Topic: topic, QueueID: queueID, Body: []byte("x"), BornHost: b.storeHost, StoreHost: b.storeHost})
	require.NoError(b.t, err)
}

func newTopicFields(name, more string) string {
	return "topic=" + name + " defaultTopic=TBW102 readQueueNums=4 writeQueueNums=4 perm=6 topicFilterType=SINGLE_TAG topicSysFlag=0 order=false attributes= " + more
}

// The topics and groups are those of a Java 5.5.0 broker with an empty broker.conf but for its name.
func TestSystemTopicsAndGroups(t *testing.T) {
	b := newBareBroker(t, nil)
	var got []string
	topics, _ := b.topics.All()
	for name, cfg := range topics {
		require.Equal(t, cfg.ReadQueueNums, cfg.WriteQueueNums)
		got = append(got, fmt.Sprintf("%s %d %d", name, cfg.ReadQueueNums, cfg.Perm))
	}
	require.ElementsMatch(t, []string{
		"BenchmarkTest 1024 6", "DefaultCluster 16 7", "DefaultCluster_REPLY_TOPIC 1 6", "OFFSET_MOVED_EVENT 1 6",
		"RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC 1 6", "RMQ_SYS_ROCKSDB_TRANS_OP_HALF_TOPIC 1 6", "RMQ_SYS_TRANS_HALF_TOPIC 1 6",
		"RMQ_SYS_TRANS_OP_HALF_TOPIC 1 6", "SCHEDULE_TOPIC_XXXX 18 6", "SELF_TEST_TOPIC 1 6", "TBW102 8 7", "broker-a 1 7",
		"rmq_sys_REVIVE_LOG_DefaultCluster 8 6", "rmq_sys_SYNC_BROKER_MEMBER_broker-a 1 1", "rmq_sys_wheel_timer 1 6",
	}, got)
	groups, _ := b.groups.All()
	require.Len(t, groups, 8)
	require.Equal(t, protocol.NewGroupConfig("CID_RMQ_SYS_TRANS"), groups["CID_RMQ_SYS_TRANS"])
}

func TestCreateTopicAnswers(t *testing.T) {
	b := newBareBroker(t, nil)
	const create = protocol.UpdateAndCreateTopic
	illegal := ", contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$"
	b.requireAnswers([]question{
		{"created", create, newTopicFields("T1", ""), "", 0, unsetRemark},
		{"again", create, newTopicFields("T1", ""), "", 0, unsetRemark},
		{"path", create, newTopicFields("../x", ""), "", 29, "The specified topic: ../x" + illegal},
		{"slash", create, newTopicFields("a/b", ""), "", 29, "The specified topic: a/b" + illegal},
		{"backslash", create, newTopicFields(`a\b`, ""), "", 29, `The specified topic: a\b` + illegal},
		{"dots", create, newTopicFields("..", ""), "", 29, "The specified topic: .." + illegal},
		{"NUL", create, newTopicFields("a\x00", ""), "", 29, "The specified topic: a\x00" + illegal},
		{"blank", create, newTopicFields("", ""), "", 29, "The specified topic is blank."},
		{"long", create, newTopicFields(strings.Repeat("a", 128), ""), "", 29, "The specified topic: " + strings.Repeat("a", 128) + ", is longer than topic max length: 127"},
		{"system", create, newTopicFields("TBW102", ""), "", 29, "The topic[TBW102] is conflict with system topic."},
		{"system prefix", create, newTopicFields("rmq_sys_foo", ""), "", 29, "The topic[rmq_sys_foo] is conflict with system topic."},
		{"cluster", create, newTopicFields("DefaultCluster", ""), "", 29, "The topic[DefaultCluster] is conflict with system topic."},
		{"broker", create, newTopicFields("broker-a", ""), "", 29, "The topic[broker-a] is conflict with system topic."},
		{"retry topic", create, newTopicFields("%RETRY%foo", ""), "", 0, unsetRemark},
		{"attribute", create, newTopicFields("T6", "attributes=+message.type=FIFO"), "", 0, unsetRemark},
		{"unknown attribute", create, newTopicFields("T7", "attributes=+foo=bar"), "", 1, "unsupported key: foo"},
		{"attribute value", create, newTopicFields("T7", "attributes=+message.type=BAR"), "", 1, "value is not in set: [UNSPECIFIED, MIXED, TRANSACTION, PRIORITY, FIFO, DELAY, LITE, NORMAL]"},
		{"mixed", create, newTopicFields("T7", "attributes=+message.type=MIXED"), "", 29, "MIXED message type is not supported."},
		{"no plus", create, newTopicFields("T7", "attributes=message.type=FIFO"), "", 1, "add/alter attribute format is wrong: message.type"},
		{"minus at creation", create, newTopicFields("T7", "attributes=-message.type"), "", 1, "only add attribute is supported while creating topic. key: message.type"},
		{"fixed attribute", create, newTopicFields("T6", "attributes=+queue.type=BatchCQ"), "", 1, "attempt to update an unchangeable attribute. key: queue.type"},
		{"minus", create, newTopicFields("T6", "attributes=-message.type"), "", 0, unsetRemark},
		{"minus of nothing", create, newTopicFields("T6", "attributes=-reserve.time"), "", 1, "attempt to delete a nonexistent key: reserve.time"},
		{"fixed at creation", create, newTopicFields("T11", "attributes=+queue.type=SimpleCQ,+reserve.time=100"), "", 0, unsetRemark},
		{"range", create, newTopicFields("T13", "attributes=+reserve.time=-100"), "", 1, "value is not in range(-1, 9223372036854775807)"},
		{"no number", create, newTopicFields("T13", "attributes=+reserve.time=abc"), "", 1, `For input string: "abc"`},
		{"twice", create, newTopicFields("T13", "attributes=+message.type=FIFO,+message.type=NORMAL"), "", 1, "key duplication: +message.type"},
		{"commas", create, newTopicFields("T13", "attributes=,,,"), "", 0, unsetRemark},
		// Java creates these.
		{"no queues", create, newTopicFields("T2", "readQueueNums=-1"), "", 29, "The topic[T2] cannot have -1 queues, from 1 to 65536 are allowed."},
		{"too many queues", create, newTopicFields("T2", "writeQueueNums=2147483647"), "", 29, "The topic[T2] cannot have 2147483647 queues, from 1 to 65536 are allowed."},
		{"permission", create, newTopicFields("T2", "perm=99"), "", 29, "The topic[T2] cannot have the permission 99: 2 is write, 4 is read, 6 is both."},
	})
	_, exists := b.topics.Get("T2")
	require.False(t, exists)
	cfg, _ := b.topics.Get("T11")
	require.Equal(t, map[string]string{"queue.type": "SimpleCQ", "reserve.time": "100"}, cfg.Attributes)
}

func TestCreateTopicList(t *testing.T) {
	b := newBareBroker(t, nil)
	const create = protocol.UpdateAndCreateTopicList
	b.requireAnswers([]question{
		{"two", create, "", `{"topicConfigList":[{"topicName":"L1","readQueueNums":3,"writeQueueNums":3,"perm":6},{"topicName":"L2","attributes":{"+message.type":"FIFO"}}]}`, 0, unsetRemark},
		{"none", create, "", `{"topicConfigList":[]}`, 0, unsetRemark},
		{"bad name", create, "", `{"topicConfigList":[{"topicName":"L3"},{"topicName":"../L3"}]}`, 29, "The specified topic: ../L3, contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$"},
		{"system", create, "", `{"topicConfigList":[{"topicName":"TBW102"}]}`, 29, "The topic[TBW102] is conflict with system topic."},
		{"unsigned attribute", create, "", `{"topicConfigList":[{"topicName":"L4","attributes":{"message.type":"FIFO"}}]}`, 1, "only add attribute is supported while creating topic. key: essage.type"},
		{"null", create, "", `{"topicConfigList":[null]}`, 29, "the list has a topic that is null"}, // Java: 1, a null pointer
		{"no body", create, "", ``, 1, "the request has no body"},                                   // Java: 1, a null pointer
	})
	require.Equal(t, protocol.SystemError, b.ask(create, "", "garbage").Code)
	l2, _ := b.topics.Get("L2")
	require.Equal(t, map[string]string{"message.type": "FIFO"}, l2.Attributes)
	require.EqualValues(t, 16, l2.ReadQueueNums)
	_, exists := b.topics.Get("L3")
	require.False(t, exists)
}

func TestTopicsAreHandedOutInPages(t *testing.T) {
	b := newBareBroker(t, nil)
	read := func(fields string) (table protocol.TopicConfigTable, total string) {
		answer := b.mustAsk(protocol.GetAllTopicConfig, fields, "")
		require.NoError(t, fastjson.Unmarshal(answer.Body, &table))
		total, _ = answer.Field("totalTopicNum")
		return table, total
	}
	all, total := read("")
	require.Len(t, all.TopicConfigTable, 15)
	require.Equal(t, "15", total)
	version, err := fastjson.Marshal(all.DataVersion)
	require.NoError(t, err)
	joined := map[string]*protocol.TopicConfig{}
	for len(joined) < 15 {
		part, _ := read(fmt.Sprintf("topicSeq=%d maxTopicNum=4 dataVersion=%s", len(joined), version))
		require.NotEmpty(t, part.TopicConfigTable)
		for name, cfg := range part.TopicConfigTable {
			joined[name] = cfg
		}
	}
	require.Equal(t, all.TopicConfigTable, joined)
	b.mustAsk(protocol.UpdateAndCreateTopic, newTopicFields("A", ""), "")
	part, _ := read("topicSeq=12 maxTopicNum=4 dataVersion=" + string(version))
	require.Contains(t, part.TopicConfigTable, "A", "another version starts anew")
	part, _ = read("topicSeq=2147483647 maxTopicNum=2147483647 dataVersion=")
	require.Empty(t, part.TopicConfigTable)
}

func TestDeleteTopic(t *testing.T) {
	b := newBareBroker(t, nil)
	b.mustAsk(protocol.UpdateAndCreateTopic, newTopicFields("T", ""), "")
	b.mustAsk(protocol.UpdateAndCreateTopic, newTopicFields("%RETRY%g_T", ""), "")
	b.mustAsk(protocol.UpdateAndCreateSubscriptionGroup, "", `{"groupName":"g"}`)
	b.mustPut("T", 0)
	b.mustAsk(protocol.UpdateConsumerOffset, "consumerGroup=g topic=T queueId=0 commitOffset=1", "")
	b.requireAnswers([]question{
		{"blank", protocol.DeleteTopicInBroker, "topic=", "", 29, "The specified topic is blank."},
		{"system", protocol.DeleteTopicInBroker, "topic=TBW102", "", 29, "The topic[TBW102] is conflict with system topic."},
		{"unknown", protocol.DeleteTopicInBroker, "topic=nope", "", 0, ""},
		{"known", protocol.DeleteTopicInBroker, "topic=T", "", 0, ""},
		// Java answers 0.
		{"path", protocol.DeleteTopicInBroker, "topic=../x", "", 29, "The specified topic: ../x, contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$"},
	})
	for _, name := range []string{"T", "%RETRY%g_T"} {
		_, ok := b.topics.Get(name)
		require.False(t, ok, name)
	}
	_, ok := b.offsets.Query("g", "T", 0)
	require.False(t, ok)
	require.Empty(t, b.store.Queues("T"))
}

func TestTopicStats(t *testing.T) {
	b := newBareBroker(t, nil)
	b.mustAsk(protocol.UpdateAndCreateTopic, newTopicFields("T", "readQueueNums=1 writeQueueNums=2"), "")
	b.mustPut("T", 1)
	answer := b.mustAsk(protocol.GetTopicStatsInfo, "topic=T", "")
	require.Equal(t, `{"offsetTable":{`+
		`{"brokerName":"broker-a","queueId":0,"topic":"T"}:{"lastUpdateTimestamp":0,"maxOffset":0,"minOffset":0},`+
		`{"brokerName":"broker-a","queueId":1,"topic":"T"}:{"lastUpdateTimestamp":1700000000000,"maxOffset":1,"minOffset":0}},`+
		`"topicPutTps":0.0}`, string(answer.Body))
	require.Nil(t, answer.Fields)
	answer = b.mustAsk(protocol.GetTopicConfig, "topic=T", "")
	require.Equal(t, `{"attributes":{},"order":false,"perm":6,"readQueueNums":1,"topicFilterType":"SINGLE_TAG","topicName":"T","topicSysFlag":0,"writeQueueNums":2}`, string(answer.Body))
	require.Nil(t, answer.Fields)
	b.requireAnswers([]question{
		{"202 unknown", protocol.GetTopicStatsInfo, "topic=nope", "", 17, "topic[nope] not exist"},
		{"351 unknown", protocol.GetTopicConfig, "topic=nope", "", 17, "No topic in this broker. topic: nope"},
		{"352 bad name", protocol.GetSubscriptionGroupConfig, "group=../x", "", 26, "No group in this broker"},
		{"352 new", protocol.GetSubscriptionGroupConfig, "group=new", "", 0, ""},
	})
}

func TestCreateGroupAnswers(t *testing.T) {
	b := newBareBroker(t, nil)
	const create, list = protocol.UpdateAndCreateSubscriptionGroup, protocol.UpdateAndCreateSubscriptionGroupList
	illegal := ", contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$"
	b.requireAnswers([]question{
		{"created", create, "", `{"groupName":"G1"}`, 0, ""},
		{"path", create, "", `{"groupName":"../G1"}`, 29, "The specified group: ../G1" + illegal},
		{"blank", create, "", `{"groupName":""}`, 29, "The specified group is blank."},
		{"long", create, "", `{"groupName":"` + strings.Repeat("g", 121) + `"}`, 29, "The specified group: " + strings.Repeat("g", 121) + ", is longer than group max length: 120"},
		{"system", create, "", `{"groupName":"CID_RMQ_SYS_TRANS","retryQueueNums":5}`, 0, ""},
		{"attribute", create, "", `{"groupName":"G3","attributes":{"+priority.factor":"50"}}`, 0, ""},
		{"list", list, "", `{"groupConfigList":[{"groupName":"GL1"},{"groupName":"GL2"}]}`, 0, ""},
		{"bad list", list, "", `{"groupConfigList":[{"groupName":"GL3"},{"groupName":"../GL2"}]}`, 29, "The specified group: ../GL2" + illegal},
		// Java says the same in the words of its exception.
		{"unknown attribute", create, "", `{"groupName":"G4","attributes":{"+foo":"50"}}`, 1, "unsupported key: foo"},
		// Java creates it.
		{"retry queues", create, "", `{"groupName":"G2","retryQueueNums":-5}`, 29, "The group[G2] cannot have -5 retry queues, from 0 to 65536 are allowed."},
	})
	g3, _ := b.groups.Get("G3")
	require.Equal(t, map[string]string{"priority.factor": "50"}, g3.Attributes)
	b.mustAsk(create, "", `{"groupName":"G3","attributes":{"-priority.factor":""},"retryMaxTimes":3}`)
	want := protocol.NewGroupConfig("G3")
	want.RetryMaxTimes = 3
	g3, _ = b.groups.Get("G3")
	require.Equal(t, want, g3)
	_, exists := b.groups.Get("GL3")
	require.False(t, exists)

	answer := b.mustAsk(protocol.GetAllSubscriptionGroupConfig, "", "")
	total, _ := answer.Field("totalGroupNum")
	require.Equal(t, "12", total)
	require.Contains(t, string(answer.Body), `"forbiddenTable":{},"subscriptionGroupTable":{"`)
	require.Contains(t, string(answer.Body), `"G1":{"attributes":{},"brokerId":0,"consumeBroadcastEnable":true,"consumeEnable":true,"consumeFromMinEnable":true,`+
		`"consumeMessageOrderly":false,"consumeTimeoutMinute":15,"groupName":"G1","groupRetryPolicy":{"type":"CUSTOMIZED"},"groupSysFlag":0,`+
		`"notifyConsumerIdsChangedEnable":true,"retryMaxTimes":16,"retryQueueNums":1,"whichBrokerWhenConsumeSlowly":1}`)
}

func TestConsumerOffsets(t *testing.T) {
	b := newBareBroker(t, nil)
	b.mustAsk(protocol.UpdateAndCreateTopic, newTopicFields("T1", ""), "")
	b.mustAsk(protocol.UpdateAndCreateSubscriptionGroup, "", `{"groupName":"G1"}`)
	const notFound = "Not found, V3_0_6_SNAPSHOT maybe this group consumer boot first"
	const query, update = protocol.QueryConsumerOffset, protocol.UpdateConsumerOffset
	b.requireAnswers([]question{
		{"nothing", query, "consumerGroup=G1 topic=T1 queueId=0", "", 22, notFound},
		{"not zero", query, "consumerGroup=G1 topic=T1 queueId=0 setZeroIfNotFound=false", "", 22, "Not found, do not set to zero, maybe this group boot first"},
		{"unknown topic", query, "consumerGroup=G1 topic=nope queueId=0", "", 22, notFound},
		{"no such queue", query, "consumerGroup=G1 topic=T1 queueId=-1", "", 22, notFound},
		{"stored", update, "consumerGroup=G1 topic=T1 queueId=0 commitOffset=5", "", 0, ""},
		{"found", query, "consumerGroup=G1 topic=T1 queueId=0", "", 0, ""},
		{"negative", update, "consumerGroup=G1 topic=T1 queueId=0 commitOffset=-5", "", 0, ""},
		{"reads as none", query, "consumerGroup=G1 topic=T1 queueId=0", "", 22, notFound},
		{"beyond the end", update, "consumerGroup=G1 topic=T1 queueId=0 commitOffset=999999", "", 0, ""},
		{"beyond the queues", update, "consumerGroup=G1 topic=T1 queueId=77 commitOffset=5", "", 0, ""},
		{"no group", update, "consumerGroup=newg topic=T1 queueId=0 commitOffset=5", "", 26, "Group newg not exist!"},
		{"bad group", update, "consumerGroup=../newg topic=T1 queueId=0 commitOffset=5", "", 26, "Group ../newg not exist!"},
		{"no topic", update, "consumerGroup=G1 topic=nope queueId=0 commitOffset=5", "", 17, "Topic nope not exist!"},
		{"no queue", update, "consumerGroup=G1 topic=T1 commitOffset=5", "", 29, "QueueId is null, topic is T1"},
		{"no offset", update, "consumerGroup=G1 topic=T1 queueId=0", "", 29, "Offset is null, topic is T1"},
		// Java stores it.
		{"queue -1", update, "consumerGroup=G1 topic=T1 queueId=-1 commitOffset=5", "", 29, "QueueId -1 is illegal, topic is T1"},
	})
	answer := b.mustAsk(query, "consumerGroup=G1 topic=T1 queueId=0", "")
	require.Equal(t, []protocol.Field{{Key: "offset", Value: "999999"}}, answer.Fields)
	answer = b.ask(query, "consumerGroup=G1 topic=T1 queueId=1", "")
	require.NotNil(t, answer.Fields)
	require.Empty(t, answer.Fields)

	b.mustPut("T1", 1)
	answer = b.mustAsk(query, "consumerGroup=G1 topic=T1 queueId=1", "")
	require.Equal(t, []protocol.Field{{Key: "offset", Value: "0"}}, answer.Fields, "a young queue is read from its start")
	require.EqualValues(t, 22, b.ask(query, "consumerGroup=G1 topic=T1 queueId=1 setZeroIfNotFound=false", "").Code)

	b.offsets.AssignReset("G1", "T1", 0, 2)
	b.requireAnswers([]question{{"reset pending", update, "consumerGroup=G1 topic=T1 queueId=0 commitOffset=9", "", 0, "Offset has been previously reset"}})
	answer = b.mustAsk(query, "consumerGroup=G1 topic=T1 queueId=0", "")
	require.Equal(t, "2", answer.Fields[0].Value)
}

func TestConsumeStats(t *testing.T) {
	b := newBareBroker(t, nil)
	b.mustAsk(protocol.UpdateAndCreateTopic, newTopicFields("T1", "readQueueNums=2 writeQueueNums=2"), "")
	b.mustAsk(protocol.UpdateAndCreateTopic, newTopicFields("T6", "readQueueNums=1 writeQueueNums=1"), "")
	b.mustAsk(protocol.UpdateAndCreateSubscriptionGroup, "", `{"groupName":"G1"}`)
	b.mustPut("T1", 0)
	b.mustPut("T1", 0)
	b.mustAsk(protocol.UpdateConsumerOffset, "consumerGroup=G1 topic=T1 queueId=0 commitOffset=1", "")
	b.offsets.CommitPull("G1", "T1", 0, 2)
	const t1 = `{"brokerName":"broker-a","queueId":0,"topic":"T1"}:{"brokerOffset":2,"consumerOffset":1,"lastTimestamp":1700000000000,"pullOffset":2},` +
		`{"brokerName":"broker-a","queueId":1,"topic":"T1"}:{"brokerOffset":0,"consumerOffset":0,"lastTimestamp":0,"pullOffset":0}`
	const t6 = `{"brokerName":"broker-a","queueId":0,"topic":"T6"}:{"brokerOffset":0,"consumerOffset":0,"lastTimestamp":0,"pullOffset":0}`
	body := func(entries string) string { return `{"consumeTps":0.0,"offsetTable":{` + entries + `}}` }
	stats := func(fields string) string { return string(b.mustAsk(protocol.GetConsumeStats, fields, "").Body) }
	require.Equal(t, body(t1), stats("consumerGroup=G1"))
	require.Equal(t, body(t1), stats("consumerGroup=G1 topic=T1"))
	require.Equal(t, body(""), stats("consumerGroup=nope"))
	require.Equal(t, body(""), stats("consumerGroup=G1 topic=nope"))
	var got, want protocol.ConsumeStats
	require.NoError(t, fastjson.Unmarshal([]byte(stats("consumerGroup=G1 topicList=T1;T6;T1;nope")), &got))
	require.NoError(t, fastjson.Unmarshal([]byte(body(t1+","+t6)), &want))
	require.Equal(t, want, got)
	b.mustAsk(protocol.HeartBeat, "", heartbeatBody("c", "G1", 0, false, "T6"))
	require.Equal(t, body(""), stats("consumerGroup=G1"), "its members have turned to another topic")
}

func heartbeatBody(clientID, group string, fingerprint int, withoutSub bool, topics ...string) string {
	subs := make([]string, 0, len(topics))
	for _, topic := range topics {
		subs = append(subs, `{"topic":"`+topic+`","subString":"*","subVersion":1,"codeSet":["97"]}`)
	}
	return `{"clientID":"` + clientID + `","heartbeatFingerprint":` + strconv.Itoa(fingerprint) + `,"withoutSub":` + strconv.FormatBool(withoutSub) +
		`,"producerDataSet":[{"groupName":"P"}],"consumerDataSet":[{"groupName":"` + group + `","consumeType":"CONSUME_PASSIVELY",` +
		`"messageModel":"CLUSTERING","consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","subscriptionDataSet":[` + strings.Join(subs, ",") + `]}]}`
}
