// SPDX-License-Identifier: Apache-2.0

// Names of topics and groups: the reserved ones, the derived ones (retry, dead
// letter), and what a name may look like. Java: TopicValidator, MixAll.
// A topic name becomes a directory name in the store, so the character check
// here is a security boundary (CVE-2019-17572), not a nicety.

package message

import (
	"fmt"
	"strings"
)

const (
	DefaultTopic            = "TBW102"
	ScheduleTopic           = "SCHEDULE_TOPIC_XXXX"
	BenchmarkTopic          = "BenchmarkTest"
	HalfTopic               = "RMQ_SYS_TRANS_HALF_TOPIC"
	OpHalfTopic             = "RMQ_SYS_TRANS_OP_HALF_TOPIC"
	TransCheckMaxTimeTopic  = "TRANS_CHECK_MAX_TIME_TOPIC"
	TraceTopic              = "RMQ_SYS_TRACE_TOPIC"
	SelfTestTopic           = "SELF_TEST_TOPIC"
	OffsetMovedEventTopic   = "OFFSET_MOVED_EVENT"
	TimerTopic              = "rmq_sys_wheel_timer"
	ReviveTopicPrefix       = "rmq_sys_REVIVE_LOG_"
	SyncMemberTopicPrefix   = "rmq_sys_SYNC_BROKER_MEMBER_"
	SystemTopicPrefix       = "rmq_sys_"
	ReplyTopicSuffix        = "_REPLY_TOPIC"
	RetryPrefix             = "%RETRY%"
	DLQPrefix               = "%DLQ%"
	LMQPrefix               = "%LMQ%"
	SystemGroupPrefix       = "CID_RMQ_SYS_"
	ToolsConsumerGroup      = "TOOLS_CONSUMER"
	FilterServerGroup       = "FILTERSRV_CONSUMER"
	SelfTestConsumerGroup   = "SELF_TEST_C_GROUP"
	SelfTestProducerGroup   = "SELF_TEST_P_GROUP"
	TransConsumerGroup      = "CID_RMQ_SYS_TRANS"
	ReviveGroup             = "CID_RMQ_SYS_REVIVE_GROUP"
	DefaultProducerGroup    = "DEFAULT_PRODUCER"
	DefaultConsumerGroup    = "DEFAULT_CONSUMER"
	ClientInnerProducer     = "CLIENT_INNER_PRODUCER"
	ONSHTTPProxyGroup       = "CID_ONS-HTTP-PROXY"
	ONSAPIPermissionGroup   = "CID_ONSAPI_PERMISSION"
	ONSAPIOwnerGroup        = "CID_ONSAPI_OWNER"
	ONSAPIPullGroup         = "CID_ONSAPI_PULL"
	MaxTopicBytes           = 127
	MaxRetryTopicBytes      = 255
	MaxGroupBytes           = 120
	reservedNameDescription = "^[%|a-zA-Z0-9_-]+$"
)

// SystemTopics are the topics with a fixed name that belong to the broker.
var SystemTopics = map[string]bool{
	DefaultTopic: true, ScheduleTopic: true, BenchmarkTopic: true, HalfTopic: true, TraceTopic: true,
	OpHalfTopic: true, TransCheckMaxTimeTopic: true, SelfTestTopic: true, OffsetMovedEventTopic: true,
}

// ForbiddenTopics are the topics that no client may send to.
var ForbiddenTopics = map[string]bool{
	ScheduleTopic: true, HalfTopic: true, OpHalfTopic: true, TransCheckMaxTimeTopic: true,
	SelfTestTopic: true, OffsetMovedEventTopic: true,
}

// IsSystemTopic says whether a topic belongs to the broker.
func IsSystemTopic(topic string) bool {
	return SystemTopics[topic] || strings.HasPrefix(topic, SystemTopicPrefix)
}

// IsForbiddenTopic says whether clients may not send to a topic.
func IsForbiddenTopic(topic string) bool { return ForbiddenTopics[topic] }

// RetryTopic is the topic that a group's failed messages come back through.
func RetryTopic(group string) string { return RetryPrefix + group }

// DLQTopic is the topic that holds a group's dead letters.
func DLQTopic(group string) string { return DLQPrefix + group }

// IsRetryTopic says whether a topic is some group's retry topic.
func IsRetryTopic(topic string) bool { return strings.HasPrefix(topic, RetryPrefix) }

// IsDLQTopic says whether a topic holds some group's dead letters.
func IsDLQTopic(topic string) bool { return strings.HasPrefix(topic, DLQPrefix) }

// PopRetryTopic is the retry topic of a group that pops from a topic (v1 form).
func PopRetryTopic(topic, group string) string { return RetryPrefix + group + "_" + topic }

// PopRetryTopicV2 is the same in the v2 form.
func PopRetryTopicV2(topic, group string) string { return RetryPrefix + group + "+" + topic }

func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '%' || c == '|' || c == '_' || c == '-'
}

func nameBytes(name string) bool {
	for i := 0; i < len(name); i++ {
		if !nameByte(name[i]) {
			return false
		}
	}
	return true
}

// shown is a refused name as its error repeats it: not endlessly.
func shown(name string) string {
	const enough = 512
	return name[:min(len(name), enough)]
}

// ValidTopic reports why a topic name is not allowed, with Java's wording, and
// nil when it is. Retry and dead-letter topics may be longer.
func ValidTopic(name string) error {
	if strings.TrimSpace(name) == "" {
		return fmt.Errorf("The specified topic is blank.")
	}
	if !nameBytes(name) {
		return fmt.Errorf("The specified topic: %s, contains illegal characters, allowing only %s", shown(name), reservedNameDescription)
	}
	limit := MaxTopicBytes
	if IsRetryTopic(name) || IsDLQTopic(name) {
		limit = MaxRetryTopicBytes
	}
	if len(name) > limit {
		return fmt.Errorf("The specified topic: %s, is longer than topic max length: %d", shown(name), limit)
	}
	return nil
}

// ValidGroup is ValidTopic for consumer and producer groups.
func ValidGroup(name string) error {
	if strings.TrimSpace(name) == "" {
		return fmt.Errorf("The specified group is blank.")
	}
	if !nameBytes(name) {
		return fmt.Errorf("The specified group: %s, contains illegal characters, allowing only %s", shown(name), reservedNameDescription)
	}
	if len(name) > MaxGroupBytes {
		return fmt.Errorf("The specified group: %s, is longer than group max length: %d", shown(name), MaxGroupBytes)
	}
	return nil
}

// SafeName says whether a name may become part of a path: the characters of a
// topic, and the '+' of the v2 pop retry topics.
func SafeName(name string) bool {
	if name == "" || len(name) > MaxRetryTopicBytes {
		return false
	}
	for i := 0; i < len(name); i++ {
		if !nameByte(name[i]) && name[i] != '+' {
			return false
		}
	}
	return true
}
