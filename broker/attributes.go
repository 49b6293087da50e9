// SPDX-License-Identifier: Apache-2.0

// The attributes of topics and groups, and how a request alters them: "+key=value" adds or
// changes, "-key" removes. Java: TopicAttributes, SubscriptionGroupAttributes, AttributeUtil,
// AttributeParser. The texts of the errors are Java's, which tools show.

package broker

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"rocketd/protocol"
)

// attribute is what a key may be set to.
type attribute struct {
	fixed    bool     // can only be set when its owner is created
	values   []string // one of these ...
	low, top int64    // ... or a number from low to top ...
	number   bool
	boolean  bool // ... or true or false; else any text
}

const mixedMessageType = "MIXED"

const (
	messageTypeAttribute   = "message.type"
	queueTypeAttribute     = "queue.type"
	cleanupPolicyAttribute = "cleanup.policy"
)

var topicAttributes = map[string]attribute{
	queueTypeAttribute:      {fixed: true, values: []string{"SimpleCQ", batchQueueType}},
	cleanupPolicyAttribute:  {fixed: true, values: []string{"DELETE", compactionPolicy}},
	messageTypeAttribute:    {values: []string{"UNSPECIFIED", mixedMessageType, "TRANSACTION", "PRIORITY", "FIFO", "DELAY", "LITE", "NORMAL"}},
	"reserve.time":          {number: true, low: -1, top: math.MaxInt64},
	"lite.topic.expiration": {number: true, low: -1, top: 43_200}, // minutes: a month
}

var groupAttributes = map[string]attribute{
	"priority.factor":                   {number: true, low: 0, top: 100},
	"lite.bind.topic":                   {},
	"lite.sub.model":                    {values: []string{"Shared", "Exclusive"}},
	"lite.sub.reset.offset.exclusive":   {boolean: true},
	"lite.sub.reset.offset.unsubscribe": {boolean: true},
	"lite.sub.client.quota":             {number: true, low: -1, top: math.MaxInt64},
	"lite.sub.client.max.event.cnt":     {number: true, low: 10, top: math.MaxInt64},
	"lite.sub.wildcard":                 {},
}

// maxAttributeBytes bounds a value: it is stored and registered with every table.
const maxAttributeBytes = 1024

// parseAttributes reads "+key=value,-key" into keys with their sign.
func parseAttributes(text string) (map[string]string, error) {
	alterations := map[string]string{}
	for part := range strings.SplitSeq(text, ",") {
		if part == "" {
			continue
		}
		key, value, add := strings.Cut(part, "=")
		switch {
		case add && !strings.HasPrefix(key, "+"):
			return nil, protocol.Errorf(protocol.SystemError, "add/alter attribute format is wrong: %s", key)
		case !add && !strings.HasPrefix(key, "-"):
			return nil, protocol.Errorf(protocol.SystemError, "delete attribute format is wrong: %s", key)
		}
		if _, twice := alterations[key]; twice {
			return nil, protocol.Errorf(protocol.SystemError, "key duplication: %s", key)
		}
		alterations[key] = value
	}
	return alterations, nil
}

// alterAttributes returns current with the alterations made; create says that current's owner is new.
func alterAttributes(create bool, known map[string]attribute, current, alterations map[string]string) (map[string]string, error) {
	altered := maps.Clone(current)
	if altered == nil {
		altered = map[string]string{}
	}
	seen := map[string]bool{}
	for _, signed := range slices.Sorted(maps.Keys(alterations)) {
		if signed == "" {
			return nil, protocol.Errorf(protocol.SystemError, "kv string format wrong.")
		}
		sign, key, value := signed[0], signed[1:], alterations[signed]
		switch {
		case create && sign != '+':
			return nil, protocol.Errorf(protocol.SystemError, "only add attribute is supported while creating topic. key: %s", key)
		case sign != '+' && sign != '-':
			return nil, protocol.Errorf(protocol.SystemError, "wrong format key: %s", signed)
		case seen[key]:
			return nil, protocol.Errorf(protocol.SystemError, "alter duplication key. key: %s", key)
		}
		seen[key] = true
		if err := alterAttribute(create, known, altered, sign, key, value); err != nil {
			return nil, err
		}
	}
	return altered, nil
}

func alterAttribute(create bool, known map[string]attribute, altered map[string]string, sign byte, key, value string) error {
	a, ok := known[key]
	_, set := altered[key]
	switch {
	case !ok:
		return protocol.Errorf(protocol.SystemError, "unsupported key: %s", key)
	case sign == '-' && !set:
		return protocol.Errorf(protocol.SystemError, "attempt to delete a nonexistent key: %s", key)
	case a.fixed && !create:
		return protocol.Errorf(protocol.SystemError, "attempt to update an unchangeable attribute. key: %s", key)
	case sign == '-':
		delete(altered, key)
		return nil
	}
	altered[key] = value
	return a.check(value)
}

func (a attribute) check(value string) error {
	switch {
	case len(value) > maxAttributeBytes:
		return protocol.Errorf(protocol.InvalidParameter, "attribute value of %d bytes is too long", len(value))
	case a.values != nil:
		if !slices.Contains(a.values, value) {
			return protocol.Errorf(protocol.SystemError, "value is not in set: [%s]", strings.Join(a.values, ", "))
		}
	case a.boolean:
		if value != "true" && value != "false" {
			return protocol.Errorf(protocol.SystemError, "boolean attribute format is wrong.")
		}
	case a.number:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return protocol.Errorf(protocol.SystemError, "For input string: %q", value)
		}
		if n < a.low || n > a.top {
			return protocol.Errorf(protocol.SystemError, "value is not in range(%d, %d)", a.low, a.top)
		}
	}
	return nil
}
