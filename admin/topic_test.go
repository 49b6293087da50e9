// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/internal/testkit"
	"rocketd/protocol"
)

func TestUpdateTopicInCluster(t *testing.T) {
	c := newCluster(t)
	out, errs, code := c.run("updatetopic", "-c", "DefaultCluster", "-t", " T2 ", "-r", "4", "-w", "3", "-p", "4", "-u", "true", "-s", "true")
	require.Equal(t, "create topic to 10.0.0.1:10911 success.\n"+
		"TopicConfig [topicName=T2, readQueueNums=4, writeQueueNums=3, perm=R--, topicFilterType=SINGLE_TAG, topicSysFlag=3, order=false, attributes={}]\n", out)
	require.Empty(t, errs)
	require.Zero(t, code)
	var h protocol.CreateTopicHeader
	require.NoError(t, protocol.CodecOf[protocol.CreateTopicHeader]("rmq").Decode(c.last().Fields, &h))
	flag := int32(3)
	require.Equal(t, protocol.CreateTopicHeader{
		Topic: "T2", DefaultTopic: "TBW102", ReadQueueNums: 4, WriteQueueNums: 3, Perm: 4, TopicFilterType: "SINGLE_TAG", TopicSysFlag: &flag,
	}, h)
}

func TestUpdateTopicAtBroker(t *testing.T) {
	c := newCluster(t)
	out, _, _ := c.run("updateTopic", "-b", masterAddr, "-t", "T3", "-a", "+message.type=FIFO,-reserve.time")
	require.Equal(t, "create topic to 10.0.0.1:10911 success.\n"+
		"TopicConfig [topicName=T3, readQueueNums=8, writeQueueNums=8, perm=RW-, topicFilterType=SINGLE_TAG, topicSysFlag=0, order=false, attributes={+message.type=FIFO, -reserve.time=}]\n", out)
	attributes, _ := c.last().Field("attributes")
	require.Equal(t, "+message.type=FIFO,-reserve.time", attributes)
}

func TestUpdateTopicInUnknownCluster(t *testing.T) {
	c := newCluster(t)
	out, _, code := c.run("updateTopic", "-c", "Nope", "-t", "T6")
	require.Equal(t, "[error] Make sure the specified clusterName exists or the name server connected to is correct."+
		"TopicConfig [topicName=T6, readQueueNums=8, writeQueueNums=8, perm=RW-, topicFilterType=SINGLE_TAG, topicSysFlag=0, order=false, attributes={}]\n", out)
	require.Zero(t, code)
	require.Empty(t, c.asked)
}

func TestOrderedTopics(t *testing.T) {
	c := newCluster(t)
	out, errs, _ := c.run("updateTopic", "-b", masterAddr, "-t", "O", "-o", "true")
	require.Contains(t, out, "set broker orderConf. isOrder=true, orderConf=[broker-a:8]\ncreate topic to 10.0.0.1:10911 success.\n")
	require.Contains(t, errs, "CODE: 22  DESC: No config item, Namespace: ORDER_TOPIC_CONFIG Key: O", "Java complains so too")
	require.Equal(t, "broker-a:8", c.order("O"))

	c.broker("10.0.1.1:10911")
	c.register("broker-b", 0, "10.0.1.1:10911")
	_, errs, _ = c.run("updateTopic", "-b", "10.0.1.1:10911", "-t", "O", "-o", "true", "-w", "2")
	require.Empty(t, errs)
	require.Equal(t, "broker-a:8;broker-b:2", c.order("O"))

	out, _, _ = c.run("updateTopic", "-c", "DefaultCluster", "-t", "O", "-o", "true", "-w", "4")
	require.Contains(t, out, "create topic to 10.0.0.1:10911 success.\ncreate topic to 10.0.1.1:10911 success.\n"+
		"set cluster orderConf. isOrder=true, orderConf=[broker-a:4;broker-b:4]\n")
	require.Equal(t, "broker-a:4;broker-b:4", c.order("O"))
}

func TestUpdateTopicFailures(t *testing.T) {
	c := newCluster(t)
	c.script(masterAddr, protocol.UpdateAndCreateTopic, answer{code: protocol.InvalidParameter, remark: "bad name"})
	const head = "org.apache.rocketmq.tools.command.SubCommandException: UpdateTopicSubCommand command failed\nCaused by: "
	for want, args := range map[string][]string{
		"org.apache.rocketmq.client.exception.MQClientException: CODE: 29  DESC: bad name\nFor more information, please visit the url, https://rocketmq.apache.org/docs/bestPractice/06FAQ\n": {"-t", "T"},
		"java.lang.RuntimeException: add/alter attribute format is wrong: message.type\n":                                                                                                     {"-t", "T", "-a", "message.type=FIFO"},
		"java.lang.RuntimeException: delete attribute format is wrong: x\n":                                                                                                                   {"-t", "T", "-a", "x"},
		"java.lang.RuntimeException: key duplication: +x\n":                                                                                                                                   {"-t", "T", "-a", "+x=1,+x=2"},
		"java.lang.NumberFormatException: For input string: \"x\"\n":                                                                                                                          {"-t", "T", "-r", "x"},
		"java.lang.NumberFormatException: For input string: \"99999999999\"\n":                                                                                                                {"-t", "T", "-w", "99999999999"},
	} {
		out, errs, code := c.run(append([]string{"updateTopic", "-c", "DefaultCluster"}, args...)...)
		require.Equal(t, head+want, errs)
		require.Empty(t, out)
		require.Zero(t, code)
	}
}

