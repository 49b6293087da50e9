// SPDX-License-Identifier: Apache-2.0

// END_TRANSACTION(37), sent by producers, mostly one-way; RESUME_CHECK_HALF_MESSAGE(323), sent by tools;
// CHECK_TRANSACTION_STATE(39), sent to producers. Java: EndTransactionProcessor, AdminBrokerProcessor,
// AbstractTransactionalMessageCheckListener, Broker2Client.
// Outcomes of 37: Success; InvalidParameter for a decision that is none; SystemError for a half message that is not there or
// another one; IllegalOperation after the time that the message sets itself; the refusals of a put.
// Deviations: only a record of the half topic is one of a half message; a decision that is none is answered.

package broker

import (
	"context"
	"errors"
	"time"

	"rocketd/broker/txn"
	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/remoting"
	"rocketd/store"
)

func (b *Broker) newTransactions() *txn.Service {
	return txn.New(txn.Deps{
		Log: b.store, Offsets: b.offsets, Limits: b.transactionLimits, Host: b.storeHost, Ask: b.askProducer,
		Place: b.delayCommitted,
		GiveUp: func() error {
			_, err := b.ensureTopic(protocol.NewTopicConfig(message.TransCheckMaxTimeTopic, 1, 1, protocol.PermRead|protocol.PermWrite))
			return err
		},
		Clock: b.clock, Logger: b.deps.Log.With().Str("part", "transaction").Logger(),
	})
}

// delayCommitted has a committed message wait that was sent with a delay. One whose time cannot be, any more, does not.
func (b *Broker) delayCommitted(m *message.Message) {
	p := readProps(m.Properties)
	level, err := p.delayLevel()
	switch {
	case err != nil:
	case level > 0:
		b.delayBy(m, level, p.timer.asked())
	case p.timer.asked() && !p.fired:
		if err := b.timeBy(m, &p.timer); err != nil {
			b.log.Warn().Err(err).Str("topic", m.Topic).Str("uniqKey", m.UniqKey()).Msg("a committed message is delivered at once")
		}
	}
}

// transactionLimits is the settings, within what can work: they may be changed to anything at run time.
func (b *Broker) transactionLimits() txn.Limits {
	cfg := b.cfg.Load()
	ms := func(n, least int64) time.Duration {
		return time.Duration(min(max(n, least), int64(time.Hour/time.Millisecond)*24*365)) * time.Millisecond
	}
	return txn.Limits{
		Timeout: ms(cfg.TransactionTimeOut, 0), Every: ms(cfg.TransactionCheckInterval, 100), MaxChecks: int(cfg.TransactionCheckMax),
		MaxAge:     time.Duration(cfg.FileReservedTime) * time.Hour,
		OpMaxBytes: int(min(max(cfg.TransactionOpMsgMaxSize, 1), int32(cfg.MaxMessageSize/2))), OpEvery: ms(cfg.TransactionOpBatchInterval, 1),
	}
}

func (b *Broker) endTransaction(_ context.Context, c *remoting.Call, h *protocol.EndTransactionHeader) (*protocol.Empty, error) {
	if h.CommitOrRollback != protocol.TransactionCommit && h.CommitOrRollback != protocol.TransactionRollback {
		return nil, protocol.Errorf(protocol.InvalidParameter, "commitOrRollback=%d: %d (commit) or %d (rollback) is meant",
			h.CommitOrRollback, protocol.TransactionCommit, protocol.TransactionRollback)
	}
	half, err := b.halfMessage(h)
	if err != nil {
		return nil, err
	}
	if h.CommitOrRollback == protocol.TransactionRollback {
		c.Outcome(protocol.Success, unsetRemark)
		err = b.transactions.Rollback(half)
	} else {
		err = b.transactions.Commit(half)
	}
	if errors.Is(err, txn.ErrNoTarget) || errors.Is(err, txn.ErrOpsPending) {
		return nil, protocol.Errorf(protocol.SystemError, "the half message at %d cannot be ended: %v", h.CommitLogOffset, err)
	}
	if err != nil {
		return nil, b.putOutcome(err)
	}
	return nil, nil
}

// halfMessage is the one that a decision is about.
func (b *Broker) halfMessage(h *protocol.EndTransactionHeader) (*message.Message, error) {
	half, err := b.store.Message(h.CommitLogOffset)
	if errors.Is(err, store.ErrNotFound) || err == nil && half.Topic != message.HalfTopic {
		return nil, protocol.Errorf(protocol.SystemError, "Find prepared transaction message failed")
	}
	if err != nil {
		return nil, err
	}
	if !h.FromTransactionCheck && txn.TooLate(half, b.clock.Now(), b.transactionLimits().Timeout) {
		return nil, &protocol.Error{Code: protocol.IllegalOperation, Remark: unsetRemark}
	}
	if group, _ := half.Property(message.PropProducerGroup); group != h.ProducerGroup {
		return nil, protocol.Errorf(protocol.SystemError, "The producer group wrong")
	}
	if half.QueueOffset != h.TranStateTableOffset {
		return nil, protocol.Errorf(protocol.SystemError, "The transaction state table offset wrong")
	}
	return half, nil
}

// askProducer asks a member of the group that sent a half message what has become of it.
func (b *Broker) askProducer(half *message.Message) {
	group, _ := half.Property(message.PropProducerGroup)
	req, err := checkRequest(half, b.cfg.Load().BrokerName)
	if err != nil {
		b.log.Error().Err(err).Str("group", group).Msg("a half message cannot be asked about")
		return
	}
	members := b.producers.Channels(group)
	first := int(b.pick(int32(len(members))))
	for i := range members {
		if members[(first+i)%len(members)].Peer.Oneway(req) == nil {
			return
		}
	}
	b.log.Warn().Str("group", group).Str("uniqKey", half.UniqKey()).Msg("no producer is there to be asked about a half message")
}

func checkRequest(half *message.Message, brokerName string) (*protocol.Command, error) {
	shown, err := txn.Shown(half)
	if err != nil {
		return nil, err
	}
	body, err := message.AppendRecord(nil, shown)
	if err != nil {
		return nil, err
	}
	req := protocol.NewRequest(protocol.CheckTransactionState, &protocol.CheckTransactionStateHeader{
		Topic: half.Topic, TranStateTableOffset: half.QueueOffset, CommitLogOffset: half.PhyOffset,
		MsgID: half.UniqKey(), TransactionID: half.UniqKey(), OffsetMsgID: half.MsgID, RPC: protocol.RPC{BrokerName: brokerName},
	})
	req.Flag |= protocol.FlagOneway
	req.Body = body
	return req, nil
}

// resumeCheck has a half message checked again that was given up. An id of no such message is answered with Java's words.
func (b *Broker) resumeCheck(_ context.Context, _ *remoting.Call, h *protocol.ResumeCheckHeader) (*protocol.Empty, error) {
	failed := protocol.Errorf(protocol.SystemError, "Exception was thrown when putting message back to %s.", message.HalfTopic)
	_, phyOffset, err := message.ParseOffsetMsgID(h.MsgID)
	if err != nil {
		return nil, failed
	}
	m, err := b.store.Message(phyOffset)
	if err != nil || m.Topic != message.TransCheckMaxTimeTopic {
		return nil, failed
	}
	if err := b.transactions.Resume(m); err != nil {
		return nil, b.putOutcome(err)
	}
	return nil, nil
}
