// SPDX-License-Identifier: Apache-2.0

// UPDATE_AND_CREATE_TOPIC(17), UPDATE_AND_CREATE_TOPIC_LIST(18), GET_ALL_TOPIC_CONFIG(21), DELETE_TOPIC_IN_BROKER(215),
// GET_TOPIC_CONFIG(351). Java: TopicConfig, PermName, TopicFilterType, TopicConfigAndMappingSerializeWrapper,
// CreateTopicListRequestBody and the header classes of those requests.

package protocol

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"rocketd/compat/fastjson"
)

// Bits of TopicConfig.Perm and QueueData.Perm.
const (
	PermInherit  int32 = 1 << 0 // other topics may be created after this one
	PermWrite    int32 = 1 << 1
	PermRead     int32 = 1 << 2
	PermPriority int32 = 1 << 3
)

// PermString prints permissions as Java's tools do.
func PermString(perm int32) string {
	s := []byte("---")
	for i, bit := range []int32{PermRead, PermWrite, PermInherit} {
		if perm&bit != 0 {
			s[i] = "RWX"[i]
		}
	}
	return string(s)
}

// Values of TopicConfig.TopicFilterType.
const (
	SingleTag = "SINGLE_TAG"
	MultiTag  = "MULTI_TAG"
)

// Bits of TopicConfig.TopicSysFlag.
const (
	TopicFlagUnit    int32 = 1 << 0
	TopicFlagUnitSub int32 = 1 << 1
)

// Java's numbers for a topic that does not say how many queues it has.
const defaultQueueNums = 16

// TopicConfig is a topic's settings, as it travels and as it stands in topics.json.
type TopicConfig struct {
	Attributes      map[string]string `json:"attributes"`
	Order           bool              `json:"order"`
	Perm            int32             `json:"perm"`
	ReadQueueNums   int32             `json:"readQueueNums"`
	TopicFilterType string            `json:"topicFilterType"`
	TopicName       string            `json:"topicName"`
	TopicSysFlag    int32             `json:"topicSysFlag"`
	WriteQueueNums  int32             `json:"writeQueueNums"`
}

// NewTopicConfig returns Java's defaults with the given numbers.
func NewTopicConfig(name string, readQueueNums, writeQueueNums, perm int32) *TopicConfig {
	c := topicDefaults()
	c.TopicName, c.ReadQueueNums, c.WriteQueueNums, c.Perm = name, readQueueNums, writeQueueNums, perm
	return &c
}

func topicDefaults() TopicConfig {
	return TopicConfig{
		Attributes:      map[string]string{},
		Perm:            PermRead | PermWrite,
		ReadQueueNums:   defaultQueueNums,
		TopicFilterType: SingleTag,
		WriteQueueNums:  defaultQueueNums,
	}
}

// UnmarshalJSON reads a topic's settings; members that are missing have Java's defaults.
func (c *TopicConfig) UnmarshalJSON(data []byte) error {
	type plain TopicConfig
	p := plain(topicDefaults())
	if err := fastjson.Unmarshal(data, &p); err != nil {
		return err
	}
	*c = TopicConfig(p)
	return nil
}

