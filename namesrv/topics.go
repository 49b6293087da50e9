// SPDX-License-Identifier: Apache-2.0

// topics.go: WIPE_WRITE_PERM_OF_BROKER(205), GET_ALL_TOPIC_LIST_FROM_NAMESERVER(206), DELETE_TOPIC_IN_NAMESRV(216),
// REGISTER_TOPIC_IN_NAMESRV(217), GET_TOPICS_BY_CLUSTER(224), GET_SYSTEM_TOPIC_LIST_FROM_NS(304), GET_UNIT_TOPIC_LIST(311),
// GET_HAS_UNIT_SUB_TOPIC_LIST(312), GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST(313), ADD_WRITE_PERM_OF_BROKER(327).
// Sent by mqadmin; 217 by brokers. Java: DefaultRequestProcessor, RouteInfoManager.
// Outcomes: Success; SystemError "disable" for lists that are switched off.
// Deviations: lists are sorted; 217 leaves out topics with impossible names or queue numbers.

package namesrv

import (
	"context"
	"maps"
	"slices"

	"rocketd/compat/fastjson"
	"rocketd/protocol"
	"rocketd/remoting"
)

func (s *Server) wipeWritePerm(_ context.Context, c *remoting.Call, h *protocol.WipeWritePermHeader) (*protocol.WipeWritePermResult, error) {
	n := s.registry.changePerm(h.BrokerName, func(perm int32) int32 { return perm &^ protocol.PermWrite })
	s.log.Info().Str("broker", h.BrokerName).Str("peer", remoteAddr(c)).Int32("topics", n).Msg("write permission wiped")
	return &protocol.WipeWritePermResult{WipeTopicCount: n}, nil
}

func (s *Server) addWritePerm(_ context.Context, c *remoting.Call, h *protocol.AddWritePermHeader) (*protocol.AddWritePermResult, error) {
	n := s.registry.changePerm(h.BrokerName, func(int32) int32 { return protocol.PermRead | protocol.PermWrite })
	s.log.Info().Str("broker", h.BrokerName).Str("peer", remoteAddr(c)).Int32("topics", n).Msg("write permission added")
	return &protocol.AddWritePermResult{AddTopicCount: n}, nil
}

// changePerm changes the permission of all topics of a broker name and returns how many there are. It lasts until
// the broker announces a new data version.
func (r *registry) changePerm(brokerName string, to func(perm int32) int32) (n int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, byBroker := range r.topics {
		if q, ok := byBroker[brokerName]; ok {
			q.Perm = to(q.Perm)
			byBroker[brokerName] = q
			n++
		}
	}
	return n
}

func (s *Server) deleteTopic(_ context.Context, _ *remoting.Call, h *protocol.DeleteTopicInNamesrvHeader) (*protocol.Empty, error) {
	s.registry.deleteTopic(h.Topic, h.ClusterName)
	s.log.Info().Str("topic", h.Topic).Str("cluster", h.ClusterName).Msg("topic's route deleted")
	return nil, nil
}

// deleteTopic forgets a topic's route, in one cluster or, when cluster is empty, everywhere.
func (r *registry) deleteTopic(topic, cluster string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range slices.Collect(maps.Keys(r.topics[topic])) {
		_, inCluster := r.clusters[cluster][name]
		if cluster == "" || inCluster {
			r.dropQueues(topic, name)
		}
	}
}

func (s *Server) registerTopic(_ context.Context, c *remoting.Call, h *protocol.RegisterTopicHeader) (*protocol.Empty, error) {
	if len(c.Request().Body) == 0 {
		return nil, nil
	}
	var route protocol.TopicRoute
	if err := fastjson.Unmarshal(c.Request().Body, &route); err != nil {
		return nil, protocol.Errorf(protocol.SystemError, "decode TopicRouteData: %v", err)
	}
	if !s.registry.addRoute(h.Topic, route.QueueDatas, int(s.config().MaxRegisteredTopics)) {
		s.log.Warn().Str("topic", clip(h.Topic)).Msg("topic registration names unknown brokers or cannot be routed")
	}
	return nil, nil
}

