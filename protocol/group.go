// SPDX-License-Identifier: Apache-2.0

// UPDATE_AND_CREATE_SUBSCRIPTIONGROUP(200), GET_ALL_SUBSCRIPTIONGROUP_CONFIG(201), DELETE_SUBSCRIPTIONGROUP(207),
// UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST(225), GET_SUBSCRIPTIONGROUP_CONFIG(352). Java: SubscriptionGroupConfig,
// SubscriptionGroupWrapper, SubscriptionGroupList, GroupRetryPolicy and the header classes of those requests.

package protocol

import "rocketd/compat/fastjson"

// GroupConfig is a consumer group's settings, as it travels and as it stands in subscriptionGroup.json.
type GroupConfig struct {
	Attributes                     map[string]string    `json:"attributes"`
	BrokerID                       int64                `json:"brokerId"`
	ConsumeBroadcastEnable         bool                 `json:"consumeBroadcastEnable"`
	ConsumeEnable                  bool                 `json:"consumeEnable"`
	ConsumeFromMinEnable           bool                 `json:"consumeFromMinEnable"`
	ConsumeMessageOrderly          bool                 `json:"consumeMessageOrderly"`
	ConsumeTimeoutMinute           int32                `json:"consumeTimeoutMinute"`
	GroupName                      string               `json:"groupName"`
	GroupRetryPolicy               *RetryPolicy         `json:"groupRetryPolicy,omitempty"`
	GroupSysFlag                   int32                `json:"groupSysFlag"`
	NotifyConsumerIDsChangedEnable bool                 `json:"notifyConsumerIdsChangedEnable"`
	RetryMaxTimes                  int32                `json:"retryMaxTimes"`
	RetryQueueNums                 int32                `json:"retryQueueNums"`
	SubscriptionDataSet            []SimpleSubscription `json:"subscriptionDataSet,omitempty"`
	WhichBrokerWhenConsumeSlowly   int64                `json:"whichBrokerWhenConsumeSlowly"`
}

// NewGroupConfig returns Java's defaults.
func NewGroupConfig(name string) *GroupConfig {
	c := groupDefaults()
	c.GroupName = name
	return &c
}

func groupDefaults() GroupConfig {
	return GroupConfig{
		Attributes:                     map[string]string{},
		ConsumeBroadcastEnable:         true,
		ConsumeEnable:                  true,
		ConsumeFromMinEnable:           true,
		ConsumeTimeoutMinute:           15,
		GroupRetryPolicy:               &RetryPolicy{Type: RetryCustomized},
		NotifyConsumerIDsChangedEnable: true,
		RetryMaxTimes:                  16,
		RetryQueueNums:                 1,
		WhichBrokerWhenConsumeSlowly:   1,
	}
}

// UnmarshalJSON reads a group's settings; members that are missing have their defaults.
func (c *GroupConfig) UnmarshalJSON(data []byte) error {
	type plain GroupConfig
	p := plain(groupDefaults())
	if err := fastjson.Unmarshal(data, &p); err != nil {
		return err
	}
	*c = GroupConfig(p)
	return nil
}

// Values of RetryPolicy.Type.
const (
	RetryCustomized  = "CUSTOMIZED"
	RetryExponential = "EXPONENTIAL"
)

// RetryPolicy is how long to wait before each further delivery of a message. Only the Proxy goes by it: a Broker keeps it.
type RetryPolicy struct {
	CustomizedRetryPolicy  *CustomizedRetry  `json:"customizedRetryPolicy,omitempty"`
	ExponentialRetryPolicy *ExponentialRetry `json:"exponentialRetryPolicy,omitempty"`
	Type                   string            `json:"type,omitempty"` // empty where it was none of the two
}

// UnmarshalJSON reads a policy; one without a type is CUSTOMIZED.
func (p *RetryPolicy) UnmarshalJSON(data []byte) error {
	type plain RetryPolicy
	read := plain{Type: RetryCustomized}
	if err := fastjson.Unmarshal(data, &read); err != nil {
		return err
	}
	if read.Type != RetryCustomized && read.Type != RetryExponential {
		read.Type = ""
	}
	*p = RetryPolicy(read)
	return nil
}

type CustomizedRetry struct {
	NextMs []int64 `json:"next,omitzero"`
}

