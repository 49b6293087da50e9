// SPDX-License-Identifier: Apache-2.0

// QUERY_MESSAGE(12), VIEW_MESSAGE_BY_ID(33). Java: QueryMessageRequestHeader, QueryMessageResponseHeader,
// ViewMessageRequestHeader.

package protocol

// QueryMessageHeader asks for messages by key; the extension field ExtUniqueKeyQuery says which index is meant.
type QueryMessageHeader struct {
	Topic            string `rmq:"topic"`
	Key              string `rmq:"key"`
	MaxNum           int32  `rmq:"maxNum,required"`
	BeginTimestampMs int64  `rmq:"beginTimestamp,required"`
	EndTimestampMs   int64  `rmq:"endTimestamp,required"`
	IndexType        string `rmq:"indexType,omitempty"` // "K", "U" or "T"
	LastKey          string `rmq:"lastKey,omitempty"`
	RPC
}

type QueryMessageResult struct {
	IndexLastUpdateTimestampMs int64 `rmq:"indexLastUpdateTimestamp"`
	IndexLastUpdatePhyOffset   int64 `rmq:"indexLastUpdatePhyoffset"`
}

// ViewMessageHeader asks for the one message that begins at a physical offset. The answer has no header.
type ViewMessageHeader struct {
	Topic     string `rmq:"topic,omitempty"`
	PhyOffset int64  `rmq:"offset,required"`
}
