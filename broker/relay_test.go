// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rocketd/protocol"
	"rocketd/protocol/message"
)

// replying lets the client answer every call with this.
func (b *bareBroker) replying(code int32, body string) {
	b.peer.answer = func(req *protocol.Command) (*protocol.Command, error) {
		return &protocol.Command{Code: code, Remark: "said the client", Body: []byte(body), Fields: []protocol.Field{{Key: "k", Value: "v"}}}, nil
	}
}

func TestRelaysToAConsumer(t *testing.T) {
	b := newBareBroker(t, nil)
	b.mustAsk(protocol.HeartBeat, "", heartbeatBody("cid", "CG", 0, false, "T"))
	b.replying(0, `{"jstack":"x"}`)
	answer := b.ask(protocol.GetConsumerRunningInfo, "consumerGroup=CG clientId=cid jstackEnable=true", "")
	require.Equal(t, protocol.Success, answer.Code)
	require.Equal(t, `{"jstack":"x"}`, string(answer.Body))
	requireFields(t, answer, "k=v")
	asked := b.peer.sent[len(b.peer.sent)-1]
	require.Equal(t, protocol.GetConsumerRunningInfo, asked.Code)
	value, _ := asked.Field("jstackEnable")
	require.Equal(t, "true", value)

	b.replying(77, "")
	answer = b.ask(protocol.GetConsumerRunningInfo, "consumerGroup=CG clientId=cid", "")
	require.EqualValues(t, 77, answer.Code, "the client's own answer")
	require.Equal(t, "said the client", answer.Remark)
	b.peer.answer = func(*protocol.Command) (*protocol.Command, error) { return nil, context.DeadlineExceeded }
	require.Equal(t, protocol.ConsumeMsgTimeout, b.ask(protocol.GetConsumerRunningInfo, "consumerGroup=CG clientId=cid", "").Code)
	b.requireAnswers([]question{
		{"offline", protocol.GetConsumerRunningInfo, "consumerGroup=CG clientId=other", "", 1, "The Consumer <CG> <other> not online"},
		{"no such message", protocol.ConsumeMessageDirectly, "consumerGroup=CG clientId=cid msgId=7F00000100002A9F0000000000001000", "", 1,
			"no message is stored under msgId 7F00000100002A9F0000000000001000"},
	})
	require.Equal(t, protocol.SystemError, b.ask(protocol.ConsumeMessageDirectly, "consumerGroup=CG clientId=cid msgId=xyz", "").Code)
}

func TestConsumeDirectlyBringsTheMessage(t *testing.T) {
	b := newBareBroker(t, nil)
	id, _ := b.mustSend("T", "", "m0").Field("msgId")
	b.mustAsk(protocol.HeartBeat, "", heartbeatBody("cid", "CG", 0, false, "T"))
	b.replying(0, `{"consumeResult":"CR_SUCCESS"}`)
	answer := b.ask(protocol.ConsumeMessageDirectly, "consumerGroup=CG clientId=cid topic=T msgId="+id, "")
	require.Equal(t, `{"consumeResult":"CR_SUCCESS"}`, string(answer.Body))
	asked := b.peer.sent[len(b.peer.sent)-1]
	require.Equal(t, []string{"m0"}, bodiesOf(t, asked.Body))
	broker, _ := asked.Field("brokerName")
	require.Equal(t, "broker-a", broker)
}

func TestConsumerStatus(t *testing.T) {
	b := newBareBroker(t, nil)
	b.mustAsk(protocol.HeartBeat, "", heartbeatBody("cid", "CG", 0, false, "T"))
	b.replying(0, `{"messageQueueTable":{{"brokerName":"broker-a","queueId":1,"topic":"T"}:5}}`)
	answer := b.ask(protocol.InvokeBrokerToGetConsumerStatus, "group=CG topic=T", "")
	require.Equal(t, `{"consumerTable":{"cid":{{"brokerName":"broker-a","queueId":1,"topic":"T"}:5}},"messageQueueTable":{}}`, string(answer.Body))
	b.requireAnswers([]question{{"nobody", protocol.InvokeBrokerToGetConsumerStatus, "group=X topic=T", "", 1, "No Any Consumer online in the consumer group: [X]"}})
}

