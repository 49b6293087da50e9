// SPDX-License-Identifier: Apache-2.0

// END_TRANSACTION(37), CHECK_TRANSACTION_STATE(39), RESUME_CHECK_HALF_MESSAGE(323). Java: the header classes of those
// names, MessageSysFlag.

package protocol

// Values of EndTransactionHeader.CommitOrRollback, as the system flag of a message has them.
const (
	TransactionUnknown  int32 = 0
	TransactionCommit   int32 = 8
	TransactionRollback int32 = 12
)

// EndTransactionHeader is a producer's decision, sent by itself or because it was asked.
type EndTransactionHeader struct {
	Topic                string `rmq:"topic,omitempty"`
	ProducerGroup        string `rmq:"producerGroup,required"`
	TranStateTableOffset int64  `rmq:"tranStateTableOffset,required"` // of the half message in its queue
	CommitLogOffset      int64  `rmq:"commitLogOffset,required"`      // of its record in the log
	CommitOrRollback     int32  `rmq:"commitOrRollback,required"`
	FromTransactionCheck bool   `rmq:"fromTransactionCheck"`
	MsgID                string `rmq:"msgId,omitempty"`
	TransactionID        string `rmq:"transactionId,omitempty"`
	RPC
}

// CheckTransactionStateHeader asks a producer for its decision. The body is the record of the half message with its real
// topic and queue.
type CheckTransactionStateHeader struct {
	Topic                string `rmq:"topic,omitempty"`
	TranStateTableOffset int64  `rmq:"tranStateTableOffset,required"`
	CommitLogOffset      int64  `rmq:"commitLogOffset,required"`
	MsgID                string `rmq:"msgId,omitempty"` // the id that the client gave the message, as TransactionID
	TransactionID        string `rmq:"transactionId,omitempty"`
	OffsetMsgID          string `rmq:"offsetMsgId,omitempty"`
	RPC
}

// ResumeCheckHeader names a message that was given up.
type ResumeCheckHeader struct {
	Topic string `rmq:"topic,omitempty"`
	MsgID string `rmq:"msgId,omitempty"` // of its record in TRANS_CHECK_MAX_TIME_TOPIC
	RPC
}
