// SPDX-License-Identifier: Apache-2.0

// statictopic.go: the mappings of static topics, which Java Brokers register and routes carry. Java:
// RouteInfoManager.registerBroker, pickupTopicRouteData.
// Deviations: a mapping goes when its Broker's part of the topic goes (Java keeps it until it ends); one that names
// another Broker than the one that registers it, or more queues than a topic may have, is left out.

package namesrv

import (
	"rocketd/compat/fastjson"
	"rocketd/protocol"
)

// maxMappedQueues bounds what all mappings hold together.
const maxMappedQueues = 1 << 20

// takeMappings stores the mappings of topics that the broker serves, and returns how many it left out. The caller holds mu.
func (r *registry) takeMappings(reg *registration) (skipped int) {
	for topic, raw := range reg.mappings {
		var m protocol.TopicQueueMapping
		_, serves := r.topics[topic][reg.name]
		if !serves || fastjson.Unmarshal(raw, &m) != nil || m.BrokerName != reg.name || !validMapping(&m) {
			skipped++
			continue
		}
		r.dropMapping(topic, reg.name)
		if r.mapped+len(m.CurrIDMap)+1 > maxMappedQueues {
			skipped++
			continue
		}
		r.mapped += len(m.CurrIDMap) + 1
		if r.mappings[topic] == nil {
			r.mappings[topic] = map[string]*protocol.TopicQueueMapping{}
		}
		r.mappings[topic][reg.name] = &m
	}
	return skipped
}

func validMapping(m *protocol.TopicQueueMapping) bool {
	return len(m.CurrIDMap) <= maxQueueNums && m.TotalQueues >= 0 && m.TotalQueues <= maxQueueNums &&
		(m.Topic == "" || validTopic(m.Topic)) && (m.Scope == "" || validName(m.Scope))
}

// dropMapping forgets a mapping. The caller holds mu.
func (r *registry) dropMapping(topic, brokerName string) {
	m := r.mappings[topic][brokerName]
	if m == nil {
		return
	}
	r.mapped -= len(m.CurrIDMap) + 1
	delete(r.mappings[topic], brokerName)
	if len(r.mappings[topic]) == 0 {
		delete(r.mappings, topic)
	}
}
