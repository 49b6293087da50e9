// SPDX-License-Identifier: Apache-2.0

// requests.go: every request code that this broker answers, its lane and its
// function. Both ports serve this table.

package broker

import (
	"rocketd/protocol"
	"rocketd/remoting"
)

// lanes bound the requests in work, by kind. Names are those of Java's
// executors, limits those executors' queue capacities.
type lanes struct {
	send, sendBack, endTransaction, reply, pull, litePull, query, client, consumer, heartbeat, admin, loadBalance *remoting.Lane
}

func newLanes(cfg *Config) lanes {
	// The handlers of pulls, heartbeats and offsets leave the reader when they may have to wait for a disk. Those of offsets
	// and locks are on it because clients commit and unlock without waiting, and ask right afterwards.
	return lanes{
		send:           remoting.NewLane("send", int(cfg.SendThreadPoolQueueCapacity), true), // waits for nothing; what may is detached or parked
		sendBack:       remoting.NewLane("sendBack", int(cfg.SendThreadPoolQueueCapacity), false),
		endTransaction: remoting.NewLane("endTransaction", int(cfg.EndTransactionPoolQueueCapacity), false),
		reply:          remoting.NewLane("reply", int(cfg.ReplyThreadPoolQueueCapacity), false),
		pull:           remoting.NewLane("pull", int(cfg.PullThreadPoolQueueCapacity), true),
		litePull:       remoting.NewLane("litePull", int(cfg.LitePullThreadPoolQueueCapacity), true),
		query:          remoting.NewLane("query", int(cfg.QueryThreadPoolQueueCapacity), false),
		client:         remoting.NewLane("client", int(cfg.ClientManagerThreadPoolQueueCapacity), false),
		consumer:       remoting.NewLane("consumer", int(cfg.ConsumerManagerThreadPoolQueueCapacity), true),
		heartbeat:      remoting.NewLane("heartbeat", int(cfg.HeartbeatThreadPoolQueueCapacity), true),
		admin:          remoting.NewLane("admin", int(cfg.AdminBrokerThreadPoolQueueCapacity), false),
		loadBalance:    remoting.NewLane("loadBalance", int(cfg.LoadBalanceThreadPoolQueueCapacity), false),
	}
}

func (b *Broker) requests() *remoting.Mux {
	m := remoting.NewMux(b.log)
	b.clientRequests(m, b.lanes)
	b.toolRequests(m, b.lanes)
	return m
}

// clientRequests are what producers and consumers send.
func (b *Broker) clientRequests(m *remoting.Mux, l lanes) {
	// send.go, sendback.go, reply.go
	remoting.Handle(m, protocol.SendMessage, l.send, b.send)
	remoting.Handle(m, protocol.SendMessageV2, l.send, b.send, remoting.Keys("v2"))
	remoting.Handle(m, protocol.SendBatchMessage, l.send, b.send, remoting.Keys("v2"))
	remoting.Handle(m, protocol.ConsumerSendMsgBack, l.sendBack, b.sendBack)
	remoting.Handle(m, protocol.SendReplyMessage, l.reply, b.sendReply)
	remoting.Handle(m, protocol.SendReplyMessageV2, l.reply, b.sendReply, remoting.Keys("v2"))

	// transaction.go
	remoting.Handle(m, protocol.EndTransaction, l.endTransaction, b.endTransaction)

	// pull.go
	remoting.Handle(m, protocol.PullMessage, l.pull, b.pull)
	remoting.Handle(m, protocol.LitePullMessage, l.litePull, b.pull)

	// query.go
	remoting.Handle(m, protocol.QueryMessage, l.query, b.queryMessage)
	remoting.Handle(m, protocol.ViewMessageByID, l.query, b.viewMessage)
	remoting.Handle(m, protocol.SearchOffsetByTimestamp, l.admin, b.searchOffset)
	remoting.Handle(m, protocol.GetMaxOffset, l.admin, b.maxOffset)
	remoting.Handle(m, protocol.GetMinOffset, l.admin, b.minOffset)
	remoting.Handle(m, protocol.QueryConsumeQueue, l.admin, b.consumeQueue)

	// offset.go
	remoting.Handle(m, protocol.QueryConsumerOffset, l.consumer, b.queryConsumerOffset)
	remoting.Handle(m, protocol.UpdateConsumerOffset, l.consumer, b.updateConsumerOffset)

	// assignment.go
	remoting.Handle(m, protocol.QueryAssignment, l.loadBalance, b.queryAssignment)

	// clients.go
	remoting.Handle(m, protocol.HeartBeat, l.heartbeat, b.heartbeat)
	remoting.Handle(m, protocol.UnregisterClient, l.client, b.unregisterClient)
	remoting.Handle(m, protocol.GetConsumerListByGroup, l.consumer, b.consumerList)
	remoting.Handle(m, protocol.CheckClientConfig, l.client, b.checkClientConfig)

	// recall.go
	remoting.Handle(m, protocol.RecallMessage, l.send, b.recallMessage)

	// lock.go
	remoting.Handle(m, protocol.LockBatchMQ, l.consumer, b.lockBatch)
	remoting.Handle(m, protocol.UnlockBatchMQ, l.consumer, b.unlockBatch)
}

