// SPDX-License-Identifier: Apache-2.0

// Package txn keeps messages that nobody may read before their producer has decided.
//
// A half message waits in RMQ_SYS_TRANS_HALF_TOPIC. When the producer commits, a copy of it enters its real queue; when
// it commits or rolls back, a record in RMQ_SYS_TRANS_OP_HALF_TOPIC says that the half message is through (ops.go). A
// producer that says nothing is asked (check.go). All is in Java's form, so that either server goes on where the other
// stopped.
//
// half.go: what becomes of a message. Java: TransactionalMessageBridge, EndTransactionProcessor.
package txn

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"rocketd/protocol/message"
)

// Prepare turns a message that is about to be stored into a half message.
func Prepare(m *message.Message) {
	if id := m.UniqKey(); id != "" {
		m.SetProperty(message.PropTransactionID, id)
	}
	m.SysFlag &^= message.TranMask
	m.WaitIn(message.HalfTopic, 0)
}

// ErrNoTarget means that a half message does not say where it belongs.
var ErrNoTarget = errors.New("its real topic or queue cannot be")

// target is where a half message belongs.
func target(half *message.Message) (topic string, queueID int32, err error) {
	topic, queueID, err = half.RealTarget()
	if err == nil && message.IsForbiddenTopic(topic) {
		err = fmt.Errorf("its real topic is %s", topic)
	}
	if err != nil {
		return "", 0, fmt.Errorf("%w: %w", ErrNoTarget, err)
	}
	return topic, queueID, nil
}

// committed is the message as consumers get it. TRAN_MSG stays with it: clients fill the transaction's id in by that.
func committed(half *message.Message) (*message.Message, error) {
	topic, queueID, err := target(half)
	if err != nil {
		return nil, err
	}
	m := half.Again(topic, queueID)
	m.SysFlag = m.SysFlag&^message.TranMask | message.TranCommit
	m.PreparedTransactionOffset = half.PhyOffset
	m.RemoveProperty(message.PropRealTopic)
	m.RemoveProperty(message.PropRealQID)
	return m, nil
}

// Shown is a half message as its producer sees it when it is asked: with its real topic and queue, and marked as not waited
// for, which Java's copy is in memory.
func Shown(half *message.Message) (*message.Message, error) {
	topic, queueID, err := target(half)
	if err != nil {
		return nil, err
	}
	shown := *half
	shown.Topic, shown.QueueID = topic, queueID
	shown.SetProperty(message.PropWait, "false")
	return &shown, nil
}

// immunity is how long after its birth a half message is left alone, and whether the message says so itself, in seconds.
func immunity(half *message.Message, timeout time.Duration) (span time.Duration, own bool) {
	text, own := half.Property(message.PropCheckImmunity)
	if !own {
		return timeout, false
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return timeout, true
	}
	const most = int64(1<<63-1) / int64(time.Second)
	return max(time.Duration(min(max(seconds, 0), most))*time.Second, timeout), true
}

// TooLate says whether a decision that nobody asked for comes after the time that the half message sets for it. Then the
// producer has been asked, or will be, and that answer counts.
func TooLate(half *message.Message, now time.Time, timeout time.Duration) bool {
	span, own := immunity(half, timeout)
	return own && now.Sub(time.UnixMilli(half.BornTimestampMs)) > span
}
