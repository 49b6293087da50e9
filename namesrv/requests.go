// SPDX-License-Identifier: Apache-2.0

// requests.go: every request that a NameServer answers, in the order of protocol/codes.go.
// Java: DefaultRequestProcessor, ClientRequestProcessor.

package namesrv

import (
	"rocketd/protocol"
	"rocketd/remoting"
)

func (s *Server) requests() *remoting.Mux {
	m := remoting.NewMux(s.log)
	route := remoting.NewLane("route", 0, true) // reads memory only: no need to leave the connection's reader
	other := remoting.NewLane("default", int(s.config().DefaultThreadPoolQueueCapacity), false)

	remoting.Handle(m, protocol.PutKVConfig, other, s.putKV)
	remoting.Handle(m, protocol.GetKVConfig, other, s.getKV)
	remoting.Handle(m, protocol.DeleteKVConfig, other, s.deleteKV)
	remoting.Handle(m, protocol.RegisterBroker, other, s.registerBroker)
	remoting.Handle(m, protocol.UnregisterBroker, other, s.unregisterBroker)
	remoting.Handle(m, protocol.GetRouteInfoByTopic, route, s.route)
	remoting.Handle(m, protocol.GetBrokerClusterInfo, other, s.clusterInfo)
	remoting.Handle(m, protocol.WipeWritePermOfBroker, other, s.wipeWritePerm)
	remoting.Handle(m, protocol.GetAllTopicListFromNameServer, other, s.allTopics)
	remoting.Handle(m, protocol.DeleteTopicInNamesrv, other, s.deleteTopic)
	remoting.Handle(m, protocol.RegisterTopicInNamesrv, other, s.registerTopic)
	remoting.Handle(m, protocol.GetKVListByNamespace, other, s.listKV)
	remoting.Handle(m, protocol.GetTopicsByCluster, other, s.topicsByCluster)
	remoting.Handle(m, protocol.GetSystemTopicListFromNS, other, s.systemTopics)
	remoting.Handle(m, protocol.GetUnitTopicList, other, s.unitTopics)
	remoting.Handle(m, protocol.GetHasUnitSubTopicList, other, s.unitSubTopics)
	remoting.Handle(m, protocol.GetHasUnitSubUnunitTopicList, other, s.unitSubPlainTopics)
	remoting.Handle(m, protocol.UpdateNamesrvConfig, other, s.updateConfig)
	remoting.Handle(m, protocol.GetNamesrvConfig, other, s.getConfig)
	remoting.Handle(m, protocol.QueryDataVersion, other, s.queryDataVersion)
	remoting.Handle(m, protocol.AddWritePermOfBroker, other, s.addWritePerm)
	remoting.Handle(m, protocol.GetBrokerMemberGroup, other, s.memberGroup)
	remoting.Handle(m, protocol.BrokerHeartbeat, other, s.heartbeat)
	return m
}
