// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"

	"rocketd/internal/testkit"
	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/remoting/remotingtest"
	"rocketd/store/vfs"
)

// S8 of the security cases, and bad input of any kind, for each code that is served. goodRequests has a request of each
// code that is right; the tests spoil one thing of it at a time, so that everything else of the handler is reached.
// conformance/hostile does the same from outside with everything spoilt at once.

type goodRequest struct{ fields, body string }

// goodRequests are by code. A code that is served and not here fails the tests.
func goodRequests(stored, half, givenUp *message.Message) map[int32]goodRequest {
	const (
		send  = "producerGroup=P topic=T defaultTopic=TBW102 defaultTopicQueueNums=4 queueId=0 sysFlag=0 bornTimestamp=1 flag=0 properties=KEYS\x01k\x02 reconsumeTimes=0 unitMode=false maxReconsumeTimes=16 batch=false"
		short = "a=P b=T c=TBW102 d=4 e=0 f=0 g=1 h=0 i=KEYS\x01k\x02 j=0 k=false l=16 m=false"
		pull  = "consumerGroup=G topic=T queueId=0 queueOffset=0 maxMsgNums=32 sysFlag=4 commitOffset=0 suspendTimeoutMillis=1 subscription=* subVersion=0 expressionType=TAG maxMsgBytes=1000 requestSource=0"
		reset = "topic=T group=G queueId=-1 timestamp=0 offset=-1 isForce=true"
		queue = "topic=T queueId=0"
		topic = `"readQueueNums":4,"writeQueueNums":4,"perm":6,"order":false,"topicFilterType":"SINGLE_TAG","topicSysFlag":0,"attributes":{"+message.type":"NORMAL"}}`
		group = `"consumeEnable":true,"consumeBroadcastEnable":true,"retryQueueNums":1,"retryMaxTimes":16,"brokerId":0,"whichBrokerWhenConsumeSlowly":1,"groupSysFlag":0,"consumeTimeoutMinute":15,"attributes":{},"groupRetryPolicy":{"type":"CUSTOMIZED"}}`
		locks = `{"clientId":"c","consumerGroup":"G","mqSet":[{"brokerName":"broker-a","queueId":0,"topic":"T"}],"onlyThisBroker":false}`
		subs  = `{"topic":"T","subString":"a||b","tagsSet":["a","b"],"codeSet":[97,98],"subVersion":1,"expressionType":"TAG","classFilterMode":false}`
		beat  = `{"clientID":"c","consumerDataSet":[{"groupName":"G","consumeType":"CONSUME_PASSIVELY","consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","messageModel":"CLUSTERING","unitMode":false,"subscriptionDataSet":[` + subs + `]}],"producerDataSet":[{"groupName":"P"}],"heartbeatFingerprint":0,"withoutSub":false}`
	)
	batch := message.AppendBatchItem(message.AppendBatchItem(nil, 0, []byte("one"), "KEYS\x01k\x02"), 0, []byte("two"), "")
	ask := "consumerGroup=G clientId=c"
	handle := protocol.RecallHandle{Topic: "T", BrokerName: "broker-a", TimeText: strconv.FormatInt(time.Now().Add(time.Hour).UnixMilli(), 10), UniqKey: "u"}
	return map[int32]goodRequest{
		protocol.SendMessage:                          {send, "body"},
		protocol.SendMessageV2:                        {short, "body"},
		protocol.SendBatchMessage:                     {strings.Replace(short, "m=false", "m=true", 1), string(batch)},
		protocol.SendReplyMessage:                     {send + " properties=CLUSTER\x01DefaultCluster\x02REPLY_TO_CLIENT\x01c\x02", "body"},
		protocol.SendReplyMessageV2:                   {short + " i=CLUSTER\x01DefaultCluster\x02REPLY_TO_CLIENT\x01c\x02", "body"},
		protocol.ConsumerSendMsgBack:                  {fmt.Sprintf("offset=%d group=G delayLevel=1 originTopic=T unitMode=false maxReconsumeTimes=16", stored.PhyOffset), ""},
		protocol.EndTransaction:                       {fmt.Sprintf("topic=T producerGroup=P tranStateTableOffset=0 commitLogOffset=%d commitOrRollback=8 fromTransactionCheck=true msgId=m transactionId=m", half.PhyOffset), ""},
		protocol.ResumeCheckHalfMessage:               {"topic=T msgId=" + message.OffsetMsgID(givenUp.StoreHost, givenUp.PhyOffset), ""},
		protocol.PullMessage:                          {pull, ""},
		protocol.LitePullMessage:                      {pull, ""},
		protocol.QueryMessage:                         {"topic=T key=k maxNum=32 beginTimestamp=0 endTimestamp=9000000000000", ""},
		protocol.ViewMessageByID:                      {fmt.Sprintf("topic=T offset=%d", stored.PhyOffset), ""},
		protocol.SearchOffsetByTimestamp:              {queue + " timestamp=0 boundaryType=lower", ""},
		protocol.GetMaxOffset:                         {queue, ""},
		protocol.GetMinOffset:                         {queue, ""},
		protocol.GetEarliestMsgStoreTime:              {queue, ""},
		protocol.QueryConsumerOffset:                  {queue + " consumerGroup=G setZeroIfNotFound=true", ""},
		protocol.UpdateConsumerOffset:                 {queue + " consumerGroup=G commitOffset=1", ""},
		protocol.QueryConsumeTimeSpan:                 {"topic=T group=G", ""},
		protocol.QueryCorrectionOffset:                {"topic=T filterGroups=X compareGroup=G", ""},
		protocol.CloneGroupOffset:                     {"srcGroup=G destGroup=G2 topic=T offline=true", ""},
		protocol.InvokeBrokerToResetOffset:            {reset, ""},
		protocol.InvokeBrokerToGetConsumerStatus:      {"topic=T group=G clientAddr=c", ""},
		protocol.GetConsumerRunningInfo:               {ask + " jstackEnable=true", ""},
		protocol.ConsumeMessageDirectly:               {ask + " topic=T msgId=" + message.OffsetMsgID(stored.StoreHost, stored.PhyOffset), ""},
		protocol.QueryAssignment:                      {"", `{"topic":"T","consumerGroup":"G","clientId":"c","strategyName":"AVG","messageModel":"CLUSTERING"}`},
		protocol.HeartBeat:                            {"", beat},
		protocol.UnregisterClient:                     {"clientID=c producerGroup=P2 consumerGroup=G2", ""},
		protocol.GetConsumerListByGroup:               {"consumerGroup=G", ""},
		protocol.CheckClientConfig:                    {"", `{"clientId":"c","group":"G","subscriptionData":` + subs + `}`},
		protocol.LockBatchMQ:                          {"", locks},
		protocol.UnlockBatchMQ:                        {"", locks},
		protocol.UpdateAndCreateTopic:                 {"topic=Made defaultTopic=TBW102 readQueueNums=4 writeQueueNums=4 perm=6 topicFilterType=SINGLE_TAG topicSysFlag=0 order=false attributes=+message.type=NORMAL force=false", ""},
		protocol.UpdateAndCreateTopicList:             {"", `{"topicConfigList":[{"topicName":"Listed",` + topic + `]}`},
		protocol.GetAllTopicConfig:                    {"topicSeq=0 maxTopicNum=10", ""},
		protocol.GetTopicStatsInfo:                    {"topic=T", ""},
		protocol.ViewBrokerStatsData:                  {"statsName=TOPIC_PUT_NUMS statsKey=T", ""},
		protocol.GetTopicConfig:                       {"topic=T", ""},
		protocol.DeleteTopicInBroker:                  {"topic=Doomed", ""},
		protocol.GetSystemTopicListFromBroker:         {},
		protocol.CleanExpiredConsumeQueue:             {},
		protocol.CleanUnusedTopic:                     {},
		protocol.DeleteExpiredCommitLog:               {},
		protocol.QueryTopicConsumeByWho:               {"topic=T", ""},
		protocol.QueryConsumeQueue:                    {queue + " index=0 count=10 consumerGroup=G", ""},
		protocol.UpdateAndCreateSubscriptionGroup:     {"", `{"groupName":"Made",` + group},
		protocol.UpdateAndCreateSubscriptionGroupList: {"", `{"groupConfigList":[{"groupName":"Listed",` + group + `]}`},
		protocol.GetAllSubscriptionGroupConfig:        {"groupSeq=0 maxGroupNum=10", ""},
		protocol.GetSubscriptionGroupConfig:           {"group=G", ""},
		protocol.DeleteSubscriptionGroup:              {"groupName=Doomed cleanOffset=true", ""},
		protocol.UpdateAndGetGroupForbidden:           {"group=G topic=Doomed readable=true", ""},
		protocol.QueryTopicsByConsumer:                {"group=G", ""},
		protocol.QuerySubscriptionByConsumer:          {"group=G topic=T", ""},
		protocol.GetConsumerConnectionList:            {"consumerGroup=G", ""},
		protocol.GetProducerConnectionList:            {"producerGroup=P", ""},
		protocol.GetAllProducerInfo:                   {},
		protocol.GetConsumeStats:                      {"consumerGroup=G topic=T", ""},
		protocol.GetBrokerConsumeStats:                {"isOrder=false", ""},
		protocol.UpdateBrokerConfig:                   {"", "traceOn=true\n"},
		protocol.RecallMessage:                        {"producerGroup=P topic=T recallHandle=" + handle.String(), ""},
		protocol.GetBrokerConfig:                      {},
		protocol.GetBrokerRuntimeInfo:                 {},
	}
}

