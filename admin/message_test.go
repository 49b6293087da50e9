// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/protocol"
	"rocketd/protocol/message"
)

var sentLine = regexp.MustCompile(`^#Broker Name                      #QID  #Send Result            #MsgId\nbroker-a                          (\d)     SEND_OK                 ([0-9A-F]{32})\n$`)

func TestSendMessage(t *testing.T) {
	c := newCluster(t)
	c.script(masterAddr, protocol.SendMessageV2, answer{fields: map[string]string{"msgId": "0A", "queueId": "5", "queueOffset": "7"}})
	out, errs, code := c.run("sendMessage", "-t", "T1", "-p", " hello ", "-k", "K1", "-c", "TagA")
	require.Regexp(t, sentLine, out)
	require.Empty(t, errs)
	require.Zero(t, code)
	parts := sentLine.FindStringSubmatch(out)
	require.Equal(t, "5", parts[1], "the broker's word counts")

	req := c.last()
	require.Equal(t, "hello", string(req.Body))
	var h protocol.SendHeader
	require.NoError(t, protocol.CodecOf[protocol.SendHeader]("v2").Decode(req.Fields, &h))
	require.Equal(t, "T1", h.Topic)
	require.Equal(t, "TBW102", h.DefaultTopic)
	require.Less(t, h.QueueID, int32(8))
	require.Equal(t, map[string]string{"KEYS": "K1", "TAGS": "TagA", "WAIT": "true", "UNIQ_KEY": parts[2]}, message.ParseProperties(h.Properties))
}

func TestSendMessageToAQueue(t *testing.T) {
	c := newCluster(t)
	c.script(masterAddr, protocol.SendMessageV2, answer{code: protocol.FlushDiskTimeout, fields: map[string]string{"queueId": "2"}})
	out, _, _ := c.run("sendMessage", "-t", "T1", "-p", "x", "-b", "broker-a", "-i", "2")
	require.Contains(t, out, "broker-a                          2     FLUSH_DISK_TIMEOUT      ")
	queue, _ := c.last().Field("e")
	require.Equal(t, "2", queue)

	out, _, code := c.run("sendMessage", "-t", "T1", "-p", "x", "-i", "2")
	require.Equal(t, "Broker name must be set if the queue is chosen!", out)
	require.Zero(t, code)
	_, errs, _ := c.run("sendMessage", "-t", "T1", "-p", "x", "-b", "nope", "-i", "2")
	require.Equal(t, "java.lang.RuntimeException: SendMessageCommand command failed\nCaused by: org.apache.rocketmq.client.exception.MQClientException: The broker[nope] not exist\n"+
		"For more information, please visit the url, https://rocketmq.apache.org/docs/bestPractice/06FAQ\n", errs)
	_, errs, _ = c.run("sendMessage", "-t", "T1", "-p", "x", "-b", "broker-a", "-i", "y")
	require.Contains(t, errs, "NumberFormatException")
}

func TestSendMessageToANewTopic(t *testing.T) {
	c := newCluster(t)
	c.script(masterAddr, protocol.SendMessageV2, answer{fields: map[string]string{"queueId": "1"}})
	out, errs, _ := c.run("sendMessage", "-t", "Fresh", "-p", "x")
	require.Regexp(t, sentLine, out)
	require.Empty(t, errs)
	var h protocol.SendHeader
	require.NoError(t, protocol.CodecOf[protocol.SendHeader]("v2").Decode(c.last().Fields, &h))
	require.Equal(t, "Fresh", h.Topic)
	require.Less(t, h.QueueID, int32(newTopicSendQueues))
}

func TestSendMessageRefused(t *testing.T) {
	c := newCluster(t)
	c.script(masterAddr, protocol.SendMessageV2, answer{code: protocol.MessageIllegal, remark: "too long"})
	out, errs, code := c.run("--strict", "sendMessage", "-t", "T1", "-p", "x")
	require.Empty(t, out)
	require.Contains(t, errs, "Caused by: org.apache.rocketmq.client.exception.MQBrokerException: CODE: 13  DESC: too long BROKER: 10.0.0.1:10911\n")
	require.Equal(t, 1, code)
	require.Len(t, c.asked, 1, "an answer is not asked for again")
	_, errs, _ = c.run("sendMessage", "-t", "T1", "-p", " ")
	require.Contains(t, errs, "the message body length is zero")
}

func TestSendMessageGoesOnToTheNextBroker(t *testing.T) {
	c := newCluster(t)
	for _, name := range []string{"broker-x", "broker-y"} {
		c.register(name, 0, "10.9.9.9:"+name[7:], "T1", "T2")
	}
	c.script(masterAddr, protocol.SendMessageV2, answer{fields: map[string]string{"queueId": "0"}})
	for range 5 {
		out, errs, _ := c.run("sendMessage", "-t", "T1", "-p", "x")
		require.Empty(t, errs)
		require.Regexp(t, sentLine, out)
	}
}