// addRoute stores a topic's queues, up to the first that no known broker serves.
func (r *registry) addRoute(topic string, queues []protocol.QueueData, maxPairs int) bool {
	if !validTopic(topic) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, q := range queues {
		if r.brokers[q.BrokerName] == nil || !validQueueNums(q.ReadQueueNums, q.WriteQueueNums) || r.pairs >= maxPairs {
			return false
		}
		r.setQueues(topic, q)
	}
	return true
}

func (s *Server) allTopics(_ context.Context, c *remoting.Call, _ *protocol.Empty) (*protocol.Empty, error) {
	return s.listTopics(c, s.config().EnableAllTopicList, anyTopic)
}

func (s *Server) topicsByCluster(_ context.Context, c *remoting.Call, h *protocol.TopicsByClusterHeader) (*protocol.Empty, error) {
	return s.listTopics(c, s.config().EnableTopicList, func(r *registry, byBroker map[string]protocol.QueueData) bool {
		for name := range byBroker {
			if _, ok := r.clusters[h.Cluster][name]; ok {
				return true
			}
		}
		return false
	})
}

func (s *Server) unitTopics(_ context.Context, c *remoting.Call, _ *protocol.Empty) (*protocol.Empty, error) {
	return s.listTopics(c, s.config().EnableTopicList, flagged(protocol.TopicFlagUnit, 0))
}

func (s *Server) unitSubTopics(_ context.Context, c *remoting.Call, _ *protocol.Empty) (*protocol.Empty, error) {
	return s.listTopics(c, s.config().EnableTopicList, flagged(protocol.TopicFlagUnitSub, 0))
}

func (s *Server) unitSubPlainTopics(_ context.Context, c *remoting.Call, _ *protocol.Empty) (*protocol.Empty, error) {
	return s.listTopics(c, s.config().EnableTopicList, flagged(protocol.TopicFlagUnitSub, protocol.TopicFlagUnit))
}

type topicFilter func(r *registry, byBroker map[string]protocol.QueueData) bool

func anyTopic(*registry, map[string]protocol.QueueData) bool { return true }

// flagged picks topics whose flag has all bits of with and none of without. All brokers of a topic should agree; Java
// asks an arbitrary one, we ask the first by name.
func flagged(with, without int32) topicFilter {
	return func(_ *registry, byBroker map[string]protocol.QueueData) bool {
		flag := byBroker[slices.Min(slices.Collect(maps.Keys(byBroker)))].TopicSysFlag
		return flag&with == with && flag&without == 0
	}
}

// listTopics answers the names of the topics that pick chooses.
func (s *Server) listTopics(c *remoting.Call, enabled bool, pick topicFilter) (*protocol.Empty, error) {
	if !enabled {
		return nil, protocol.Errorf(protocol.SystemError, "disable")
	}
	return nil, setJSON(c, protocol.TopicList{TopicList: s.registry.topicNames(pick)})
}

func (r *registry) topicNames(pick topicFilter) []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	names := make([]string, 0, len(r.topics))
	for topic, byBroker := range r.topics {
		if pick(r, byBroker) {
			names = append(names, topic)
		}
	}
	slices.Sort(names)
	return names
}

// systemTopics answers the topics named after clusters and brokers, and the address of any broker.
func (s *Server) systemTopics(_ context.Context, c *remoting.Call, _ *protocol.Empty) (*protocol.Empty, error) {
	return nil, setJSON(c, s.registry.systemTopics())
}

func (r *registry) systemTopics() protocol.TopicList {
	r.mu.RLock()
	defer r.mu.RUnlock()
	names := map[string]struct{}{}
	for cluster, brokers := range r.clusters {
		names[cluster] = struct{}{}
		maps.Copy(names, brokers)
	}
	list := protocol.TopicList{TopicList: slices.AppendSeq([]string{}, maps.Keys(names))}
	slices.Sort(list.TopicList)
	for _, name := range slices.Sorted(maps.Keys(r.brokers)) {
		g := r.brokers[name]
		list.BrokerAddr = g.addrs[g.minID()]
		break
	}
	return list
}
