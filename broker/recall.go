// SPDX-License-Identifier: Apache-2.0

// RECALL_MESSAGE(370), sent by producers with the handle that the answer to a send for a time of its own had. A message that
// takes it back waits for the same time. Java: RecallMessageProcessor.
// Outcomes: Success, whether or not such a message waits; NoPermission unless recallMessageEnable=true; ServiceNotAvailable;
// TopicNotExist; IllegalOperation for a handle that is none, or another topic's or broker's, or of a time that is past;
// SystemError when it cannot be stored.

package broker

import (
	"context"
	"strconv"

	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/remoting"
)

const recallTag = "_RECALL_TAG_"

func (b *Broker) recallMessage(_ context.Context, c *remoting.Call, h *protocol.RecallMessageHeader) (*protocol.RecallMessageResult, error) {
	cfg := b.cfg.Load()
	c.SetField(protocol.ExtRegion, cfg.RegionID)
	handle, err := b.checkRecall(cfg, h)
	if err != nil {
		return nil, err
	}
	c.Outcome(protocol.Success, unsetRemark)
	return nil, remoting.Detach(func() (any, error) { // the log may have to wait for room
		if err := b.takeBack(c, cfg, h, handle); err != nil {
			b.log.Warn().Err(err).Str("topic", h.Topic).Str("uniqKey", handle.UniqKey).Msg("a message could not be taken back")
			return nil, protocol.Errorf(protocol.SystemError, "recall failed, execute error")
		}
		return &protocol.RecallMessageResult{MsgID: handle.UniqKey}, nil
	})
}

func (b *Broker) checkRecall(cfg *Config, h *protocol.RecallMessageHeader) (handle protocol.RecallHandle, err error) {
	refuse := func(code int32, why string) (protocol.RecallHandle, error) {
		return handle, protocol.Errorf(code, "recall failed, %s", why)
	}
	switch {
	case !cfg.RecallMessageEnable:
		return refuse(protocol.NoPermission, "operation is forbidden")
	case b.nowMs() < cfg.StartAcceptSendRequestTimeMs, cfg.BrokerPermission&protocol.PermWrite == 0 && !cfg.AllowRecallWhenBrokerNotWriteable:
		return refuse(protocol.ServiceNotAvailable, "broker service not available")
	}
	if _, known := b.topics.Get(h.Topic); !known {
		return refuse(protocol.TopicNotExist, "the topic["+h.Topic+"] not exist")
	}
	if handle, err = protocol.ParseRecallHandle(h.RecallHandle); err != nil {
		return handle, protocol.Errorf(protocol.IllegalOperation, "%v", err)
	}
	timeMs, err := strconv.ParseInt(handle.TimeText, 10, 64)
	left := timeMs - b.nowMs()
	switch {
	case handle.Topic != h.Topic:
		return refuse(protocol.IllegalOperation, "topic not match")
	case handle.BrokerName != cfg.BrokerName:
		return refuse(protocol.IllegalOperation, "broker service not available")
	case err != nil || timeMs < 0 || left <= 0 || left >= int64(cfg.TimerMaxDelaySec)*1000:
		return refuse(protocol.IllegalOperation, "timestamp invalid")
	}
	return handle, nil
}

// takeBack stores the message that takes another back.
func (b *Broker) takeBack(c *remoting.Call, cfg *Config, h *protocol.RecallMessageHeader, handle protocol.RecallHandle) error {
	nowMs := b.nowMs()
	m := message.Message{
		Topic: handle.Topic, BornTimestampMs: nowMs, BornHost: bornHost(c), StoreHost: b.storeHost, Body: []byte("0"),
	}
	var text []byte
	for _, pair := range [...][2]string{
		{message.PropTags, recallTag}, {message.PropTimerDelUniqKey, handle.UniqKey}, {message.PropUniqKey, handle.UniqKey},
		{message.PropTimerDeliverMs, handle.TimeText}, {"BORN_TIMESTAMP", strconv.FormatInt(nowMs, 10)}, {message.PropProducerGroup, h.ProducerGroup},
	} {
		if pair[1] != "" {
			text = message.AppendProperty(text, pair[0], pair[1])
		}
	}
	m.Properties = string(text)
	if err := b.timeBy(&m, &timerProps{deliverMs: handle.TimeText, takesBack: true}); err != nil {
		return err
	}
	receipt, err := b.store.Put(&m)
	if err != nil {
		return err
	}
	b.stats.Put(m.Topic, 1, int64(receipt.Size))
	return nil
}
