// SPDX-License-Identifier: Apache-2.0

package javaclient

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// systemError is the answer to a question about a group or a client that is not there.
const systemError = 1

// clientID is the name under which a client object is known to the servers.
func (o *object) clientID() (id string) {
	o.t.Helper()
	o.call(&id, "buildMQClientId")
	return id
}

func TestAdminProducers(t *testing.T) {
	each(t, forms, func(t *testing.T, j *client) {
		admin, topic, group := j.startAdmin(), j.newTopic(1), j.unique("producers")
		p := j.startProducer(fields{"producerGroup": group})
		p.sendTo(queue{topic, "broker-a", 0}, newMessages(topic, 0, 1))
		var connection struct {
			ConnectionSet []struct {
				ClientID, ClientAddr, Language string
				Version                        int32
			}
		}
		eventually(t, "the heartbeat", func() bool { return admin.try(&connection, "examineProducerConnectionInfo", group, topic) == nil })
		require.Len(t, connection.ConnectionSet, 1)
		one := connection.ConnectionSet[0]
		require.Equal(t, p.clientID(), one.ClientID)
		require.Equal(t, "JAVA", one.Language)
		require.Contains(t, one.ClientAddr, "127.0.0.1:")
		require.Positive(t, one.Version)

		var table struct {
			Data map[string][]struct {
				ClientID, RemoteIP, Language string
				Version                      int32
				LastUpdateTimestamp          int64
			}
		}
		admin.call(&table, "getAllProducerInfo", j.c.Broker.Addr)
		require.Len(t, table.Data[group], 1)
		same := table.Data[group][0]
		require.Equal(t, one.ClientID, same.ClientID)
		require.Equal(t, "/"+one.ClientAddr, same.RemoteIP)
		require.Equal(t, one.Language, same.Language)
		require.Equal(t, one.Version, same.Version)
		require.Positive(t, same.LastUpdateTimestamp)
		admin.fails(systemError, "examineProducerConnectionInfo", j.unique("nobody"), topic)
	})
}

// Who consumes what: by topic, and with the tools of 5.x by group and as the subscription itself.
func TestAdminSubscriptions(t *testing.T) {
	each(t, forms, func(t *testing.T, j *client) {
		admin, topic, group := j.startAdmin(), j.newTopic(1), j.unique("group")
		m, q := newMessage(topic, 0), queue{topic, "broker-a", 0}
		m.Tags = "TagB"
		j.startProducer(nil).sendTo(q, []message{m})
		j.startConsumer(group, topic, options{expression: "TagA || TagB"}).commit(group, q, 1)
		require.NoError(t, j.c.WaitRoute("%RETRY%"+group))
		var groups struct{ GroupList []string }
		admin.call(&groups, "queryTopicConsumeByWho", topic)
		require.Equal(t, []string{group}, groups.GroupList)

		var user struct{ TopicConfigTable map[string]topicConfig }
		admin.call(&user, "getUserTopicConfig", j.c.Broker.Addr, false, patienceMs)
		require.Contains(t, user.TopicConfigTable, topic)
		for _, system := range []string{"TBW102", "SCHEDULE_TOPIC_XXXX", "broker-a", "DefaultCluster", "%RETRY%" + group} {
			require.NotContains(t, user.TopicConfigTable, system)
		}
		if j.version == "4.9.8" {
			return
		}
		var s struct {
			Topic, SubString, ExpressionType string
			TagsSet                          []string
			CodeSet                          []int32
		}
		admin.call(&s, "querySubscription", group, topic)
		require.Equal(t, topic, s.Topic)
		require.Equal(t, "TagA || TagB", s.SubString)
		require.Equal(t, "TAG", s.ExpressionType)
		require.ElementsMatch(t, []string{"TagA", "TagB"}, s.TagsSet)
		require.ElementsMatch(t, []int32{2598919, 2598920}, s.CodeSet, "Java's hashes of the tags")
		var topics struct{ TopicList []string }
		admin.call(&topics, "queryTopicsByConsumer", group)
		require.Contains(t, topics.TopicList, topic)
		require.Subset(t, []string{topic, "%RETRY%" + group}, topics.TopicList)
	})
}

// The Broker asks a consumer for the tools, and has it consume a message that they name.
func TestAdminAsksConsumers(t *testing.T) {
	each(t, forms, func(t *testing.T, j *client) {
		const count = 10
		admin, topic, group, p := j.startAdmin(), j.newTopic(1), j.unique("group"), j.startProducer(nil)
		q := queue{topic, "broker-a", 0}
		results := p.sendTo(q, newMessages(topic, 0, count))
		got := j.startConsumer(group, topic, options{})
		require.NoError(t, j.c.WaitRoute("%RETRY%"+group))
		eventually(t, "all messages", func() bool { return got.different() == count })
		id := got.clientID()

		var info struct {
			Properties      map[string]any
			SubscriptionSet []struct{ Topic, SubString string }
			MqTable         map[string]struct {
				CachedMsgCount int32
				Droped         bool
			}
			StatusTable map[string]struct{ ConsumeRT float64 }
		}
		admin.call(&info, "getConsumerRunningInfo", group, id, false)
		require.Equal(t, "CONSUME_PASSIVELY", info.Properties["PROP_CONSUME_TYPE"])
		require.Equal(t, "4", info.Properties["PROP_THREADPOOL_CORE_SIZE"])
		var subscribed []string
		for _, s := range info.SubscriptionSet {
			require.Equal(t, "*", s.SubString)
			subscribed = append(subscribed, s.Topic)
		}
		require.ElementsMatch(t, []string{topic, "%RETRY%" + group}, subscribed)
		require.False(t, info.MqTable[javaKey(t, info.MqTable, q)].Droped)
		require.Contains(t, info.StatusTable, topic)
		admin.fails(systemError, "getConsumerRunningInfo", group, "nobody", false)

		var consumed struct{ ConsumeResult string }
		admin.call(&consumed, "consumeMessageDirectly", group, id, topic, results[3].OffsetMsgID)
		require.Equal(t, "CR_SUCCESS", consumed.ConsumeResult)
		all := got.all()
		require.Len(t, all, count+1)
		requireSame(t, newMessage(topic, 3), all[count])

		eventually(t, "how far it is", func() bool {
			var status map[string]map[string]int64
			admin.call(&status, "getConsumeStatus", topic, group, "")
			require.Contains(t, status, id)
			return len(status[id]) == 1 && status[id][javaKey(t, status[id], q)] == count
		})
	})
}