// UnmarshalJSON reads the delays; where they are missing, they are those of the delay levels.
func (r *CustomizedRetry) UnmarshalJSON(data []byte) error {
	type plain CustomizedRetry
	const second, minute, hour = 1000, 60_000, 3_600_000
	read := plain{NextMs: []int64{1 * second, 5 * second, 10 * second, 30 * second, 1 * minute, 2 * minute, 3 * minute, 4 * minute, 5 * minute,
		6 * minute, 7 * minute, 8 * minute, 9 * minute, 10 * minute, 20 * minute, 30 * minute, 1 * hour, 2 * hour}}
	if err := fastjson.Unmarshal(data, &read); err != nil {
		return err
	}
	*r = CustomizedRetry(read)
	return nil
}

type ExponentialRetry struct {
	InitialMs  int64 `json:"initial"`
	MaxMs      int64 `json:"max"`
	Multiplier int64 `json:"multiplier"`
}

// UnmarshalJSON reads the figures; those that are missing have their defaults.
func (r *ExponentialRetry) UnmarshalJSON(data []byte) error {
	type plain ExponentialRetry
	read := plain{InitialMs: 5000, MaxMs: 7_200_000, Multiplier: 2}
	if err := fastjson.Unmarshal(data, &read); err != nil {
		return err
	}
	*r = ExponentialRetry(read)
	return nil
}

type SimpleSubscription struct {
	Expression     string `json:"expression"`
	ExpressionType string `json:"expressionType"`
	Topic          string `json:"topic"`
	Version        int64  `json:"version"`
}

// GroupConfigList is the body of UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST.
type GroupConfigList struct {
	GroupConfigList []*GroupConfig `json:"groupConfigList"`
}

// GroupConfigTableHeader asks for all groups; tools of 5.3.3 and later page through them.
type GroupConfigTableHeader struct {
	GroupSeq    *int32  `rmq:"groupSeq"`
	DataVersion *string `rmq:"dataVersion"` // JSON text, or empty
	MaxGroupNum *int32  `rmq:"maxGroupNum"`
}

// GroupConfigTableResult without the number means that the body holds all groups.
type GroupConfigTableResult struct {
	TotalGroupNum *int32 `rmq:"totalGroupNum"`
}

// GroupConfigTable answers GroupConfigTableHeader in the body.
type GroupConfigTable struct {
	DataVersion            DataVersion                 `json:"dataVersion"`
	ForbiddenTable         map[string]map[string]int32 `json:"forbiddenTable"`
	SubscriptionGroupTable map[string]*GroupConfig     `json:"subscriptionGroupTable"`
}

type DeleteGroupHeader struct {
	GroupName   string `rmq:"groupName,required"`
	CleanOffset bool   `rmq:"cleanOffset"`
	RPC
}

type GetGroupConfigHeader struct {
	Group string `rmq:"group,required"`
	RPC
}

// GroupForbiddenHeader, UPDATE_AND_GET_GROUP_FORBIDDEN(353).
type GroupForbiddenHeader struct {
	Group    string `rmq:"group,required"`
	Topic    string `rmq:"topic,required"`
	Readable *bool  `rmq:"readable"` // absent: only ask
	RPC
}

type GroupForbidden struct {
	Group    string `json:"group"`
	Readable bool   `json:"readable"`
	Topic    string `json:"topic"`
}

// TopicConsumersHeader, QUERY_TOPIC_CONSUME_BY_WHO(300).
type TopicConsumersHeader struct {
	Topic string `rmq:"topic,required"`
	RPC
}

type GroupList struct {
	GroupList []string `json:"groupList"`
}

// ConsumedTopicsHeader, QUERY_TOPICS_BY_CONSUMER(343).
type ConsumedTopicsHeader struct {
	Group string `rmq:"group,required"`
	RPC
}

// GroupSubscriptionHeader, QUERY_SUBSCRIPTION_BY_CONSUMER(345).
type GroupSubscriptionHeader struct {
	Group string `rmq:"group,required"`
	Topic string `rmq:"topic,required"`
	RPC
}

type GroupSubscription struct {
	Group            string            `json:"group"`
	SubscriptionData *SubscriptionData `json:"subscriptionData,omitempty"`
	Topic            string            `json:"topic"`
}
