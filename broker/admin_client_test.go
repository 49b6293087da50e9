// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/protocol"
	"rocketd/store/vfs"
)

func TestWhoIsConnected(t *testing.T) {
	b := stagedTopic(t, nil)
	b.mustAsk(protocol.HeartBeat, "", heartbeatBody("cid", "CG", 0, false, "T"))
	body := func(code int32, fields string) string { return string(b.mustAsk(code, fields, "").Body) }
	require.Equal(t, `{"connectionSet":[{"clientAddr":"10.0.0.1:999","clientId":"cid","language":"JAVA","version":513}]}`,
		body(protocol.GetProducerConnectionList, "producerGroup=P"))
	require.Equal(t, `{"data":{"P":[{"clientId":"cid","language":"JAVA","lastUpdateTimestamp":1700000003000,"remoteIP":"/10.0.0.1:999","version":513}]}}`,
		body(protocol.GetAllProducerInfo, ""))
	require.Equal(t, `{"groupList":["CG","G"]}`, body(protocol.QueryTopicConsumeByWho, "topic=T"))
	require.Equal(t, `{"groupList":[]}`, body(protocol.QueryTopicConsumeByWho, "topic=X"))
	require.Equal(t, `{"brokerAddr":"127.0.0.1:10911","topicList":["T"]}`, body(protocol.QueryTopicsByConsumer, "group=G"))
	require.Equal(t, `{"group":"CG","subscriptionData":{"classFilterMode":false,"codeSet":[97],"expressionType":"TAG","subString":"*","subVersion":1,"tagsSet":[],"topic":"T"},"topic":"T"}`,
		body(protocol.QuerySubscriptionByConsumer, "group=CG topic=T"))
	require.Equal(t, `{"group":"CG","topic":"X"}`, body(protocol.QuerySubscriptionByConsumer, "group=CG topic=X"))
	require.Contains(t, body(protocol.GetSystemTopicListFromBroker, ""), `"TBW102"`)
	b.requireAnswers([]question{{"no producer", protocol.GetProducerConnectionList, "producerGroup=X", "", 1, "the producer group[X] not exist"}})
}

func TestBrokerConsumeStats(t *testing.T) {
	b := stagedTopic(t, nil)
	answer := string(b.mustAsk(protocol.GetBrokerConsumeStats, "isOrder=false", "").Body)
	require.Contains(t, answer, `"brokerAddr":"127.0.0.1:10911"`)
	require.Contains(t, answer, `{"G":[{"consumeTps":0.0,"offsetTable":{{"brokerName":"broker-a","queueId":0,"topic":"T"}:{"brokerOffset":3,"consumerOffset":2,"lastTimestamp":1700000001000,"pullOffset":2}`)
	require.Contains(t, answer, `"totalDiff":1,"totalInflightDiff":0`)
	require.NotContains(t, string(b.mustAsk(protocol.GetBrokerConsumeStats, "isOrder=true", "").Body), `"topic":"T"`)
}

func TestDeleteGroup(t *testing.T) {
	b := stagedTopic(t, nil)
	b.mustAsk(protocol.DeleteSubscriptionGroup, "groupName=G cleanOffset=false", "")
	_, ok := b.groups.Get("G")
	require.False(t, ok)
	_, ok = b.offsets.Query("G", "T", 0)
	require.True(t, ok)
	b.mustAsk(protocol.DeleteSubscriptionGroup, "groupName=G cleanOffset=true", "")
	_, ok = b.offsets.Query("G", "T", 0)
	require.False(t, ok)
}

// A group that may not read a topic is refused from its next pull on, also after a restart.
func TestForbiddenTopicOfAGroup(t *testing.T) {
	b := stagedTopic(t, nil)
	body := func(fields string) string {
		return string(b.mustAsk(protocol.UpdateAndGetGroupForbidden, fields, "").Body)
	}
	require.Equal(t, `{"group":"G","readable":true,"topic":"T"}`, body("group=G topic=T"))
	require.Equal(t, `{"group":"G","readable":false,"topic":"T"}`, body("group=G topic=T readable=false"))
	b.mustAsk(protocol.HeartBeat, "", heartbeatBody("cid", "G", 0, false, "T"))
	refused := b.ask(protocol.PullMessage, pullFields("T", 0, "sysFlag=0"), "")
	require.Equal(t, protocol.NoPermission, refused.Code)
	require.Equal(t, "the consumer group[G] is forbidden for topic[T]", refused.Remark)
	text, err := vfs.ReadFile(b.fs, b.Config().StorePathRootDir+"/config/subscriptionGroup.json")
	require.NoError(t, err)
	require.Contains(t, string(text), `"forbiddenTable":{"G":{"T":4}}`)
	require.Equal(t, `{"group":"G","readable":true,"topic":"T"}`, body("group=G topic=T readable=true"))
	require.Equal(t, protocol.Success, b.ask(protocol.PullMessage, pullFields("T", 0, "sysFlag=0"), "").Code)
	b.requireAnswers([]question{{"name", protocol.UpdateAndGetGroupForbidden, "group=../x topic=T readable=false", "", 29,
		`group "../x" and topic "T" cannot be the names of any`}})
}
