// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rocketd/protocol"
)

// stagedTopic has three messages in queue 0, one second apart, and group G with offset 2.
func stagedTopic(t *testing.T, change func(*Config)) *bareBroker {
	b := newBareBroker(t, change)
	for _, body := range []string{"m0", "m1", "m2"} {
		b.mustSend("T", "", body)
		b.clock.Advance(time.Second)
	}
	require.NoError(t, b.groups.Put(protocol.NewGroupConfig("G")))
	b.offsets.Commit("G", "T", 0, 2)
	return b
}

func TestResetHere(t *testing.T) {
	b := stagedTopic(t, nil)
	answer := b.mustAsk(protocol.InvokeBrokerToResetOffset, "topic=T group=G queueId=-1 timestamp=1700000001000 isForce=true", "")
	require.Equal(t, `{"offsetTable":{{"brokerName":"broker-a","queueId":0,"topic":"T"}:1,{"brokerName":"broker-a","queueId":1,"topic":"T"}:0,`+
		`{"brokerName":"broker-a","queueId":2,"topic":"T"}:0,{"brokerName":"broker-a","queueId":3,"topic":"T"}:0}}`, string(answer.Body))
	offset, _ := b.offsets.Query("G", "T", 0)
	require.EqualValues(t, 1, offset)
	pulled := b.ask(protocol.PullMessage, pullFields("T", 2, ""), "")
	require.Equal(t, protocol.PullOffsetMoved, pulled.Code)
	requireNext(t, pulled, "1")

	b.mustAsk(protocol.InvokeBrokerToResetOffset, "topic=T group=G queueId=0 timestamp=0 offset=3", "")
	offset, _ = b.offsets.Query("G", "T", 0)
	require.EqualValues(t, 3, offset)
	b.mustAsk(protocol.InvokeBrokerToResetOffset, "topic=T group=G queueId=0 timestamp=-1", "")
	const reset = protocol.InvokeBrokerToResetOffset
	b.requireAnswers([]question{
		{"beyond the end", reset, "topic=T group=G queueId=0 timestamp=0 offset=5", "", 1, "Target offset 5 not in consume queue range [0-3]"},
		{"before the start", reset, "topic=T group=G queueId=0 timestamp=0 offset=-2", "", 1, "Target offset -2 not in consume queue range [0-3]"},
		{"no topic", reset, "topic=X group=G timestamp=0", "", 17, "Topic X does not exist"},
		{"no group", reset, "topic=T group=X timestamp=0", "", 26, "Group X does not exist"},
		{"no such queue", reset, "topic=T group=G queueId=2147483647 timestamp=0", "", 29, "queueId 2147483647 is illegal, topic is T"},
	})
}

func TestResetByPush(t *testing.T) {
	b := stagedTopic(t, func(c *Config) { c.UseServerSideResetOffset = false })
	for id := range int32(4) {
		b.offsets.Commit("G", "T", id, 2)
	}
	const reset = protocol.InvokeBrokerToResetOffset
	b.requireAnswers([]question{
		{"offline", reset, "topic=T group=G timestamp=0", "", 206, "Consumer not online, so can not reset online, Group: G Topic: T Timestamp: 0"},
		{"no offsets", reset, "topic=T group=X timestamp=0", "", 1, "THe consumer group <X> not exist"},
	})
	b.mustAsk(protocol.HeartBeat, "", heartbeatBody("cid", "G", 0, false, "T"))
	answer := b.mustAsk(reset, "topic=T group=G timestamp=-1", "")
	require.Contains(t, string(answer.Body), `{"brokerName":"broker-a","queueId":0,"topic":"T"}:2`, "not forward without force")
	pushed := b.peer.sent[len(b.peer.sent)-1]
	require.Equal(t, protocol.ResetConsumerClientOffset, pushed.Code)
	require.Equal(t, answer.Body, pushed.Body)
	answer = b.mustAsk(reset, "topic=T group=G timestamp=-1 isForce=true", "")
	require.Contains(t, string(answer.Body), `{"brokerName":"broker-a","queueId":0,"topic":"T"}:3`)
	offset, _ := b.offsets.Query("G", "T", 0)
	require.EqualValues(t, 2, offset, "the client is to commit it")
}

