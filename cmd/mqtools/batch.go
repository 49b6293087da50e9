// SPDX-License-Identifier: Apache-2.0

// Java: org.apache.rocketmq.example.batch.SimpleBatchProducer and SplitBatchProducer. The Java classes never end; these do.
package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

const (
	batchGroup    = "BatchProducerGroupName"
	batchBytes    = 1_000_000
	batchMessages = 100_000
	batchOverhead = 20 // what Java's ListSplitter adds to each message
)

func simpleBatchProducer(servers primitive.NamesrvAddr) error {
	messages := make([]*primitive.Message, 3)
	for i := range messages {
		messages[i] = newMessage("BatchTest", "Tag", fmt.Sprintf("OrderID%03d", i+1), fmt.Sprintf("Hello world %d", i))
	}
	p, err := startProducer(servers, batchGroup)
	if err != nil {
		return err
	}
	return errors.Join(sendBatch(p, messages), p.Shutdown())
}

// splitBatchProducer sends 100,000 messages in batches of less than a million bytes.
func splitBatchProducer(servers primitive.NamesrvAddr) error {
	p, err := startProducer(servers, batchGroup)
	if err != nil {
		return err
	}
	var batch []*primitive.Message
	size := 0
	for i := range batchMessages {
		m := newMessage("BatchTest", "Tag", fmt.Sprintf("OrderID%d", i), fmt.Sprintf("Hello world %d", i))
		n := batchSize(m)
		if size+n > batchBytes {
			if err := sendBatch(p, batch); err != nil {
				return errors.Join(err, p.Shutdown())
			}
			batch, size = nil, 0
		}
		batch, size = append(batch, m), size+n
	}
	return errors.Join(sendBatch(p, batch), p.Shutdown())
}

func batchSize(m *primitive.Message) int {
	n := len(m.Topic) + len(m.Body) + batchOverhead
	for name, value := range m.GetProperties() {
		n += len(name) + len(value)
	}
	return n
}

// sendBatch prints the result without a line's end, as the Java classes do. The ids, which the Java client gives to the
// messages of a batch and lists in the result, the Go client does not know.
func sendBatch(p rocketmq.Producer, batch []*primitive.Message) error {
	ids := make([]string, len(batch))
	for i, m := range batch {
		ids[i] = primitive.CreateUniqID()
		m.WithProperty(primitive.PropertyUniqueClientMessageIdKeyIndex, ids[i])
	}
	result, err := p.SendSync(context.Background(), batch...)
	if err != nil {
		return fmt.Errorf("A batch of %d messages was not sent: %w", len(batch), err)
	}
	result.MsgID = strings.Join(ids, ",")
	fmt.Print(formatSendResult(result))
	return nil
}
