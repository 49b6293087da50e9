// SPDX-License-Identifier: Apache-2.0

// Package message is the stored and transmitted message: the record of the
// commit log, which is also what a pull answer carries, its property text, the
// batch body of a send, message ids, and the names of topics and groups.
// Java: MessageExt, MessageDecoder, MessageExtEncoder, MessageSysFlag,
// MessageConst, TopicValidator. It is pure data: no locks, no files.
package message

import "net/netip"

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

// Tags returns the TAGS property, empty when there is none.
func (m *Message) Tags() string { v, _ := Property(m.Properties, PropTags); return v }

// Keys returns the KEYS property, empty when there is none.
func (m *Message) Keys() string { v, _ := Property(m.Properties, PropKeys); return v }

// UniqKey returns the id that the client gave the message.
func (m *Message) UniqKey() string { v, _ := Property(m.Properties, PropUniqKey); return v }
