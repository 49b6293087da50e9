// SPDX-License-Identifier: Apache-2.0

// REGISTER_BROKER(103), UNREGISTER_BROKER(104), QUERY_DATA_VERSION(322), BROKER_HEARTBEAT(904),
// GET_BROKER_MEMBER_GROUP(901). Java: RegisterBrokerBody, BrokerMemberGroup, GetBrokerMemberGroupResponseBody and the
// header classes of those requests. Compressed bodies: register_zip.go.

package protocol

import (
	"hash/crc32"

	"rocketd/compat/fastjson"
)

type RegisterBrokerHeader struct {
	BrokerName         string `rmq:"brokerName"`
	BrokerAddr         string `rmq:"brokerAddr"`
	ClusterName        string `rmq:"clusterName"`
	HAServerAddr       string `rmq:"haServerAddr"`
	BrokerID           int64  `rmq:"brokerId,required"`
	HeartbeatTimeoutMs *int64 `rmq:"heartbeatTimeoutMillis"`
	EnableActingMaster *bool  `rmq:"enableActingMaster"`
	Compressed         bool   `rmq:"compressed"`
	BodyCRC32          int32  `rmq:"bodyCrc32"` // BodyCRC32 of the body as sent; 0 = unchecked
}

// RegisterBrokerResult tells a slave where its master is. The body is a KVTable of NamespaceOrderTopic.
type RegisterBrokerResult struct {
	HAServerAddr *string `rmq:"haServerAddr"`
	MasterAddr   *string `rmq:"masterAddr"`
}

// RegisterBrokerBody is what a broker registers.
type RegisterBrokerBody struct {
	FilterServerList            []string         `json:"filterServerList"`
	TopicConfigSerializeWrapper TopicConfigTable `json:"topicConfigSerializeWrapper"`
}

// BodyCRC32 returns the checksum that RegisterBrokerHeader carries.
func BodyCRC32(body []byte) int32 {
	return int32(crc32.ChecksumIEEE(body) & 0x7FFFFFFF)
}

// Versions at which the registration changed, as ordinals of Java's MQVersion.
const (
	versionRegisterBody = 37  // V3_0_11: before, the body is a bare TopicConfigTable
	versionMapping      = 413 // V5_0_0: compressed bodies carry the mappings of static topics
)

// DecodeRegisterBrokerBody reads the body of a registration that a broker of that version has sent.
func DecodeRegisterBrokerBody(body []byte, compressed bool, version int32) (*RegisterBrokerBody, error) {
	r := new(RegisterBrokerBody)
	switch {
	case len(body) == 0:
		return r, nil
	case version < versionRegisterBody:
		return r, fastjson.Unmarshal(body, &r.TopicConfigSerializeWrapper)
	case compressed:
		return r, r.decodeCompressed(body, version >= versionMapping)
	default:
		return r, fastjson.Unmarshal(body, r)
	}
}

// Encode returns the body as this version of Java sends it.
func (r *RegisterBrokerBody) Encode(compressed bool) ([]byte, error) {
	if compressed {
		return r.encodeCompressed()
	}
	return fastjson.Marshal(r)
}

type UnregisterBrokerHeader struct {
	BrokerName  string `rmq:"brokerName"`
	BrokerAddr  string `rmq:"brokerAddr"`
	ClusterName string `rmq:"clusterName,required"`
	BrokerID    int64  `rmq:"brokerId,required"`
}

// QueryDataVersionHeader asks whether the version in the body differs from the registered one.
type QueryDataVersionHeader struct {
	BrokerName  string `rmq:"brokerName"`
	BrokerAddr  string `rmq:"brokerAddr,required"`
	ClusterName string `rmq:"clusterName,required"`
	BrokerID    int64  `rmq:"brokerId"`
}

// QueryDataVersionResult comes with the registered DataVersion in the body, if there is one.
type QueryDataVersionResult struct {
	Changed bool `rmq:"changed"`
}

// BrokerHeartbeatHeader is sent one-way to name servers and controllers.
type BrokerHeartbeatHeader struct {
	ClusterName        string `rmq:"clusterName,required"`
	BrokerAddr         string `rmq:"brokerAddr,required"`
	BrokerName         string `rmq:"brokerName"`
	BrokerID           *int64 `rmq:"brokerId"`
	Epoch              *int32 `rmq:"epoch"`
	MaxOffset          *int64 `rmq:"maxOffset"`
	ConfirmOffset      *int64 `rmq:"confirmOffset"`
	HeartbeatTimeoutMs *int64 `rmq:"heartbeatTimeoutMills"`
	ElectionPriority   *int32 `rmq:"electionPriority"`
}

type BrokerMemberGroupHeader struct {
	ClusterName string `rmq:"clusterName"`
	BrokerName  string `rmq:"brokerName"`
}

// BrokerMemberGroupBody answers BrokerMemberGroupHeader.
type BrokerMemberGroupBody struct {
	BrokerMemberGroup *BrokerMemberGroup `json:"brokerMemberGroup,omitempty"`
}

type BrokerMemberGroup struct {
	BrokerAddrs map[int64]string `json:"brokerAddrs"`
	BrokerName  string           `json:"brokerName"`
	Cluster     string           `json:"cluster"`
}
