// SPDX-License-Identifier: Apache-2.0

// GET_CONSUMER_RUNNING_INFO(307), CONSUME_MESSAGE_DIRECTLY(309): tools ask a consumer something; the broker, which holds
// the connection, passes the question on and the answer back. INVOKE_BROKER_TO_GET_CONSUMER_STATUS(223) asks several
// (221 to each). Java: AdminBrokerProcessor, Broker2Client.
// Outcomes: what the client answers; SystemError for a client that is not there or too old; ConsumeMsgTimeout.

package broker

import (
	"context"
	"errors"
	"time"

	"github.com/jonboulle/clockwork"

	"rocketd/broker/session"
	"rocketd/compat"
	"rocketd/compat/fastjson"
	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/remoting"
)

const (
	relayPatience  = 10 * time.Second
	statusPatience = 5 * time.Second

	// Client versions from which on a question is understood.
	resetSince = 28 // V3_0_7_SNAPSHOT
	relaySince = 62 // V3_1_8_SNAPSHOT
)

func (b *Broker) consumerRunningInfo(ctx context.Context, c *remoting.Call, h *protocol.ConsumerRunningInfoHeader) (*protocol.Empty, error) {
	return nil, b.relay(ctx, c, h.ConsumerGroup, h.ClientID, c.Request().Fields, c.Request().Body)
}

// consumeDirectly has a consumer consume one stored message at once.
func (b *Broker) consumeDirectly(ctx context.Context, c *remoting.Call, h *protocol.ConsumeDirectlyHeader) (*protocol.Empty, error) {
	_, phyOffset, err := message.ParseOffsetMsgID(h.MsgID)
	if err != nil {
		return nil, protocol.Errorf(protocol.SystemError, "msgId %q is not the id of a stored message: %v", h.MsgID, err)
	}
	rec, err := b.store.Record(phyOffset)
	if err != nil {
		return nil, protocol.Errorf(protocol.SystemError, "no message is stored under msgId %s", h.MsgID)
	}
	ask := protocol.Command{Fields: append([]protocol.Field(nil), c.Request().Fields...)}
	ask.SetField("brokerName", b.cfg.Load().BrokerName)
	if topic, ok := b.topics.Get(h.Topic); ok {
		ask.SetField("topicSysFlag", decimal(int64(topic.TopicSysFlag)))
	}
	if group, ok := b.groups.Get(h.ConsumerGroup); ok {
		ask.SetField("groupSysFlag", decimal(int64(group.GroupSysFlag)))
	}
	return nil, b.relay(ctx, c, h.ConsumerGroup, h.ClientID, ask.Fields, rec)
}

// relay asks a member of a group what c asks, and makes its answer c's.
func (b *Broker) relay(ctx context.Context, c *remoting.Call, group, clientID string, fields []protocol.Field, body []byte) error {
	client, ok := b.consumers.Find(group, clientID)
	if !ok {
		return protocol.Errorf(protocol.SystemError, "The Consumer <%s> <%s> not online", group, clientID)
	}
	if client.Version < relaySince {
		return protocol.Errorf(protocol.SystemError, "The Consumer <%s> Version <%s> too low to finish, please upgrade it to V3_1_8_SNAPSHOT",
			clientID, compat.VersionName(client.Version))
	}
	ctx, cancel := clockwork.WithTimeout(ctx, b.clock, relayPatience)
	defer cancel()
	answer, err := client.Peer.Call(ctx, &protocol.Command{
		Code: c.Request().Code, Language: protocol.LangJava, Version: compat.Version, Fields: fields, Body: body,
	})
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return protocol.Errorf(protocol.ConsumeMsgTimeout, "consumer <%s> <%s> Timeout: no answer within %v", group, clientID, relayPatience)
	case err != nil:
		return protocol.Errorf(protocol.SystemError, "invoke consumer <%s> <%s> Exception: %v", group, clientID, err)
	}
	c.Outcome(answer.Code, answer.Remark)
	for _, f := range answer.Fields {
		c.SetField(f.Key, f.Value)
	}
	c.SetBody(answer.Body)
	return nil
}

// consumerStatus asks the members of a group, or one of them, how far they are.
func (b *Broker) consumerStatus(ctx context.Context, c *remoting.Call, h *protocol.ConsumerStatusHeader) (*protocol.Empty, error) {
	group, ok := b.consumers.Group(h.Group)
	if !ok {
		return nil, protocol.Errorf(protocol.SystemError, "No Any Consumer online in the consumer group: [%s]", h.Group)
	}
	body := protocol.ConsumerStatus{ConsumerTable: map[string]map[protocol.MessageQueue]int64{}, MessageQueueTable: map[protocol.MessageQueue]int64{}}
	for _, client := range group.Channels() {
		if err := supportsReset(client); err != nil {
			return nil, err
		}
		if h.ClientAddr != "" && h.ClientAddr != client.ClientID {
			continue
		}
		status, err := b.clientStatus(ctx, client, h)
		if err != nil {
			b.log.Warn().Err(err).Str("group", h.Group).Str("client", client.ClientID).Msg("consumer did not say how far it is")
			continue
		}
		body.ConsumerTable[client.ClientID] = status
	}
	c.Outcome(protocol.Success, unsetRemark)
	return nil, answerJSON(c, body)
}

func (b *Broker) clientStatus(ctx context.Context, client session.Client, h *protocol.ConsumerStatusHeader) (map[protocol.MessageQueue]int64, error) {
	ctx, cancel := clockwork.WithTimeout(ctx, b.clock, statusPatience)
	defer cancel()
	answer, err := client.Peer.Call(ctx, protocol.NewRequest(protocol.GetConsumerStatusFromClient, &protocol.ClientStatusHeader{Topic: h.Topic, Group: h.Group}))
	if err != nil {
		return nil, err
	}
	if answer.Code != protocol.Success {
		return nil, &protocol.Error{Code: answer.Code, Remark: answer.Remark}
	}
	var status protocol.ClientStatus
	if err := fastjson.Unmarshal(answer.Body, &status); err != nil {
		return nil, err
	}
	return status.MessageQueueTable, nil
}

func supportsReset(client session.Client) error {
	if client.Version >= resetSince {
		return nil
	}
	return protocol.Errorf(protocol.SystemError, "the client does not support this feature. version=%s", compat.VersionName(client.Version))
}
