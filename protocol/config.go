// SPDX-License-Identifier: Apache-2.0

// PUT_KV_CONFIG(100), GET_KV_CONFIG(101), DELETE_KV_CONFIG(102), GET_KVLIST_BY_NAMESPACE(219), UPDATE_BROKER_CONFIG(25),
// GET_BROKER_CONFIG(26), UPDATE_NAMESRV_CONFIG(318), GET_NAMESRV_CONFIG(319). The configuration requests carry
// properties text in the body and no header. Java: the KV header classes, GetBrokerConfigResponseHeader.

package protocol

// NamespaceOrderTopic is the key-value namespace that says how ordered topics are spread over brokers.
const NamespaceOrderTopic = "ORDER_TOPIC_CONFIG"

type PutKVConfigHeader struct {
	Namespace string `rmq:"namespace"`
	Key       string `rmq:"key"`
	Value     string `rmq:"value"`
}

type GetKVConfigHeader struct {
	Namespace string `rmq:"namespace"`
	Key       string `rmq:"key"`
}

type GetKVConfigResult struct {
	Value *string `rmq:"value"`
}

type DeleteKVConfigHeader struct {
	Namespace string `rmq:"namespace"`
	Key       string `rmq:"key"`
}

// KVListHeader is answered by a KVTable in the body.
type KVListHeader struct {
	Namespace string `rmq:"namespace,required"`
}

// GetBrokerConfigResult carries the DataVersion of the configuration as JSON text.
type GetBrokerConfigResult struct {
	Version string `rmq:"version"`
}
