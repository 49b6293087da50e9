// SPDX-License-Identifier: Apache-2.0

// Package filter decides which messages of a queue a subscription is for.
//
// tag.go: subscriptions by tag. Only hashes are compared here; clients compare
// the text again. Java: FilterAPI, ExpressionMessageFilter.
package filter

import (
	"errors"
	"slices"
	"strings"

	"rocketd/compat"
	"rocketd/protocol"
	"rocketd/protocol/message"
)

// ErrExpression says that a subscription's text cannot be read.
var ErrExpression = errors.New("subString split error")

// ParseTags reads "a || b" into the subscription that a heartbeat would carry.
func ParseTags(topic, expression string) (*protocol.SubscriptionData, error) {
	sub := &protocol.SubscriptionData{Topic: topic, SubString: expression, ExpressionType: protocol.ExpressionTag}
	if expression == "" || expression == protocol.SubscribeAll {
		sub.SubString = protocol.SubscribeAll
		return sub, nil
	}
	parts := strings.Split(expression, "||")
	for len(parts) > 0 && parts[len(parts)-1] == "" { // as String.split drops empty parts at the end
		parts = parts[:len(parts)-1]
	}
	if len(parts) == 0 {
		return nil, ErrExpression
	}
	for _, tag := range parts {
		if tag = compat.Trim(tag); tag != "" {
			sub.TagsSet = append(sub.TagsSet, tag)
			sub.CodeSet = append(sub.CodeSet, int32(message.TagsCode(tag)))
		}
	}
	return sub, nil
}

// IsTag says whether an expression type means tags. Absent means tags.
func IsTag(expressionType string) bool {
	return expressionType == "" || expressionType == protocol.ExpressionTag
}

// Tags returns what a subscription matches, as a test of a queue entry's tags
// code; nil when it matches everything.
func Tags(sub *protocol.SubscriptionData) func(tagsCode int64) bool {
	if sub.ClassFilterMode || sub.SubString == protocol.SubscribeAll {
		return nil
	}
	codes := sub.CodeSet
	return func(tagsCode int64) bool { return slices.Contains(codes, int32(tagsCode)) }
}
