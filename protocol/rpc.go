// SPDX-License-Identifier: Apache-2.0

// What many request headers have in common. Java: RpcRequestHeader, TopicRequestHeader.

package protocol

// RPC holds the fields that Java's request headers inherit. All are optional and every handler must tolerate them.
type RPC struct {
	Namespace  string `rmq:"ns,omitempty" v2:"ns,omitempty"`
	Namespaced *bool  `rmq:"nsd" v2:"nsd"`
	BrokerName string `rmq:"bname,omitempty" v2:"n,omitempty"`
	Oneway     *bool  `rmq:"oway" v2:"oway"`
	Logical    *bool  `rmq:"lo" v2:"lo"` // the topic is a static (logical) one
}

// Extension fields that belong to no header class.
const (
	ExtRegion             = "MSG_REGION"
	ExtTraceOn            = "TRACE_ON"
	ExtUniqueKeyQuery     = "_UNIQUE_KEY_QUERY"
	ExtHeartbeatV2        = "IS_SUPPORT_HEART_BEAT_V2"
	ExtSubscriptionChange = "IS_SUB_CHANGE"
	ExtRequestType        = "ReqT"
	ExtAccessKey          = "AccessKey"
	ExtSignature          = "Signature"
	ExtSecurityToken      = "SecurityToken"
	ExtZoneName           = "__ZONE_NAME"
	ExtZoneMode           = "__ZONE_MODE"
)

// Empty is the header of commands that have none.
type Empty struct{}
