// SPDX-License-Identifier: Apache-2.0

// GET_ROUTEINFO_BY_TOPIC(105), GET_BROKER_CLUSTER_INFO(106), GET_ALL_TOPIC_LIST_FROM_NAMESERVER(206),
// DELETE_TOPIC_IN_NAMESRV(216), REGISTER_TOPIC_IN_NAMESRV(217), GET_TOPICS_BY_CLUSTER(224), WIPE_WRITE_PERM_OF_BROKER(205),
// ADD_WRITE_PERM_OF_BROKER(327). Java: TopicRouteData, BrokerData, QueueData, ClusterInfo, TopicList and the header
// classes of those requests.

package protocol

import (
	"slices"
	"strconv"
)

type RouteHeader struct {
	Topic                  string `rmq:"topic"`
	AcceptStandardJSONOnly *bool  `rmq:"acceptStandardJsonOnly"`
	RPC
}

// TopicRoute says which brokers serve a topic and with how many queues.
type TopicRoute struct {
	BrokerDatas       []BrokerData        `json:"brokerDatas"`
	FilterServerTable map[string][]string `json:"filterServerTable"`
	// OrderTopicConf is nil when there is none: Java reads a present but empty one differently.
	OrderTopicConf *string     `json:"orderTopicConf,omitempty"`
	QueueDatas     []QueueData `json:"queueDatas"`
	// Mappings is nil for all but static topics; by Broker name.
	Mappings map[string]*TopicQueueMapping `json:"topicQueueMappingByBroker,omitempty"`
}

// BrokerData is one broker name with the addresses of its members; id 0 is the master.
type BrokerData struct {
	BrokerAddrs        map[int64]string `json:"brokerAddrs"`
	BrokerName         string           `json:"brokerName"`
	Cluster            string           `json:"cluster"`
	EnableActingMaster bool             `json:"enableActingMaster"`
	ZoneName           string           `json:"zoneName,omitempty"`
}

// QueueData says how many queues of a topic one broker name has.
type QueueData struct {
	BrokerName     string `json:"brokerName"`
	Perm           int32  `json:"perm"`
	ReadQueueNums  int32  `json:"readQueueNums"`
	TopicSysFlag   int32  `json:"topicSysFlag"`
	WriteQueueNums int32  `json:"writeQueueNums"`
}

// Encode returns the route as JSON without any blank, which the official Go client cannot skip. With standard false
// the ids in brokerAddrs stand without quotes, as clients before 4.9.4 are answered.
func (r *TopicRoute) Encode(standard bool) ([]byte, error) {
	b := append(make([]byte, 0, 256), `{"brokerDatas":[`...)
	for i := range r.BrokerDatas {
		b = appendComma(b, i)
		b = r.BrokerDatas[i].append(b, standard)
	}
	b = append(b, `],"filterServerTable":{`...)
	for i, addr := range sortedKeys(r.FilterServerTable) {
		b = appendComma(b, i)
		b = append(appendJSONString(b, addr), `:[`...)
		for j, server := range r.FilterServerTable[addr] {
			b = appendComma(b, j)
			b = appendJSONString(b, server)
		}
		b = append(b, ']')
	}
	b = append(b, '}')
	if r.OrderTopicConf != nil {
		b = append(b, `,"orderTopicConf":`...)
		b = appendJSONString(b, *r.OrderTopicConf)
	}
	b = append(b, `,"queueDatas":[`...)
	for i := range r.QueueDatas {
		b = appendComma(b, i)
		b = r.QueueDatas[i].append(b)
	}
	b = append(b, ']')
	for i, name := range sortedKeys(r.Mappings) {
		if i == 0 {
			b = append(b, `,"topicQueueMappingByBroker":{`...)
		}
		b = appendComma(b, i)
		b = append(appendJSONString(b, name), ':')
		b = r.Mappings[name].append(b, standard)
	}
	if len(r.Mappings) > 0 {
		b = append(b, '}')
	}
	return append(b, '}'), nil
}

func (d *BrokerData) append(b []byte, standard bool) []byte {
	b = append(b, `{"brokerAddrs":{`...)
	for i, id := range sortedKeys(d.BrokerAddrs) {
		b = appendComma(b, i)
		b = appendIntegerKey(b, id, standard)
		b = appendJSONString(b, d.BrokerAddrs[id])
	}
	b = append(b, `},"brokerName":`...)
	b = appendJSONString(b, d.BrokerName)
	b = append(b, `,"cluster":`...)
	b = appendJSONString(b, d.Cluster)
	b = append(b, `,"enableActingMaster":`...)
	b = strconv.AppendBool(b, d.EnableActingMaster)
	if d.ZoneName != "" {
		b = append(b, `,"zoneName":`...)
		b = appendJSONString(b, d.ZoneName)
	}
	return append(b, '}')
}

func (q *QueueData) append(b []byte) []byte {
	b = append(b, `{"brokerName":`...)
	b = appendJSONString(b, q.BrokerName)
	b = append(b, `,"perm":`...)
	b = strconv.AppendInt(b, int64(q.Perm), 10)
	b = append(b, `,"readQueueNums":`...)
	b = strconv.AppendInt(b, int64(q.ReadQueueNums), 10)
	b = append(b, `,"topicSysFlag":`...)
	b = strconv.AppendInt(b, int64(q.TopicSysFlag), 10)
	b = append(b, `,"writeQueueNums":`...)
	b = strconv.AppendInt(b, int64(q.WriteQueueNums), 10)
	return append(b, '}')
}

func appendComma(b []byte, i int) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	return b
}

func sortedKeys[K int64 | string, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// ClusterInfo is the body that answers GET_BROKER_CLUSTER_INFO, which has no header.
type ClusterInfo struct {
	BrokerAddrTable  map[string]BrokerData `json:"brokerAddrTable"`
	ClusterAddrTable map[string][]string   `json:"clusterAddrTable"` // cluster to broker names
}

// TopicList is the body that answers several requests for topic names.
type TopicList struct {
	BrokerAddr string   `json:"brokerAddr,omitempty"`
	TopicList  []string `json:"topicList"`
}

type DeleteTopicInNamesrvHeader struct {
	Topic       string `rmq:"topic"`
	ClusterName string `rmq:"clusterName,omitempty"`
	RPC
}

// RegisterTopicHeader registers one topic; the body is a TopicRoute of which only the queues count.
type RegisterTopicHeader struct {
	Topic string `rmq:"topic"`
	RPC
}

// TopicsByClusterHeader is answered by a TopicList in the body.
type TopicsByClusterHeader struct {
	Cluster string `rmq:"cluster"`
}

type WipeWritePermHeader struct {
	BrokerName string `rmq:"brokerName"`
}

type WipeWritePermResult struct {
	WipeTopicCount int32 `rmq:"wipeTopicCount"`
}

type AddWritePermHeader struct {
	BrokerName string `rmq:"brokerName"`
}

type AddWritePermResult struct {
	AddTopicCount int32 `rmq:"addTopicCount"`
}
