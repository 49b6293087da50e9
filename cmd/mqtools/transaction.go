// SPDX-License-Identifier: Apache-2.0

// Java: org.apache.rocketmq.example.transaction.TransactionProducer and its TransactionListenerImpl.
package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// transactionProducer sends ten half messages and then stays to answer the Broker's questions. Java's ends after a day.
func transactionProducer(servers primitive.NamesrvAddr) error {
	ctx, stop := told()
	defer stop()
	p, err := startMade(rocketmq.NewTransactionProducer(&decisions{}, producerOptions(servers, exampleProducerGroup)...))
	if err != nil {
		return err
	}
	tags := []string{"TagA", "TagB", "TagC", "TagD", "TagE"}
	err = sendEach(inTransaction(p), 10, 0, func(i int) *primitive.Message {
		return newMessage("TopicTest1234", tags[i%len(tags)], fmt.Sprintf("KEY%d", i), fmt.Sprintf("Hello RocketMQ %d", i))
	}, func(result *primitive.SendResult) {
		fmt.Println(formatSendResult(result))
		time.Sleep(10 * time.Millisecond)
	})
	<-ctx.Done()
	return errors.Join(err, p.Shutdown())
}

// inTransaction leaves out the offsetMsgId, which a result of Java's does not have either.
func inTransaction(p rocketmq.TransactionProducer) sender {
	return func(ctx context.Context, messages ...*primitive.Message) (*primitive.SendResult, error) {
		sent, err := p.SendMessageInTransaction(ctx, messages[0])
		if err != nil {
			return nil, err
		}
		sent.OffsetMsgID = "null"
		return sent.SendResult, nil
	}
}

// decisions leaves every transaction open when it is sent. Asked about it, it leaves the first of three open again,
// commits the second and rolls back the third; it commits what it does not know.
type decisions struct {
	sent atomic.Int64
	kind sync.Map // by transaction
}

var kinds = []primitive.LocalTransactionState{primitive.UnkonwnState, primitive.CommitMessageState, primitive.RollbackMessageState}

func (d *decisions) ExecuteLocalTransaction(m *primitive.Message) primitive.LocalTransactionState {
	d.kind.Store(m.TransactionId, kinds[(d.sent.Add(1)-1)%int64(len(kinds))])
	return primitive.UnkonwnState
}

func (d *decisions) CheckLocalTransaction(m *primitive.MessageExt) primitive.LocalTransactionState {
	if kind, known := d.kind.Load(m.TransactionId); known {
		return kind.(primitive.LocalTransactionState)
	}
	return primitive.CommitMessageState
}
