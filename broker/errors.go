// SPDX-License-Identifier: Apache-2.0

// errors.go: what clients see of the store's errors. Texts are Java's, which
// clients print and tools match. Java: SendMessageProcessor.handlePutMessageResult.

package broker

import (
	"errors"
	"fmt"

	"rocketd/protocol"
	"rocketd/store"
)

// faq ends the remarks of refusals that newcomers meet.
const faq = "\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details."

// codeOf translates the store's errors. It is the only place that does.
func codeOf(err error) int32 {
	switch {
	case errors.Is(err, store.ErrMessageIllegal), errors.Is(err, store.ErrPropertiesTooLarge):
		return protocol.MessageIllegal
	case errors.Is(err, store.ErrPageCacheBusy):
		return protocol.SystemBusy
	case errors.Is(err, store.ErrNotWriteable), errors.Is(err, store.ErrClosed), errors.Is(err, store.ErrNotReadable):
		return protocol.ServiceNotAvailable
	case errors.Is(err, store.ErrFlushTimeout):
		return protocol.FlushDiskTimeout
	}
	return protocol.SystemError
}

// putOutcome is the answer to a put that failed.
func (b *Broker) putOutcome(err error) error {
	b.stats.PutFailed.Add(1)
	switch code := codeOf(err); code {
	case protocol.MessageIllegal:
		return b.illegal()
	case protocol.SystemBusy:
		return protocol.Errorf(code, "[PC_SYNCHRONIZED]broker busy, start flow control for a while")
	case protocol.ServiceNotAvailable:
		return protocol.Errorf(code, "service not available now. It may be caused by one of the following reasons: "+
			"the broker's disk is full [%s], messages are put to the slave, message store has been shut down, etc. The cause: %s", b.diskUtil(), err)
	}
	return err
}

// illegal refuses a message for its size or form.
func (b *Broker) illegal() error {
	return protocol.Errorf(protocol.MessageIllegal, "the message is illegal, maybe msg body or properties length not matched. "+
		"msg body length limit %dB, msg properties length limit 32KB.", b.cfg.Load().MaxMessageSize)
}

// diskUtil prints the used shares of the store's partitions. Queues and index
// lie under the root, the log may lie elsewhere.
func (b *Broker) diskUtil() string {
	log, root := b.store.DiskUsed()
	return fmt.Sprintf("CL: %5.2f CQ: %5.2f INDEX: %5.2f", log, root, root)
}
