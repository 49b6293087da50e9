// SPDX-License-Identifier: Apache-2.0

// statictopic.go: which of a static topic's logical queues stand on a Broker. A Broker that serves such topics registers
// it, and routes carry it to clients. Java: TopicQueueMappingInfo.

package protocol

import (
	"slices"
	"strconv"
)

// TopicQueueMapping is the part of a static topic that one Broker holds.
type TopicQueueMapping struct {
	BrokerName  string          `json:"bname"`
	CurrIDMap   map[int32]int32 `json:"currIdMap"` // logical queue to the Broker's own
	Dirty       bool            `json:"dirty"`
	Epoch       int64           `json:"epoch"`
	Scope       string          `json:"scope"`
	Topic       string          `json:"topic"`
	TotalQueues int32           `json:"totalQueues"` // of the topic, over all Brokers
}

func (m *TopicQueueMapping) append(b []byte, standard bool) []byte {
	b = append(b, `{"bname":`...)
	b = appendJSONString(b, m.BrokerName)
	b = append(b, `,"currIdMap":{`...)
	ids := make([]int32, 0, len(m.CurrIDMap))
	for id := range m.CurrIDMap {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for i, id := range ids {
		b = appendComma(b, i)
		b = appendIntegerKey(b, int64(id), standard)
		b = strconv.AppendInt(b, int64(m.CurrIDMap[id]), 10)
	}
	b = append(b, `},"dirty":`...)
	b = strconv.AppendBool(b, m.Dirty)
	b = append(b, `,"epoch":`...)
	b = strconv.AppendInt(b, m.Epoch, 10)
	b = append(b, `,"scope":`...)
	b = appendJSONString(b, m.Scope)
	b = append(b, `,"topic":`...)
	b = appendJSONString(b, m.Topic)
	b = append(b, `,"totalQueues":`...)
	return append(strconv.AppendInt(b, int64(m.TotalQueues), 10), '}')
}

// appendIntegerKey writes a key that only standard JSON has quotes around.
func appendIntegerKey(b []byte, key int64, standard bool) []byte {
	if standard {
		b = append(b, '"')
	}
	b = strconv.AppendInt(b, key, 10)
	if standard {
		b = append(b, '"')
	}
	return append(b, ':')
}
