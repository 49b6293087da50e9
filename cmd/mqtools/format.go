// SPDX-License-Identifier: Apache-2.0

// Send results and messages as the Java programs print them, because people compare and grep those lines.
package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/rocketmq-client-go/v2/primitive"
)

var sendStatus = map[primitive.SendStatus]string{
	primitive.SendOK:                "SEND_OK",
	primitive.SendFlushDiskTimeout:  "FLUSH_DISK_TIMEOUT",
	primitive.SendFlushSlaveTimeout: "FLUSH_SLAVE_TIMEOUT",
	primitive.SendSlaveNotAvailable: "SLAVE_NOT_AVAILABLE",
}

// formatSendResult prints SendResult.toString(). The Go client does not know recall handles, which only
// messages for a time of their own have.
func formatSendResult(r *primitive.SendResult) string {
	return "SendResult [sendStatus=" + sendStatus[r.Status] + ", msgId=" + r.MsgID + ", offsetMsgId=" + r.OffsetMsgID +
		", messageQueue=" + r.MessageQueue.String() + ", queueOffset=" + strconv.FormatInt(r.QueueOffset, 10) +
		", recallHandle=null]"
}

// formatMessages prints a List<MessageExt>.
func formatMessages(brokerName string, messages []*primitive.MessageExt) string {
	texts := make([]string, len(messages))
	for i, m := range messages {
		texts[i] = formatMessage(brokerName, m)
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

// formatMessage prints MessageExt.toString(), whose msgId is the one that names the place in the log.
func formatMessage(brokerName string, m *primitive.MessageExt) string {
	var b strings.Builder
	field := func(name, value string) {
		b.WriteString(", " + name + "=" + value)
	}
	number := func(name string, value int64) { field(name, strconv.FormatInt(value, 10)) }
	b.WriteString("MessageExt [brokerName=" + brokerName)
	number("queueId", int64(m.Queue.QueueId))
	number("storeSize", int64(m.StoreSize))
	number("queueOffset", m.QueueOffset)
	number("sysFlag", int64(m.SysFlag))
	number("bornTimestamp", m.BornTimestamp)
	field("bornHost", "/"+m.BornHost)
	number("storeTimestamp", m.StoreTimestamp)
	field("storeHost", "/"+m.StoreHost)
	field("msgId", m.OffsetMsgId)
	number("commitLogOffset", m.CommitLogOffset)
	number("bodyCRC", int64(m.BodyCRC))
	number("reconsumeTimes", int64(m.ReconsumeTimes))
	number("preparedTransactionOffset", m.PreparedTransactionOffset)
	field("toString()", formatBareMessage(&m.Message))
	b.WriteString("]")
	return b.String()
}

func formatBareMessage(m *primitive.Message) string {
	transaction := m.TransactionId
	if transaction == "" {
		transaction = "null"
	}
	return "Message{topic='" + m.Topic + "', flag=" + strconv.Itoa(int(m.Flag)) + ", properties=" +
		formatProperties(m.GetProperties()) + ", body=" + formatBody(m.Body) + ", transactionId='" + transaction + "'}"
}

func formatProperties(properties map[string]string) string {
	texts := make([]string, 0, len(properties))
	for name, value := range properties {
		texts = append(texts, name+"="+value)
	}
	slices.Sort(texts)
	return "{" + strings.Join(texts, ", ") + "}"
}

// formatBody prints a byte[]: Java's bytes have a sign.
func formatBody(body []byte) string {
	texts := make([]string, len(body))
	for i, c := range body {
		texts[i] = strconv.Itoa(int(int8(c)))
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

var pullStatus = map[primitive.PullStatus]string{
	primitive.PullFound:         "FOUND",
	primitive.PullNoNewMsg:      "NO_NEW_MSG",
	primitive.PullNoMsgMatched:  "NO_MATCHED_MSG",
	primitive.PullOffsetIllegal: "OFFSET_ILLEGAL",
}

// formatPullResult prints PullResult.toString().
func formatPullResult(r *primitive.PullResult) string {
	return fmt.Sprintf("PullResult [pullStatus=%s, nextBeginOffset=%d, minOffset=%d, maxOffset=%d, msgFoundList=%d]",
		pullStatus[r.Status], r.NextBeginOffset, r.MinOffset, r.MaxOffset, len(r.GetMessageExts()))
}
