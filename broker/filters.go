// SPDX-License-Identifier: Apache-2.0

// filters.go: what a pull wants of a queue: tags, or an SQL92 expression over properties (enablePropertyFilter).
// Expressions come with heartbeats and are kept in consumerFilter.json, or with each pull.
// Java: ExpressionMessageFilter, ExpressionForRetryMessageFilter, ConsumerFilterManager, CommitLogDispatcherCalcBitMap,
// ClientManageProcessor.

package broker

import (
	"fmt"
	"slices"
	"time"

	"rocketd/broker/filter"
	"rocketd/broker/meta"
	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/store"
)

const filtersSavedEvery = 10 * time.Second

// filterKit teaches the table of filters what an expression is.
func filterKit(bloom filter.Bloom) meta.FilterKit {
	return meta.FilterKit{Compile: compileFilter, BloomBits: bloom.Bits, Positions: bloom.Positions}
}

// filterBits is the bitmap of the groups whose expressions for a topic take a record; nil where no group has one.
func (b *Broker) filterBits(topic string, rec []byte) []byte {
	cfg := b.cfg.Load()
	if !cfg.EnableCalcFilterBitMap {
		return nil
	}
	var bitmap []byte
	for _, f := range b.filters.OfTopic(topic) {
		if bitmap == nil {
			bitmap = make([]byte, cfg.ConsumeQueueExtBits/8)
		}
		if f.Matcher.Matches(message.RecordProperties(rec)) {
			filter.SetBits(bitmap, f.Bloom.BitPos)
		}
	}
	return bitmap
}

// extFilter passes over the messages whose bitmaps say that a group's expression does not take them. The bitmap of a
// message that is not younger than the expression, or of another length, says nothing.
func extFilter(f *meta.Filter) func(ext *store.ExtUnit) bool {
	return func(ext *store.ExtUnit) bool {
		return ext.StoreTimestampMs <= f.BornTimeMs || len(ext.Bitmap)*8 != int(f.Bloom.BitNum) || filter.HasBits(ext.Bitmap, f.Bloom.BitPos)
	}
}

func compileFilter(expressionType, expression string) (meta.Matcher, error) {
	if expressionType != protocol.ExpressionSQL92 {
		return nil, fmt.Errorf("expression type %q is none of TAG, SQL92", expressionType)
	}
	return filter.Compile(expression)
}

// registerFilters takes over the expressions of a group's heartbeat. Most groups have none.
func (b *Broker) registerFilters(group string, subs []protocol.SubscriptionData) {
	byExpression := func(sub protocol.SubscriptionData) bool { return !filter.IsTag(sub.ExpressionType) }
	if slices.ContainsFunc(subs, byExpression) || b.filters.Has(group) {
		b.filters.Register(group, subs, filter.IsTag)
	}
}

// checkExpression says whether a subscription by an expression can be served.
func (b *Broker) checkExpression(sub *protocol.SubscriptionData) error {
	if !b.cfg.Load().EnablePropertyFilter {
		return notByExpression(sub)
	}
	if _, err := compileFilter(sub.ExpressionType, sub.SubString); err != nil {
		return protocol.Errorf(protocol.SubscriptionParseFailed, "%v", err)
	}
	return nil
}

func notByExpression(sub *protocol.SubscriptionData) error {
	return protocol.Errorf(protocol.SystemError, "The broker does not support consumer to filter message by %s", sub.ExpressionType)
}

// wanted is which messages a pull is for: by queue entry, by its extension, and by record. nil means all.
type wanted struct {
	tags   func(tagsCode int64) bool
	ext    func(ext *store.ExtUnit) bool
	record func(rec []byte) bool
}

// wanted compiles or finds the filter of a subscription.
func (b *Broker) wanted(cfg *Config, h *protocol.PullHeader, sub *protocol.SubscriptionData) (wanted, error) {
	retry := cfg.FilterSupportRetry && message.IsRetryTopic(h.Topic)
	if filter.IsTag(sub.ExpressionType) {
		want := wanted{tags: filter.Tags(sub)}
		if retry {
			want.record = b.retryFilter(h.Topic)
		}
		return want, nil
	}
	matcher, ext, err := b.expression(cfg, h, sub)
	if err != nil {
		return wanted{}, err
	}
	if !cfg.EnablePropertyFilter {
		return wanted{}, notByExpression(sub)
	}
	if retry {
		return wanted{record: b.retryFilter(h.Topic)}, nil
	}
	return wanted{ext: ext, record: func(rec []byte) bool { return matcher.Matches(message.RecordProperties(rec)) }}, nil
}

// expression is the compiled expression of a pull: its own, or that of the group's heartbeats, which the bitmaps know.
func (b *Broker) expression(cfg *Config, h *protocol.PullHeader, sub *protocol.SubscriptionData) (meta.Matcher, func(*store.ExtUnit) bool, error) {
	if h.SysFlag&protocol.PullFlagSubscription != 0 {
		switch {
		case sub.SubString == "":
			return nil, nil, protocol.Errorf(protocol.SubscriptionParseFailed, "parse the consumer's subscription failed")
		case !cfg.EnablePropertyFilter:
			return nil, nil, notByExpression(sub) // before what a filter would be: Java does not look at it then
		}
		matcher, err := compileFilter(sub.ExpressionType, sub.SubString)
		if err != nil {
			return nil, nil, protocol.Errorf(protocol.SubscriptionParseFailed, "parse the consumer's subscription failed: %v", err)
		}
		return matcher, nil, nil
	}
	f, ok := b.filters.Get(h.ConsumerGroup, h.Topic)
	if !ok {
		return nil, nil, protocol.Errorf(protocol.FilterDataNotExist, "The broker's consumer filter data is not exist!Your expression may be wrong!")
	}
	if f.ClientVersion < h.SubVersion {
		return nil, nil, protocol.Errorf(protocol.FilterDataNotLatest, "the consumer's consumer filter data not latest")
	}
	return f.Matcher, extFilter(f), nil
}

// retryFilter filters a retry topic by the group's expression for the topic that each message comes from.
func (b *Broker) retryFilter(retryTopic string) func(rec []byte) bool {
	group := retryTopic[len(message.RetryPrefix):]
	return func(rec []byte) bool {
		props := message.RecordProperties(rec)
		origin, _ := message.Property(string(props), message.PropRetryTopic)
		f, ok := b.filters.Get(group, origin)
		return !ok || f.Matcher.Matches(props)
	}
}

// arrival is the filter of a parked pull.
func (w wanted) arrival(s *store.Store) func(a store.Arrival) bool {
	switch {
	case w.record != nil:
		return func(a store.Arrival) bool {
			return (w.tags == nil || w.tags(a.TagsCode)) && s.Look(a.PhyOffset, w.record)
		}
	case w.tags != nil:
		return func(a store.Arrival) bool { return w.tags(a.TagsCode) }
	}
	return nil
}