// toolRequests are what mqadmin, dashboards and exporters send.
func (b *Broker) toolRequests(m *remoting.Mux, l lanes) {
	// admin_offset.go, resetoffset.go
	remoting.Handle(m, protocol.GetEarliestMsgStoreTime, l.admin, b.earliestStoreTime)
	remoting.Handle(m, protocol.QueryConsumeTimeSpan, l.admin, b.consumeTimeSpan)
	remoting.Handle(m, protocol.QueryCorrectionOffset, l.admin, b.correctionOffset)
	remoting.Handle(m, protocol.CloneGroupOffset, l.admin, b.cloneOffset)
	remoting.Handle(m, protocol.InvokeBrokerToResetOffset, l.admin, b.resetOffset)

	// transaction.go
	remoting.Handle(m, protocol.ResumeCheckHalfMessage, l.admin, b.resumeCheck)

	// relay.go
	remoting.Handle(m, protocol.InvokeBrokerToGetConsumerStatus, l.admin, b.consumerStatus)
	remoting.Handle(m, protocol.GetConsumerRunningInfo, l.admin, b.consumerRunningInfo)
	remoting.Handle(m, protocol.ConsumeMessageDirectly, l.admin, b.consumeDirectly)

	// admin_topic.go
	remoting.Handle(m, protocol.UpdateAndCreateTopic, l.admin, b.createTopic)
	remoting.Handle(m, protocol.UpdateAndCreateTopicList, l.admin, b.createTopicList)
	remoting.Handle(m, protocol.GetAllTopicConfig, l.admin, b.allTopicConfig)
	remoting.Handle(m, protocol.GetTopicStatsInfo, l.admin, b.topicStats)
	remoting.Handle(m, protocol.DeleteTopicInBroker, l.admin, b.deleteTopic)
	remoting.Handle(m, protocol.GetTopicConfig, l.admin, b.topicConfig)

	// clean.go
	remoting.Handle(m, protocol.CleanExpiredConsumeQueue, l.admin, b.cleanExpiredQueues)
	remoting.Handle(m, protocol.CleanUnusedTopic, l.admin, b.cleanUnusedTopics)
	remoting.Handle(m, protocol.DeleteExpiredCommitLog, l.admin, b.deleteExpiredCommitLog)

	// admin_group.go
	remoting.Handle(m, protocol.UpdateAndCreateSubscriptionGroup, l.admin, b.createGroup)
	remoting.Handle(m, protocol.UpdateAndCreateSubscriptionGroupList, l.admin, b.createGroupList)
	remoting.Handle(m, protocol.GetAllSubscriptionGroupConfig, l.admin, b.allGroupConfig)
	remoting.Handle(m, protocol.GetSubscriptionGroupConfig, l.admin, b.groupConfig)
	remoting.Handle(m, protocol.DeleteSubscriptionGroup, l.admin, b.deleteGroup)
	remoting.Handle(m, protocol.UpdateAndGetGroupForbidden, l.admin, b.groupForbidden)
	remoting.Handle(m, protocol.GetBrokerConsumeStats, l.admin, b.brokerConsumeStats)

	// admin_client.go
	remoting.Handle(m, protocol.GetProducerConnectionList, l.admin, b.producerConnection)
	remoting.Handle(m, protocol.GetAllProducerInfo, l.admin, b.allProducers)
	remoting.Handle(m, protocol.QueryTopicConsumeByWho, l.admin, b.topicConsumers)
	remoting.Handle(m, protocol.QueryTopicsByConsumer, l.admin, b.consumedTopics)
	remoting.Handle(m, protocol.QuerySubscriptionByConsumer, l.admin, b.groupSubscription)
	remoting.Handle(m, protocol.GetSystemTopicListFromBroker, l.admin, b.systemTopics)

	// clients.go, admin_stats.go
	remoting.Handle(m, protocol.GetConsumerConnectionList, l.admin, b.consumerConnection)
	remoting.Handle(m, protocol.GetConsumeStats, l.admin, b.consumeStats)

	// admin_config.go
	remoting.Handle(m, protocol.UpdateBrokerConfig, l.admin, b.updateBrokerConfig)
	remoting.Handle(m, protocol.GetBrokerConfig, l.admin, b.getBrokerConfig)
	remoting.Handle(m, protocol.GetBrokerRuntimeInfo, l.admin, b.brokerRuntimeInfo)
	remoting.Handle(m, protocol.ViewBrokerStatsData, l.admin, b.viewStats)
}