// String prints the settings as Java's tools do.
func (c *TopicConfig) String() string {
	keys := make([]string, 0, len(c.Attributes))
	for k := range c.Attributes {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var attrs strings.Builder
	for i, k := range keys {
		if i > 0 {
			attrs.WriteString(", ")
		}
		attrs.WriteString(k + "=" + c.Attributes[k])
	}
	return fmt.Sprintf("TopicConfig [topicName=%s, readQueueNums=%d, writeQueueNums=%d, perm=%s, topicFilterType=%s, topicSysFlag=%d, order=%t, attributes={%s}]",
		c.TopicName, c.ReadQueueNums, c.WriteQueueNums, PermString(c.Perm), c.TopicFilterType, c.TopicSysFlag, c.Order, attrs.String())
}

// appendText appends the one-line form that stands in compressed registrations.
func (c *TopicConfig) appendText(dst []byte) ([]byte, error) {
	attrs := c.Attributes
	if attrs == nil {
		attrs = map[string]string{}
	}
	text, err := fastjson.Marshal(attrs)
	if err != nil {
		return nil, err
	}
	dst = fmt.Appendf(dst, "%s %d %d %d %s ", c.TopicName, c.ReadQueueNums, c.WriteQueueNums, c.Perm, c.TopicFilterType)
	return append(dst, text...), nil
}

// parseTopicText reads the one-line form. Attributes that cannot be read are dropped, as in Java.
func parseTopicText(text string) (*TopicConfig, error) {
	parts := strings.SplitN(text, " ", 6)
	if len(parts) < 5 {
		return nil, Errorf(SystemError, "topic config has %d parts, wanted 5", len(parts))
	}
	c := topicDefaults()
	c.TopicName, c.TopicFilterType = parts[0], parts[4]
	for i, n := range []*int32{&c.ReadQueueNums, &c.WriteQueueNums, &c.Perm} {
		v, err := strconv.ParseInt(parts[i+1], 10, 32)
		if err != nil {
			return nil, Errorf(SystemError, "topic config of %s has a bad number: %q", c.TopicName, parts[i+1])
		}
		*n = int32(v)
	}
	if len(parts) == 6 {
		var attrs map[string]string
		if err := fastjson.Unmarshal([]byte(parts[5]), &attrs); err == nil && attrs != nil {
			c.Attributes = attrs
		}
	}
	return &c, nil
}

type CreateTopicHeader struct {
	Topic           string `rmq:"topic,required"`
	DefaultTopic    string `rmq:"defaultTopic"`
	ReadQueueNums   int32  `rmq:"readQueueNums,required"`
	WriteQueueNums  int32  `rmq:"writeQueueNums,required"`
	Perm            int32  `rmq:"perm,required"`
	TopicFilterType string `rmq:"topicFilterType,required"`
	TopicSysFlag    *int32 `rmq:"topicSysFlag"`
	Order           bool   `rmq:"order"`
	Attributes      string `rmq:"attributes"` // "+key=value,-key"
	Force           *bool  `rmq:"force"`
	RPC
}

// CreateTopicList is the body of UPDATE_AND_CREATE_TOPIC_LIST.
type CreateTopicList struct {
	TopicConfigList []*TopicConfig `json:"topicConfigList"`
}

type DeleteTopicHeader struct {
	Topic string `rmq:"topic"`
	RPC
}

type GetTopicConfigHeader struct {
	Topic string `rmq:"topic,required"`
	RPC
}

// TopicConfigTableHeader asks for all topics; tools of 5.3.3 and later page through them.
type TopicConfigTableHeader struct {
	TopicSeq    *int32  `rmq:"topicSeq"`
	DataVersion *string `rmq:"dataVersion"` // JSON text, or empty
	MaxTopicNum *int32  `rmq:"maxTopicNum"`
}

// TopicConfigTableResult without the number means that the body holds all topics.
type TopicConfigTableResult struct {
	TotalTopicNum *int32 `rmq:"totalTopicNum"`
}

// TopicConfigTable answers TopicConfigTableHeader in the body and is what a broker registers. The mappings belong to
// static topics, which are passed through unread.
type TopicConfigTable struct {
	DataVersion                DataVersion             `json:"dataVersion"`
	MappingDataVersion         DataVersion             `json:"mappingDataVersion"`
	TopicConfigTable           map[string]*TopicConfig `json:"topicConfigTable"`
	TopicQueueMappingDetailMap map[string]fastjson.Raw `json:"topicQueueMappingDetailMap"`
	TopicQueueMappingInfoMap   map[string]fastjson.Raw `json:"topicQueueMappingInfoMap"`
}
