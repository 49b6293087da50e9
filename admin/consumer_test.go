// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rocketd/protocol"
)

const (
	groupsHead   = "#Group                                                            #Count  #Version                 #Type  #Model          #TPS     #Diff Total\n"
	progressHead = "#Topic                                                            #Broker Name                      #QID  #Broker Offset        #Consumer Offset      #Diff                #Inflight           #LastTime\n"
	someProgress = `{"consumeTps":2.5,"offsetTable":{{"brokerName":"broker-a","queueId":1,"topic":"T1"}:{"brokerOffset":339,"consumerOffset":250,"lastTimestamp":1795479349985,"pullOffset":260},` +
		`{"brokerName":"broker-a","queueId":0,"topic":"T1"}:{"brokerOffset":5,"consumerOffset":5,"lastTimestamp":0,"pullOffset":5}}}`
)

func TestConsumerProgressOfAGroup(t *testing.T) {
	c := newCluster(t)
	c.script(masterAddr, protocol.GetConsumeStats, answer{body: someProgress})
	out, errs, code := c.run("consumerProgress", "-g", "g1")
	require.Equal(t, progressHead+
		"T1                                                                broker-a                          0     5                     5                     0                    0                    N/A\n"+
		"T1                                                                broker-a                          1     339                   250                   89                   10                   "+moment(1795479349985, time.DateTime)+"\n"+
		"\nConsume TPS: 2.50\nConsume Diff Total: 89\nConsume Inflight Total: 10\n", out)
	require.Empty(t, errs)
	require.Zero(t, code)
	_, asked := c.last().Field("topic")
	require.False(t, asked, "all topics")

	_, errs, _ = c.run("consumerProgress", "-g", "nobody", "-t", "T1")
	require.Empty(t, errs, "the topic's route serves when the group has no retry topic")
	topic, _ := c.last().Field("topic")
	require.Equal(t, "T1", topic)
	_, errs, _ = c.run("consumerProgress", "-g", "nobody")
	require.Contains(t, errs, "ConsumerProgressSubCommand command failed\nCaused by: org.apache.rocketmq.client.exception.MQClientException: CODE: 17  DESC: No topic route info in name server for the topic: %RETRY%nobody\n")
}

func TestConsumerProgressOfAGroupWithoutOffsets(t *testing.T) {
	c := newCluster(t)
	c.script(masterAddr, protocol.GetConsumeStats, answer{body: `{"consumeTps":0.0,"offsetTable":{}}`})
	c.script(masterAddr, protocol.GetConsumerConnectionList, answer{code: protocol.ConsumerNotOnline, remark: "not online"})
	_, errs, _ := c.run("consumerProgress", "-g", "g1")
	require.Contains(t, errs, "CODE: 206  DESC: Not found the consumer group consume stats, because return offset table is empty, maybe the consumer not online")
	c.script(masterAddr, protocol.GetConsumerConnectionList, answer{body: `{"connectionSet":[{"clientId":"a"}],"messageModel":"BROADCASTING"}`})
	_, errs, _ = c.run("consumerProgress", "-g", "g1")
	require.Contains(t, errs, "CODE: 213  DESC: Not found the consumer group consume stats, because return offset table is empty, the consumer is under the broadcast mode")
	c.script(masterAddr, protocol.GetConsumerConnectionList, answer{body: `{"connectionSet":[{"clientId":"a"}],"messageModel":"CLUSTERING"}`})
	out, errs, _ := c.run("consumerProgress", "-g", "g1")
	require.Empty(t, errs)
	require.Equal(t, progressHead+"\nConsume TPS: 0.00\nConsume Diff Total: 0\nConsume Inflight Total: 0\n", out)
}

func TestConsumerProgressOfAllGroups(t *testing.T) {
	c := newCluster(t)
	c.script(masterAddr, protocol.GetConsumeStats, answer{body: someProgress})
	c.script(masterAddr, protocol.GetConsumerConnectionList, answer{body: `{"connectionSet":[{"clientAddr":"x","clientId":"a","language":"JAVA","version":513},{"clientId":"b","language":"GO","version":317}],"consumeType":"CONSUME_PASSIVELY","messageModel":"CLUSTERING"}`})
	out, errs, code := c.run("consumerProgress")
	line := "                                                                2       V4_5_2                   PUSH   CLUSTERING      2        89\n"
	require.Equal(t, groupsHead+"g0"+line+"g1"+line, out)
	require.Empty(t, errs)
	require.Zero(t, code)

	c.script(masterAddr, protocol.GetConsumerConnectionList, answer{code: protocol.ConsumerNotOnline, remark: "not online"})
	out, _, _ = c.run("consumerProgress")
	line = "                                                                0       OFFLINE                                         2        89\n"
	require.Equal(t, groupsHead+"g0"+line+"g1"+line, out)

	c.script(masterAddr, protocol.GetConsumerConnectionList, answer{body: `{"connectionSet":[{"clientId":"a","version":513}],"consumeType":"CONSUME_ACTIVELY","messageModel":"CLUSTERING"}`})
	out, _, _ = c.run("consumerProgress")
	require.Contains(t, out, "1       V5_5_0                   PULL                   2        89\n")
}

func TestGroupOfRetryTopic(t *testing.T) {
	require.Equal(t, "g", groupOfRetryTopic("%RETRY%g"))
	require.Equal(t, "g", groupOfRetryTopic("%RETRY%g+T"))
	require.Equal(t, "g_T", groupOfRetryTopic("%RETRY%g_T"))
}