func TestDeleteTopic(t *testing.T) {
	c := newCluster(t)
	out, errs, code := c.run("deleteTopic", "-t", "T1", "-c", "DefaultCluster")
	require.Equal(t, "delete topic [T1] from cluster [DefaultCluster] success.\ndelete topic [T1] from NameServer success.\n", out)
	require.Empty(t, errs)
	require.Zero(t, code)
	require.Equal(t, protocol.DeleteTopicInBroker, c.last().Code)
	out, _, _ = c.run("topicList")
	require.NotContains(t, out, "T1\n")

	out, _, _ = c.run("deleteTopic", "-t", "T1", "-c", "Nope")
	require.Equal(t, "[error] Make sure the specified clusterName exists or the name server connected to is correct."+
		"delete topic [T1] from cluster [Nope] success.\ndelete topic [T1] from NameServer success.\n", out)
	c.script(masterAddr, protocol.DeleteTopicInBroker, answer{code: protocol.InvalidParameter, remark: "a system topic"})
	_, errs, _ = c.run("deleteTopic", "-t", "TBW102", "-c", "DefaultCluster")
	require.Contains(t, errs, "CODE: 29  DESC: a system topic")
}

// The file is what Java 5.5.0 prints, but for the addresses.
func TestTopicRoute(t *testing.T) {
	c := newCluster(t)
	out, errs, code := c.run("topicRoute", "-t", "T1")
	require.Equal(t, testkit.Recorded(t, "topicRoute.txt"), out)
	require.Empty(t, errs)
	require.Zero(t, code)
	out, _, _ = c.run("topicRoute", "-l", "-t", "T1")
	require.Equal(t, testkit.Recorded(t, "topicRoute-l.txt"), out)
	_, errs, _ = c.run("topicRoute", "-t", "Missing")
	require.Equal(t, "org.apache.rocketmq.tools.command.SubCommandException: TopicRouteSubCommand command failed\n"+
		"Caused by: org.apache.rocketmq.client.exception.MQClientException: CODE: 17  DESC: No topic route info in name server for the topic: Missing\n"+
		"See https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.\n", errs)
}

func TestOptionsWhoseRequestsAreNotServedYet(t *testing.T) {
	c := newCluster(t)
	_, errs, code := c.run("topicList", "-c")
	require.Contains(t, errs, "topicList -c needs QUERY_TOPIC_CONSUME_BY_WHO(300), which is not served yet.")
	require.Zero(t, code)
	_, errs, _ = c.run("consumerProgress", "-g", "g1", "-s", "true")
	require.Contains(t, errs, "consumerProgress -s needs GET_CONSUMER_RUNNING_INFO(307), which is not served yet.")
}

func TestTopicStatus(t *testing.T) {
	t.Setenv("TZ", "UTC")
	c := newCluster(t)
	c.script(masterAddr, protocol.GetTopicStatsInfo, answer{body: `{"offsetTable":{` +
		`{"brokerName":"broker-a","queueId":10,"topic":"T1"}:{"lastUpdateTimestamp":0,"maxOffset":0,"minOffset":0},` +
		`{"brokerName":"broker-a","queueId":2,"topic":"T1"}:{"lastUpdateTimestamp":1795479349985,"maxOffset":5,"minOffset":1}},"topicPutTps":0.5}`})
	at := moment(1795479349985, "2006-01-02 15:04:05,000")
	want := "#Broker Name                      #QID  #Min Offset           #Max Offset             #Last Updated\n" +
		"broker-a                          2     1                     5                       " + at + "\n" +
		"broker-a                          10    0                     0                       \n" +
		"\nTopic Put TPS: 0.5\n"
	out, errs, _ := c.run("topicStatus", "-t", "T1")
	require.Equal(t, want, out)
	require.Empty(t, errs)
	out, _, _ = c.run("topicStatus", "-t", "%LMQ%x", "-c", "T1")
	require.Equal(t, want, out, "the route is that of another topic")
	topic, _ := c.last().Field("topic")
	require.Equal(t, "%LMQ%x", topic)

	c.script(masterAddr, protocol.GetTopicStatsInfo, answer{body: `{"offsetTable":{},"topicPutTps":0.0}`})
	_, errs, _ = c.run("topicStatus", "-t", "T1")
	require.Contains(t, errs, "MQClientException: Not found the topic stats info")
	c.script(masterAddr, protocol.GetTopicStatsInfo, answer{body: `{{{`})
	_, errs, _ = c.run("topicStatus", "-t", "T1")
	require.Contains(t, errs, "the answer cannot be read")
}