func TestOffsetQuestions(t *testing.T) {
	b := stagedTopic(t, nil)
	requireFields(t, b.mustAsk(protocol.GetEarliestMsgStoreTime, "topic=T queueId=0", ""), "timestamp=1700000000000")
	requireFields(t, b.mustAsk(protocol.GetEarliestMsgStoreTime, "topic=T queueId=1", ""), "timestamp=-1")
	requireFields(t, b.mustAsk(protocol.GetEarliestMsgStoreTime, "topic=X queueId=-1", ""), "timestamp=-1")

	answer := b.mustAsk(protocol.QueryConsumeTimeSpan, "topic=T group=G", "")
	require.Contains(t, string(answer.Body), `"delayTime":1000,"maxTimeStamp":1700000002000`)
	require.Contains(t, string(answer.Body), `"consumeTimeStamp":1700000001000`)
	b.offsets.Commit("H", "T", 0, 1)
	answer = b.mustAsk(protocol.QueryCorrectionOffset, "topic=T compareGroup=G", "")
	require.Equal(t, `{"correctionOffsets":{"0":1}}`, string(answer.Body))
	answer = b.mustAsk(protocol.QueryCorrectionOffset, "topic=T compareGroup=H filterGroups=H", "")
	require.Equal(t, `{"correctionOffsets":{"0":9223372036854775807}}`, string(answer.Body))
	_, ok := b.offsets.Query("H", "T", 0)
	require.True(t, ok, "looking past a group leaves it as it is")

	b.mustAsk(protocol.CloneGroupOffset, "srcGroup=G destGroup=NEW offline=true", "")
	offset, _ := b.offsets.Query("NEW", "T", 0)
	require.EqualValues(t, 2, offset)
	b.requireAnswers([]question{{"no topic", protocol.QueryConsumeTimeSpan, "topic=X group=G", "", 17, "topic[X] not exist"}})
}

func TestAssignment(t *testing.T) {
	b := stagedTopic(t, nil)
	ask := func(strategy, client string) string {
		return string(b.ask(protocol.QueryAssignment, "", `{"topic":"T","consumerGroup":"CG","clientId":"`+client+`","strategyName":"`+strategy+`","messageModel":"CLUSTERING"}`).Body)
	}
	require.Equal(t, `{}`, ask("AVG", "c1"), "no group")
	b.mustAsk(protocol.HeartBeat, "", heartbeatBody("c1", "CG", 0, false, "T"))
	b.peer = &fakePeer{id: 2}
	b.mustAsk(protocol.HeartBeat, "", heartbeatBody("c2", "CG", 0, false, "T"))
	queue := func(id string) string {
		return `{"messageQueue":{"brokerName":"broker-a","queueId":` + id + `,"topic":"T"},"mode":"PULL"}`
	}
	require.Equal(t, `{"messageQueueAssignments":[`+queue("0")+`,`+queue("1")+`]}`, ask("AVG", "c1"))
	require.Equal(t, `{"messageQueueAssignments":[`+queue("1")+`,`+queue("3")+`]}`, ask("AVG_BY_CIRCLE", "c2"))
	require.Equal(t, `{}`, ask("X", "c1"), "other strategy")
}

// Every queue is somebody's, whatever the numbers.
func TestAssignmentsCoverEveryQueue(t *testing.T) {
	for members := 1; members < 7; members++ {
		for n := range 9 {
			queues := make([]protocol.MessageQueue, n)
			for i := range queues {
				queues[i].QueueID = int32(i)
			}
			for _, strategy := range []func([]protocol.MessageQueue, int, int) []protocol.MessageQueue{averagely, byCircle} {
				times := map[int32]int{}
				for place := range members {
					for _, mq := range strategy(queues, place, members) {
						times[mq.QueueID]++
					}
				}
				for i := range queues {
					require.Equal(t, 1, times[int32(i)], "%d members, %d queues", members, n)
				}
			}
		}
	}
}
