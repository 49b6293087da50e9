// SPDX-License-Identifier: Apache-2.0

// RECALL_MESSAGE(370). Java: RecallMessageRequestHeader, RecallMessageResponseHeader, RecallMessageHandle.

package protocol

import (
	"encoding/base64"
	"errors"
	"strings"
)

// RecallMessageHeader asks for a message back that waits for its time.
type RecallMessageHeader struct {
	ProducerGroup string `rmq:"producerGroup,omitempty"`
	Topic         string `rmq:"topic,required"`
	RecallHandle  string `rmq:"recallHandle,omitempty"` // as the answer to its send had it
	RPC
}

// RecallMessageResult answers it.
type RecallMessageResult struct {
	MsgID string `rmq:"msgId,omitempty"` // UNIQ_KEY of the message
}

// RecallHandle is what a client is given to take a waiting message back.
type RecallHandle struct {
	Topic, BrokerName string
	TimeText          string // decimal milliseconds, within the unit of time that the message waits for
	UniqKey           string
}

// ErrRecallHandle means that a text is no handle.
var ErrRecallHandle = errors.New("recall handle is invalid")

const recallVersion = "v1"

// String is the handle as clients keep it.
func (h RecallHandle) String() string {
	return base64.URLEncoding.EncodeToString([]byte(strings.Join([]string{recallVersion, h.Topic, h.BrokerName, h.TimeText, h.UniqKey}, " ")))
}

// ParseRecallHandle reads it, with its padding or without.
func ParseRecallHandle(text string) (RecallHandle, error) {
	form := base64.RawURLEncoding
	if strings.HasSuffix(text, "=") {
		form = base64.URLEncoding
	}
	raw, err := form.DecodeString(text)
	parts := strings.Split(string(raw), " ")
	if err != nil || len(parts) < 5 || parts[0] != recallVersion {
		return RecallHandle{}, ErrRecallHandle
	}
	return RecallHandle{Topic: parts[1], BrokerName: parts[2], TimeText: parts[3], UniqKey: parts[4]}, nil
}
