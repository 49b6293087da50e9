// SPDX-License-Identifier: Apache-2.0

// Package message is the stored and transmitted message: the record of the
// commit log, which is also what a pull answer carries, its property text, the
// batch body of a send, message ids, and the names of topics and groups.
// Java: MessageExt, MessageDecoder, MessageExtEncoder, MessageSysFlag,
// MessageConst, TopicValidator. It is pure data: no locks, no files.
package message

import (
	"fmt"
	"net/netip"
	"strconv"
)

// Message is one message in the open form. Topic and Properties are plain
// strings; Properties is the encoded text, name 0x01 value 0x02 repeated.
type Message struct {
	Topic                     string
	QueueID                   int32
	Flag                      int32
	SysFlag                   int32
	BornTimestampMs           int64
	BornHost                  netip.AddrPort
	StoreTimestampMs          int64
	StoreHost                 netip.AddrPort
	ReconsumeTimes            int32
	PreparedTransactionOffset int64
	Body                      []byte
	Properties                string

	QueueOffset int64
	PhyOffset   int64
	StoreSize   int32
	BodyCRC     int32
	MsgID       string
}

// Property returns the value of a property of the message.
func (m *Message) Property(name string) (string, bool) { return Property(m.Properties, name) }

// SetProperty replaces or adds a property in the message's property text.
func (m *Message) SetProperty(name, value string) {
	m.Properties = SetProperty(m.Properties, name, value)
}

// RemoveProperty takes a property out of the message's property text.
func (m *Message) RemoveProperty(name string) { m.Properties = RemoveProperty(m.Properties, name) }

// Again returns what of the message stays when it is stored once more, in a topic and queue. Body and properties are shared.
func (m *Message) Again(topic string, queueID int32) *Message {
	return &Message{
		Topic: topic, QueueID: queueID, Flag: m.Flag, SysFlag: m.SysFlag,
		BornTimestampMs: m.BornTimestampMs, BornHost: m.BornHost, StoreHost: m.StoreHost,
		ReconsumeTimes: m.ReconsumeTimes, Body: m.Body, Properties: m.Properties,
	}
}

// WaitIn directs a message to a topic and queue in which it waits. RealTarget tells where it was meant for.
func (m *Message) WaitIn(topic string, queueID int32) {
	m.SetProperty(PropRealTopic, m.Topic)
	m.SetProperty(PropRealQID, strconv.Itoa(int(m.QueueID)))
	m.Topic, m.QueueID = topic, queueID
}

// RealTarget returns the topic and queue that a message was meant for which waits in another: REAL_TOPIC and REAL_QID.
func (m *Message) RealTarget() (topic string, queueID int32, err error) {
	topic, _ = m.Property(PropRealTopic)
	if err := ValidTopic(topic); err != nil && !SafeName(topic) {
		return "", 0, err
	}
	text, _ := m.Property(PropRealQID)
	id, err := strconv.ParseInt(text, 10, 32)
	if err != nil || id < 0 {
		return "", 0, fmt.Errorf("its real queue is %q", text)
	}
	return topic, int32(id), nil
}

// Tags returns the TAGS property, empty when there is none.
func (m *Message) Tags() string { v, _ := Property(m.Properties, PropTags); return v }

// Keys returns the KEYS property, empty when there is none.
func (m *Message) Keys() string { v, _ := Property(m.Properties, PropKeys); return v }

// UniqKey returns the id that the client gave the message.
func (m *Message) UniqKey() string { v, _ := Property(m.Properties, PropUniqKey); return v }