// hostileBroker is a running broker with a client c in the groups P and G, and messages in the topic T.
type hostileBroker struct {
	*liveBroker
	t    *testing.T
	peer *fakePeer
	good map[int32]goodRequest
}

func newHostileBroker(t *testing.T) *hostileBroker {
	h := &hostileBroker{t: t, peer: &fakePeer{id: 1}, liveBroker: newBroker(t, vfs.NewMem(), clockwork.NewRealClock(), func(c *Config) {
		c.RecallMessageEnable, c.TimerStopEnqueue = true, true // a timer's files take memory, which the tests measure
	})}
	require.NoError(t, h.topics.Put(protocol.NewTopicConfig("T", 4, 4, protocol.PermRead|protocol.PermWrite)))
	put := func(topic, properties string) *message.Message {
		m := &message.Message{Topic: topic, Body: []byte("m"), Properties: properties, BornHost: h.storeHost, StoreHost: h.storeHost}
		receipt, err := h.store.Put(m)
		require.NoError(t, err)
		m.PhyOffset = receipt.PhyOffset
		return m
	}
	const half = "PGROUP\x01P\x02REAL_TOPIC\x01T\x02REAL_QID\x010\x02"
	h.good = goodRequests(put("T", "KEYS\x01k\x02"), put(message.HalfTopic, half), put(message.TransCheckMaxTimeTopic, half))
	h.requireAnswered(protocol.HeartBeat, h.good[protocol.HeartBeat].fields, h.good[protocol.HeartBeat].body)
	return h
}

