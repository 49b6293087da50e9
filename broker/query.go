// SPDX-License-Identifier: Apache-2.0

// QUERY_MESSAGE(12), VIEW_MESSAGE_BY_ID(33), SEARCH_OFFSET_BY_TIMESTAMP(29), GET_MAX_OFFSET(30),
// GET_MIN_OFFSET(31). Sent by consumers and tools. Java: QueryMessageProcessor, AdminBrokerProcessor.
// Outcomes: 12: Success, QueryNotFound; 33: Success, SystemError when there is no message; the
// others: Success, also for queues that do not exist.
// Deviation: an answer of 12 stays below the size of a frame, however many messages are asked for.

package broker

import (
	"context"
	"errors"
	"slices"
	"strings"

	"rocketd/compat"
	"rocketd/protocol"
	"rocketd/remoting"
	"rocketd/store"
)

// indexTypeTag asks for messages by their tags; other types ask by key.
const indexTypeTag = "T"

// maxQueryBytes leaves room for the header in the largest frame.
const maxQueryBytes = protocol.MaxFrameBytes - 64<<10

func (b *Broker) queryMessage(_ context.Context, c *remoting.Call, h *protocol.QueryMessageHeader) (*protocol.QueryMessageResult, error) {
	cfg := b.cfg.Load()
	asked := int(h.MaxNum)
	flag, _ := c.Request().Field(protocol.ExtUniqueKeyQuery)
	unique := compat.ParseBool(flag)
	if unique {
		asked = cfg.DefaultQueryMaxNum
	}
	if asked < 0 {
		return nil, protocol.Errorf(protocol.SystemError, "maxNum is %d", asked)
	}
	asked = min(asked, cfg.MaxMsgsNumBatch)
	result := &protocol.QueryMessageResult{}
	if asked > 0 {
		body, err := b.messagesByKey(h, unique, asked, result)
		if err != nil {
			return nil, err
		}
		if len(body) > 0 {
			c.SetBody(body)
			return result, nil
		}
	}
	c.Outcome(protocol.QueryNotFound, "can not find message, maybe time range not correct")
	return result, nil
}

// messagesByKey returns the records that the index has for a key. Some may have
// another key with the same hash; clients look again.
func (b *Broker) messagesByKey(h *protocol.QueryMessageHeader, unique bool, most int, result *protocol.QueryMessageResult) ([]byte, error) {
	key := h.Key
	if h.IndexType == indexTypeTag && !unique {
		key = store.TagKeyPrefix + key
	}
	found, lastMs, lastPhyOffset, err := b.store.QueryIndex(h.Topic, key, most, h.BeginTimestampMs, h.EndTimestampMs)
	if err != nil {
		return nil, b.getOutcome(err)
	}
	if len(found) > 0 {
		result.IndexLastUpdateTimestampMs, result.IndexLastUpdatePhyOffset = lastMs, lastPhyOffset
	}
	slices.Sort(found) // oldest first, as Java answers
	var body []byte
	for _, phyOffset := range found {
		rec, err := b.store.Record(phyOffset)
		if errors.Is(err, store.ErrNotFound) {
			continue // its file has been deleted since
		}
		if err != nil {
			return nil, b.getOutcome(err)
		}
		if len(body)+len(rec) > maxQueryBytes {
			break
		}
		body = append(body, rec...)
	}
	return body, nil
}

func (b *Broker) viewMessage(_ context.Context, c *remoting.Call, h *protocol.ViewMessageHeader) (*protocol.Empty, error) {
	rec, err := b.store.Record(h.PhyOffset)
	if errors.Is(err, store.ErrNotFound) {
		return nil, protocol.Errorf(protocol.SystemError, "can not find message by the offset, %d", h.PhyOffset)
	}
	if err != nil {
		return nil, b.getOutcome(err)
	}
	c.SetBody(rec)
	return nil, nil
}

func (b *Broker) searchOffset(_ context.Context, _ *remoting.Call, h *protocol.SearchOffsetHeader) (*protocol.SearchOffsetResult, error) {
	upper := strings.EqualFold(h.BoundaryType, protocol.BoundaryUpper)
	offset, err := b.store.OffsetByTime(h.Topic, h.QueueID, h.TimestampMs, upper)
	if err != nil {
		return nil, b.getOutcome(err)
	}
	return &protocol.SearchOffsetResult{Offset: clampOffset(offset)}, nil
}

func (b *Broker) maxOffset(_ context.Context, _ *remoting.Call, h *protocol.GetMaxOffsetHeader) (*protocol.GetMaxOffsetResult, error) {
	_, end, _ := b.store.QueueRange(h.Topic, h.QueueID)
	return &protocol.GetMaxOffsetResult{Offset: clampOffset(end)}, nil
}

func (b *Broker) minOffset(_ context.Context, _ *remoting.Call, h *protocol.GetMinOffsetHeader) (*protocol.GetMinOffsetResult, error) {
	first, _, _ := b.store.QueueRange(h.Topic, h.QueueID)
	return &protocol.GetMinOffsetResult{Offset: clampOffset(first)}, nil
}

// clampOffset makes the offsets of a queue that does not exist 0, as Java's are.
func clampOffset(offset int64) int64 { return max(offset, 0) }