func TestReplyReachesTheProducer(t *testing.T) {
	b := newBareBroker(t, nil)
	b.mustAsk(protocol.HeartBeat, "", heartbeatBody("requester", "CG", 0, false, "T")) // which is a producer of P, too
	b.replying(0, "")
	topic := b.Config().BrokerClusterName + message.ReplyTopicSuffix
	answer := b.ask(protocol.SendReplyMessage, sendFields(topic, "properties="+props("REPLY_TO_CLIENT=requester CORRELATION_ID=7")), "the reply")
	require.Equal(t, protocol.Success, answer.Code, answer.Remark)
	pushed := b.peer.sent[len(b.peer.sent)-1]
	require.Equal(t, protocol.PushReplyMessageToClient, pushed.Code)
	require.Equal(t, "the reply", string(pushed.Body))
	properties, _ := pushed.Field("properties")
	correlation, _ := message.Property(properties, "CORRELATION_ID")
	require.Equal(t, "7", correlation)
	require.Equal(t, "the reply", string(b.stored(answer).Body), "storeReplyMessageEnable")
	answer = b.ask(protocol.SendReplyMessage, sendFields(topic, "sysFlag=453 properties="+props("REPLY_TO_CLIENT=requester")), "packed") // 0x1C5
	require.Equal(t, message.FlagCompressed|message.CompressLZ4, b.stored(answer).SysFlag, "nothing that makes it half a transaction or a batch")
	answer = b.ask(protocol.SendReplyMessage, sendFields(topic, "properties="+props("REPLY_TO_CLIENT=gone INNER_NUM=2")), "numbered")
	_, kept := answer.Field("msgId")
	require.False(t, kept, "a reply that is neither pushed nor stored")

	b.requireAnswers([]question{
		{"nobody", protocol.SendReplyMessage, sendFields(topic, "properties="+props("REPLY_TO_CLIENT=gone")), "x", 1, "push reply message fail, channel of <gone> not found."},
		{"to nobody", protocol.SendReplyMessage, sendFields(topic, ""), "x", 1, "reply message properties[REPLY_TO_CLIENT] is null"},
	})
	b.replying(1, "")
	answer = b.ask(protocol.SendReplyMessageV2, "a=P b="+topic+" c=TBW102 d=4 e=0 f=0 g=1 h=0 i="+props("REPLY_TO_CLIENT=requester"), "x")
	require.Equal(t, "push reply message to requesterfail.", answer.Remark)
}

// Who asks something of a client that is silent is answered when Java would be. conformance/wire has Java's answers.
func TestSilentClientsHoldUpNobody(t *testing.T) {
	b := newBareBroker(t, nil)
	id, _ := b.mustSend("T", "", "m0").Field("msgId")
	b.mustAsk(protocol.HeartBeat, "", heartbeatBody("cid", "CG", 0, false, "T"))
	b.peer.silent = true
	for name, c := range map[string]struct {
		code   int32
		fields string
		after  time.Duration
		answer int32
		remark string
	}{
		"running info": {protocol.GetConsumerRunningInfo, "consumerGroup=CG clientId=cid", 10 * time.Second, protocol.ConsumeMsgTimeout, "consumer <CG> <cid> Timeout: no answer within 10s"},
		"a message": {protocol.ConsumeMessageDirectly, "consumerGroup=CG clientId=cid topic=T msgId=" + id, 10 * time.Second, protocol.ConsumeMsgTimeout,
			"consumer <CG> <cid> Timeout: no answer within 10s"},
		"status": {protocol.InvokeBrokerToGetConsumerStatus, "group=CG topic=T", 5 * time.Second, protocol.Success, unsetRemark},
		"a reply": {protocol.SendReplyMessage, sendFields("T", "properties="+props("REPLY_TO_CLIENT=cid")), 10 * time.Second, protocol.SystemError,
			"push reply message to cidfail."},
	} {
		t.Run(name, func(t *testing.T) {
			done := make(chan *protocol.Command, 1)
			go func() { done <- b.ask(c.code, c.fields, "body") }()
			waits, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			require.NoError(t, b.clock.BlockUntilContext(waits, 1))
			b.clock.Advance(c.after - time.Millisecond)
			require.NoError(t, b.clock.BlockUntilContext(waits, 1), "it still waits")
			b.clock.Advance(time.Millisecond)
			answer := <-done
			require.Equal(t, c.answer, answer.Code)
			require.Equal(t, c.remark, answer.Remark)
		})
	}
}