func (h *hostileBroker) requireAnswered(code int32, fields, body string) *protocol.Command {
	h.t.Helper()
	return h.answer(remotingtest.Request(code, fields, body), fmt.Sprintf("%q %.200q", fields, body))
}

// answer demands an answer in bounded time and memory that is no panic's.
func (h *hostileBroker) answer(req *protocol.Command, what string) *protocol.Command {
	h.t.Helper()
	return remotingtest.Answered(h.t, req, what, h.mux.Panics, func(ctx context.Context) (*protocol.Command, error) {
		return h.Handle(ctx, h.peer, req)
	})
}

func TestEveryServedCodeHasAGoodRequest(t *testing.T) {
	h := newHostileBroker(t)
	refused := []int32{ // the client does not answer
		protocol.GetConsumerRunningInfo, protocol.ConsumeMessageDirectly, protocol.SendReplyMessage, protocol.SendReplyMessageV2,
		protocol.LitePullMessage, // the reset of 222 comes first
	}
	for _, code := range h.mux.Codes() {
		good, ok := h.good[code]
		if !ok {
			t.Errorf("%d %s has no line in goodRequests", code, protocol.RequestName(code))
			continue
		}
		answer := h.requireAnswered(code, good.fields, good.body)
		if answer.Code != protocol.Success && !slices.Contains(refused, code) {
			t.Errorf("%s is answered %d: %s", protocol.RequestName(code), answer.Code, answer.Remark)
		}
		for _, f := range h.mux.Takes(code) {
			_, sent := remotingtest.Request(code, good.fields, "").Field(f.Key)
			if !sent && (f.Required || f.Bits > 0) {
				t.Errorf("%s: the good request has no %s", protocol.RequestName(code), f.Key)
			}
		}
	}
}

