// SPDX-License-Identifier: Apache-2.0

// SEND_REPLY_MESSAGE(324), SEND_REPLY_MESSAGE_V2(325): the answer to a message that a producer waits for. It is pushed to
// that producer (PUSH_REPLY_MESSAGE_TO_CLIENT, 326), and stored in <cluster>_REPLY_TOPIC with storeReplyMessageEnable.
// Java: ReplyMessageProcessor.
// Outcomes: Success once the producer has it; SystemError when it is gone or does not take it; else as SEND_MESSAGE.

package broker

import (
	"context"
	"strconv"

	"github.com/jonboulle/clockwork"

	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/remoting"
)

func (b *Broker) sendReply(ctx context.Context, c *remoting.Call, h *protocol.SendHeader) (*protocol.SendResult, error) {
	cfg := b.cfg.Load()
	c.SetField(protocol.ExtRegion, cfg.RegionID)
	c.SetField(protocol.ExtTraceOn, boolText(cfg.TraceOn))
	if err := b.checkSend(cfg, h); err != nil {
		return nil, err
	}
	if len(c.Request().Body) == 0 {
		return nil, b.illegal()
	}
	topic, err := b.topicForSend(cfg, h)
	if err != nil {
		return nil, err
	}
	queueID, err := b.sendQueue(c, h, topic)
	if err != nil {
		return nil, err
	}
	h.Properties = replyProperties(cfg, h.Properties)
	result := &protocol.SendResult{MsgID: "0", QueueID: queueID}
	pushed := b.pushReply(ctx, c, h, queueID)
	if cfg.StoreReplyMessageEnable {
		if err := b.storeReply(c, h, queueID, result); err != nil {
			b.log.Warn().Err(err).Str("topic", h.Topic).Msg("reply could not be stored") // the producer may have it all the same
			if pushed != nil {
				result = nil
			}
		}
	}
	return result, pushed
}

// replyProperties are those that the producer and the store get.
func replyProperties(cfg *Config, text string) string {
	own := message.AppendProperty([]byte(readProps(text).text), message.PropMsgRegion, cfg.RegionID)
	return string(message.AppendProperty(own, message.PropTraceOn, boolText(cfg.TraceOn)))
}

// pushReply brings the reply to the client that its property REPLY_TO_CLIENT names.
func (b *Broker) pushReply(ctx context.Context, c *remoting.Call, h *protocol.SendHeader, queueID int32) error {
	clientID, ok := message.Property(h.Properties, message.PropReplyToClient)
	if !ok {
		return protocol.Errorf(protocol.SystemError, "reply message properties[%s] is null", message.PropReplyToClient)
	}
	client, ok := b.producers.Find(clientID)
	if !ok {
		return protocol.Errorf(protocol.SystemError, "push reply message fail, channel of <%s> not found.", clientID)
	}
	req := protocol.NewRequest(protocol.PushReplyMessageToClient, &protocol.PushReplyHeader{
		ProducerGroup: h.ProducerGroup, Topic: h.Topic, DefaultTopic: h.DefaultTopic, DefaultTopicQueueNums: h.DefaultTopicQueueNums,
		QueueID: queueID, SysFlag: h.SysFlag, BornTimestampMs: h.BornTimestampMs, Flag: h.Flag,
		Properties:     message.SetProperty(h.Properties, message.PropPushReplyTime, strconv.FormatInt(b.nowMs(), 10)),
		ReconsumeTimes: h.ReconsumeTimes, UnitMode: h.UnitMode,
		BornHost: peerAddr(c), StoreHost: b.storeHost.String(), StoreTimestampMs: b.nowMs(),
	})
	req.Body = c.Request().Body
	ctx, cancel := clockwork.WithTimeout(ctx, b.clock, relayPatience)
	defer cancel()
	answer, err := client.Peer.Call(ctx, req)
	if err != nil || answer.Code != protocol.Success {
		b.log.Warn().Err(err).Str("client", clientID).Msg("reply could not be pushed")
		return protocol.Errorf(protocol.SystemError, "push reply message to %sfail.", clientID)
	}
	return nil
}

func (b *Broker) storeReply(c *remoting.Call, h *protocol.SendHeader, queueID int32, result *protocol.SendResult) error {
	if p := readProps(h.Properties); p.innerNum {
		return b.illegal()
	}
	const packing = message.FlagCompressed | message.CompressMask // what else there may be would make it another kind of record
	receipt, err := b.store.Put(&message.Message{
		Topic: h.Topic, QueueID: queueID, Flag: h.Flag, SysFlag: h.SysFlag & packing, BornTimestampMs: h.BornTimestampMs,
		BornHost: bornHost(c), StoreHost: b.storeHost, ReconsumeTimes: h.ReconsumeTimes, Body: c.Request().Body, Properties: h.Properties,
	})
	if err != nil {
		return b.putOutcome(err)
	}
	b.stats.Put(h.Topic, 1, int64(receipt.Size))
	result.MsgID, result.QueueOffset = message.OffsetMsgID(b.storeHost, receipt.PhyOffset), receipt.QueueOffset
	return nil
}
