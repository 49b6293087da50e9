// SPDX-License-Identifier: Apache-2.0

// QUERY_CONSUME_QUEUE(321): units of a queue as they stand, and what a group's filter says to them. Sent by tools.
// Java: AdminBrokerProcessor.queryConsumeQueue.
// Outcomes: Success, also where there is no such offset, which the remark says; SystemError: no such queue.
// Deviation: units of several files come in one answer, and it is bounded.

package broker

import (
	"context"
	"fmt"

	"rocketd/broker/filter"
	"rocketd/broker/meta"
	"rocketd/compat/fastjson"
	"rocketd/protocol"
	"rocketd/remoting"
	"rocketd/store"
)

// An answer ends before more units than maxQueueUnits, and with the unit whose extensions make more text than
// maxQueueText.
const (
	maxQueueUnits = 10_000
	maxQueueText  = protocol.MaxFrameBytes / 2
)

func (b *Broker) consumeQueue(_ context.Context, c *remoting.Call, h *protocol.ConsumeQueueHeader) (*protocol.Empty, error) {
	first, end, ok := b.store.QueueRange(h.Topic, h.QueueID)
	if !ok {
		return nil, protocol.Errorf(protocol.SystemError, "%d@%s is not exist!", h.QueueID, h.Topic)
	}
	if h.Index < first || h.Index >= end {
		c.Outcome(protocol.Success, fmt.Sprintf("Index %d of %d@%s is not exist!", h.Index, h.QueueID, h.Topic))
		return nil, nil
	}
	body := protocol.ConsumeQueueUnits{MaxQueueIndex: end, MinQueueIndex: first, QueueData: []protocol.ConsumeQueueUnit{}}
	var takes func(ext *store.ExtUnit) bool
	if _, asked := c.Request().Field("consumerGroup"); asked {
		var err error
		if takes, err = b.groupsFilter(h.ConsumerGroup, h.Topic, &body); err != nil {
			return nil, err
		}
	}
	text := 0
	for offset := h.Index; offset < end && len(body.QueueData) < int(min(h.Count, maxQueueUnits)) && text < maxQueueText; offset++ {
		u, ok := b.store.QueueUnit(h.Topic, h.QueueID, offset)
		if !ok {
			break
		}
		unit, err := shownUnit(u, takes)
		if err != nil {
			return nil, err
		}
		text += len(unit.ExtendDataJSON) + len(unit.BitMap)
		body.QueueData = append(body.QueueData, unit)
	}
	c.Outcome(protocol.Success, unsetRemark)
	return nil, answerJSON(c, body)
}

// groupsFilter enters a group's subscription and filter, dead or alive, into the answer. It returns what the two say
// to the extension of a unit; nil when the group is not there.
func (b *Broker) groupsFilter(group, topic string, body *protocol.ConsumeQueueUnits) (func(ext *store.ExtUnit) bool, error) {
	body.FilterData = fmt.Sprintf("%s@%s is not online!", group, topic)
	online, ok := b.consumers.Group(group)
	if !ok {
		return nil, nil
	}
	sub, ok := online.Subscription(topic)
	if !ok {
		return nil, nil
	}
	printable := printableSubscription(sub)
	f, _ := b.filters.Get(group, topic)
	text, err := fastjson.MarshalPretty(f)
	body.SubscriptionData, body.FilterData = &printable, string(text)
	return takesExt(sub, f), err
}

// takesExt is what a subscription, with the filter of its expression if it has one, says to the extension of a unit.
func takesExt(sub *protocol.SubscriptionData, f *meta.Filter) func(ext *store.ExtUnit) bool {
	if filter.IsTag(sub.ExpressionType) {
		tags := filter.Tags(sub)
		return func(ext *store.ExtUnit) bool { return tags == nil || tags(ext.TagsCode) }
	}
	if f == nil || sub.ClassFilterMode {
		return func(*store.ExtUnit) bool { return true }
	}
	return extFilter(f)
}

// shownUnit is a unit as the answer has it. Without an extension nothing is evaluated.
func shownUnit(u store.QueueUnit, takes func(ext *store.ExtUnit) bool) (protocol.ConsumeQueueUnit, error) {
	unit := protocol.ConsumeQueueUnit{PhysicOffset: u.PhyOffset, PhysicSize: u.Size, TagsCode: u.TagsCode}
	switch {
	case u.ExtLost:
		unit.Msg = fmt.Sprint("Cq extend not exist!addr: ", u.TagsCode)
	case u.Ext != nil:
		ext := protocol.ConsumeQueueExtension{StoreTimestampMs: u.Ext.StoreTimestampMs, SizeBytes: int32(u.Ext.Size()), TagsCode: u.Ext.TagsCode}
		for _, b := range u.Ext.Bitmap {
			ext.FilterBitMap = append(ext.FilterBitMap, int8(b))
		}
		text, err := fastjson.Marshal(ext)
		if err != nil {
			return unit, err
		}
		unit.ExtendDataJSON, unit.BitMap = string(text), filter.BitsText(u.Ext.Bitmap)
		unit.Eval = takes != nil && takes(u.Ext)
	}
	return unit, nil
}