// A field that is missing or no number is named in the answer.
func TestSpoiltFieldsAreNamed(t *testing.T) {
	h := newHostileBroker(t)
	for code, good := range h.good {
		for _, f := range h.mux.Takes(code) {
			if f.Required {
				req := remotingtest.Request(code, good.fields, good.body)
				req.Fields = slices.DeleteFunc(req.Fields, func(have protocol.Field) bool { return have.Key == f.Key })
				h.requireNamed(req, f.Key, "without it")
			}
			for _, value := range testkit.NoNumbers(f.Bits) {
				req := remotingtest.Request(code, good.fields, good.body)
				req.SetField(f.Key, value)
				h.requireNamed(req, f.Key, fmt.Sprintf("%.40q", value))
			}
		}
	}
}

func (h *hostileBroker) requireNamed(req *protocol.Command, key, what string) {
	h.t.Helper()
	answer := h.answer(req, key+" "+what)
	require.Equal(h.t, protocol.SystemError, answer.Code, "%s, %s %s", protocol.RequestName(req.Code), key, what)
	require.Contains(h.t, answer.Remark, "the request header field "+key+" ", "%s, %s", protocol.RequestName(req.Code), what)
}

// Every number of every request at its limits, one at a time.
func TestExtremeNumbersAreAnswered(t *testing.T) {
	h := newHostileBroker(t)
	for code, good := range h.good {
		for _, f := range h.mux.Takes(code) {
			for _, n := range testkit.ExtremeNumbers(f.Bits) {
				if f.Key == "suspendTimeoutMillis" {
					continue // TestExtremeWaits
				}
				req := remotingtest.Request(code, good.fields, good.body)
				req.SetField(f.Key, strconv.FormatInt(n, 10))
				h.answer(req, fmt.Sprintf("%s=%d", f.Key, n))
			}
		}
	}
	require.Equal(t, protocol.Success, h.requireAnswered(protocol.SendMessage, sendFields("T", ""), "m").Code)
}

// S6: names that are none in every field and member that is a text, one at a time, also those that come with a message.
// Whatever is answered, nothing but the store's own folders and files comes into being.
func TestSpoiltNamesLeaveNoTrace(t *testing.T) {
	h := newHostileBroker(t)
	for _, name := range []string{
		"", " ", ".", "..", "../x", "../../../../tmp/x", "..%2fx", "a/b", `a\b`, "/x", "\x00", "a\x00b", "a\nb", "\xff\xfe", "ü", "CON", "con", "C:x", "~", "*", "$x", "%RETRY%../x",
		"%DLQ%a/b", "%LMQ%../x", strings.Repeat("n", 128), strings.Repeat("n", 256), strings.Repeat("n", 70_000),
	} {
		for code, good := range h.good {
			for _, f := range h.mux.Takes(code) {
				if f.Bits > 0 {
					continue
				}
				req := remotingtest.Request(code, good.fields, good.body)
				req.SetField(f.Key, name)
				h.answer(req, fmt.Sprintf("%s=%.40q", f.Key, name))
			}
		}
		for _, property := range []string{"INNER_MULTI_DISPATCH", "RETRY_TOPIC", "REAL_TOPIC", "TAGS", "KEYS", "UNIQ_KEY", "CLUSTER", "__LITE_TOPIC", "_SYS_MSG_PRIORITY_", "INNER_NUM", "__CRC32#", "%s"} {
			req := remotingtest.Request(protocol.SendMessage, sendFields("T", ""), "m")
			req.SetField("properties", property+"\x01"+name+"\x02DELAY\x011\x02")
			h.answer(req, fmt.Sprintf("property %s=%.40q", property, name))
		}
	}
	require.Equal(t, protocol.Success, h.requireAnswered(protocol.SendMessage, sendFields("T", ""), "m").Code)
	require.NoError(t, h.stop())
	walk(t, h.fs, "/", func(path string) {
		if path == "/store" {
			return
		}
		require.True(t, strings.HasPrefix(path, "/store/"), "%q", path)
		for part := range strings.SplitSeq(path[1:], "/") {
			name := strings.TrimPrefix(strings.TrimSuffix(strings.TrimSuffix(part, ".bak"), ".json"), "rocketd.")
			require.True(t, message.SafeName(name), "%q", path)
		}
	})
}

