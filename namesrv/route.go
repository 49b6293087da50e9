// SPDX-License-Identifier: Apache-2.0

// route.go: GET_ROUTEINFO_BY_TOPIC(105), GET_BROKER_CLUSTER_INFO(106). Sent by every client, broker and tool.
// Java: ClientRequestProcessor, RouteInfoManager.pickupTopicRouteData. Outcomes of 105: Success, TopicNotExist.
// Clients older than V4_9_4 read numbers as map keys only without quotes around them; newer ones get standard JSON.
// Deviations: 106 always quotes its keys, which every client reads; queues and brokers come in the order of their names.

package namesrv

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"rocketd/compat/fastjson"
	"rocketd/protocol"
	"rocketd/remoting"
)

const (
	versionStandardJSON = 401 // V4_9_4
	suggestTopic        = "\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details."

	// syncMemberPrefix starts the names of topics whose route must show the slaves as slaves.
	syncMemberPrefix = "rmq_sys_SYNC_BROKER_MEMBER_"
)

func (s *Server) route(_ context.Context, c *remoting.Call, h *protocol.RouteHeader) (*protocol.Empty, error) {
	cfg := s.config()
	if cfg.NeedWaitForService && s.clock.Since(s.started) < time.Duration(cfg.WaitSecondsForService)*time.Second {
		return nil, protocol.Errorf(protocol.SystemError, "name server not ready")
	}
	route, ok := s.registry.route(h.Topic, cfg.SupportActingMaster)
	if !ok {
		return nil, protocol.Errorf(protocol.TopicNotExist, "No topic route info in name server for the topic: %s%s", h.Topic, suggestTopic)
	}
	if cfg.OrderMessageEnable {
		if order, ok := s.kv.get(protocol.NamespaceOrderTopic, h.Topic); ok {
			route.OrderTopicConf = &order
		}
	}
	standard := c.Request().Version >= versionStandardJSON || (h.AcceptStandardJSONOnly != nil && *h.AcceptStandardJSONOnly)
	body, err := route.Encode(standard)
	if err != nil {
		return nil, err
	}
	c.SetBody(body)
	return nil, nil
}

// route returns where a topic is served; the answer shares nothing with the registry.
func (r *registry) route(topic string, actingMaster bool) (*protocol.TopicRoute, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	byBroker := r.topics[topic]
	route := &protocol.TopicRoute{FilterServerTable: map[string][]string{}, Mappings: maps.Clone(r.mappings[topic])}
	for _, name := range slices.Sorted(maps.Keys(byBroker)) {
		route.QueueDatas = append(route.QueueDatas, byBroker[name])
		if r.brokers[name] == nil {
			continue
		}
		data := r.brokerData(name)
		for _, addr := range data.BrokerAddrs {
			if servers := r.filters[endpoint{data.Cluster, addr}]; len(servers) > 0 {
				route.FilterServerTable[addr] = servers
			}
		}
		if actingMaster && !strings.HasPrefix(topic, syncMemberPrefix) {
			actAsMaster(&data, byBroker[name])
		}
		route.BrokerDatas = append(route.BrokerDatas, data)
	}
	return route, len(route.BrokerDatas) > 0
}

// actAsMaster shows the lowest slave of a broker name without master under the master's id, so that consumers go on.
// Only a read-only topic qualifies: producers must not take the slave for a master.
func actAsMaster(data *protocol.BrokerData, q protocol.QueueData) {
	if !data.EnableActingMaster || len(data.BrokerAddrs) == 0 || q.Perm&protocol.PermWrite != 0 {
		return
	}
	if _, ok := data.BrokerAddrs[masterID]; ok {
		return
	}
	lowest := slices.Min(slices.Collect(maps.Keys(data.BrokerAddrs)))
	data.BrokerAddrs[masterID] = data.BrokerAddrs[lowest]
	delete(data.BrokerAddrs, lowest)
}

func (s *Server) clusterInfo(_ context.Context, c *remoting.Call, _ *protocol.Empty) (*protocol.Empty, error) {
	return nil, setJSON(c, s.registry.clusterInfo())
}

// setJSON makes v the answer's body.
func setJSON(c *remoting.Call, v any) error {
	body, err := fastjson.Marshal(v)
	if err != nil {
		return err
	}
	c.SetBody(body)
	return nil
}