// walk calls fn for everything in dir and below.
func walk(t *testing.T, fsys vfs.FS, dir string, fn func(path string)) {
	infos, err := fsys.List(dir)
	require.NoError(t, err)
	for _, info := range infos {
		path := strings.TrimSuffix(dir, "/") + "/" + info.Name
		fn(path)
		if info.Dir {
			walk(t, fsys, path, fn)
		}
	}
}

// A pull may ask to wait for any time: a past one is answered at once, an endless one by the next message.
func TestExtremeWaits(t *testing.T) {
	h := newHostileBroker(t)
	for _, ms := range []int64{math.MinInt64, math.MinInt32, -1, 0, 1} {
		answer := h.requireAnswered(protocol.PullMessage, pullFields("T", 1, fmt.Sprintf("sysFlag=6 suspendTimeoutMillis=%d", ms)), "")
		require.Equal(t, protocol.PullNotFound, answer.Code, answer.Remark)
	}
	for i, ms := range []int64{math.MaxInt32, math.MaxInt64} {
		answered := make(chan *protocol.Command, 1)
		go func() {
			answer, err := h.Handle(context.Background(), h.peer, remotingtest.Request(protocol.PullMessage, pullFields("T", int64(1+i), fmt.Sprintf("sysFlag=6 suspendTimeoutMillis=%d", ms)), ""))
			require.NoError(t, err)
			answered <- answer
		}()
		require.Eventually(t, func() bool { return h.parked.Len() == 1 }, 10*time.Second, time.Millisecond)
		require.Equal(t, protocol.Success, h.requireAnswered(protocol.SendMessage, sendFields("T", ""), "m").Code)
		require.Equal(t, protocol.Success, (<-answered).Code)
	}
}

// JSON bodies of which one value is something else, or that end early.
func TestSpoiltBodiesAreAnswered(t *testing.T) {
	h := newHostileBroker(t)
	for code, good := range h.good {
		for _, body := range testkit.GarbageBodies {
			h.requireAnswered(code, good.fields, body)
		}
		if !strings.HasPrefix(good.body, "{") {
			continue
		}
		for end := range len(good.body) {
			answer := h.requireAnswered(code, good.fields, good.body[:end])
			if end > 0 { // one without a body may be answered like one that is empty
				require.Equal(t, protocol.SystemError, answer.Code, "%s %s", protocol.RequestName(code), good.body[:end])
				require.Contains(t, answer.Remark, "body")
			}
		}
		for _, spoilt := range testkit.SpoiltJSON(t, good.body) {
			h.requireAnswered(code, good.fields, spoilt)
		}
	}
	require.Equal(t, protocol.Success, h.requireAnswered(protocol.SendMessage, sendFields("T", ""), "m").Code)
}

// Batches that are cut off, or whose lengths are not those of what follows.
func TestSpoiltBatchesAreAnswered(t *testing.T) {
	h := newHostileBroker(t)
	good := h.good[protocol.SendBatchMessage]
	for end := range len(good.body) {
		h.requireAnswered(protocol.SendBatchMessage, good.fields, good.body[:end])
	}
	for at := range len(good.body) - 3 {
		for _, n := range []int64{-1, 0, 1, math.MaxInt32, math.MinInt32, 1 << 20} {
			body := []byte(good.body)
			binary.BigEndian.PutUint32(body[at:], uint32(n))
			h.requireAnswered(protocol.SendBatchMessage, good.fields, string(body))
		}
	}
	require.Equal(t, protocol.Success, h.requireAnswered(protocol.SendBatchMessage, good.fields, good.body).Code)
}
