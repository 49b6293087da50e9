// SPDX-License-Identifier: Apache-2.0

package javaclient

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
)

const (
	transactionClass = "org.apache.rocketmq.client.producer.TransactionMQProducer"

	committed  = "COMMIT_MESSAGE"
	rolledBack = "ROLLBACK_MESSAGE"
	undecided  = "UNKNOW"
)

// quickChecks lets a Broker ask soon. Java's own writer of decisions keeps a processor busy from the first one on, so the
// original is not asked here; conformance/wire compares what it does.
var quickChecks = target.Options{Broker: map[string]string{"transactionCheckInterval": "1000", "transactionTimeOut": "500"}}

// startDecider starts a transaction producer that decides as its messages say, and collects what it is asked.
func (j *client) startDecider(group string) (p *object, asked *inbox) {
	j.t.Helper()
	p = j.newClient(transactionClass, fields{"producerGroup": group, "sendMsgTimeout": 30_000, "retryTimesWhenSendFailed": 0})
	asked = p.openInbox()
	require.NoError(j.t, j.do(fields{"do": "decide", "on": p.name}, nil))
	return p.start(), asked
}

func TestTransactions(t *testing.T) {
	eachAlone(t, forms, quickChecks, func(t *testing.T, j *client) {
		topic := j.newTopic(4)
		p, asked := j.startDecider(j.unique("producers"))
		got := j.startConsumer(j.unique("group"), topic, options{})

		ways := []struct {
			first, asked string
			arrives      bool
		}{
			{committed, rolledBack, true},
			{rolledBack, committed, false},
			{undecided, committed, true},
			{undecided, rolledBack, false},
		}
		messages := newMessages(topic, 0, 40)
		for i := range messages {
			way := ways[i%len(ways)]
			messages[i].Tags, messages[i].Flag = "TagA", int32(i)
			messages[i].Properties["first"], messages[i].Properties["asked"] = way.first, way.asked
		}
		results := p.send("transaction", messages)
		eventually(t, "questions about what is undecided", func() bool { return asked.different() == len(messages)/2 })
		eventually(t, "all committed messages", func() bool { return got.different() == len(messages)/2 })
		j.mustHoldOnce(topic, len(messages)/2)
		byID := map[string]int{}
		for i, r := range results {
			byID[r.MsgID] = i
		}
		for _, m := range got.all() {
			i := byID[m.MsgID]
			require.True(t, ways[i%len(ways)].arrives, "%d", i)
			requireSame(t, messages[i], m)
			require.Equal(t, results[i].MessageQueue, queue{m.Topic, m.BrokerName, m.QueueID})
			require.Equal(t, "true", m.Properties["TRAN_MSG"])
		}
		for _, m := range asked.all() {
			i, known := byID[m.Properties["UNIQ_KEY"]]
			require.True(t, known)
			require.Equal(t, undecided, ways[i%len(ways)].first)
			require.Equal(t, topic, m.Topic)
			require.Equal(t, results[i].MessageQueue.QueueID, m.QueueID)
			require.Equal(t, string(messages[i].Body), string(m.Body))
		}
	})
}

// A producer that has gone leaves its half messages to the others of its group.
func TestTransactionsOfTheGroup(t *testing.T) {
	eachAlone(t, releases, quickChecks, func(t *testing.T, j *client) {
		topic, group := j.newTopic(1), j.unique("producers")
		gone, _ := j.startDecider(group)
		m := newMessage(topic, 1)
		m.Properties["first"], m.Properties["asked"] = undecided, committed
		gone.send("transaction", []message{m})
		gone.call(nil, "shutdown")
		require.NoError(t, j.c.Broker.Stop())
		require.NoError(t, j.c.Broker.Start())
		other, _ := j.startDecider(group)
		first := newMessage(topic, 2) // which has it know the Broker
		first.Properties["first"] = committed
		other.send("transaction", []message{first})
		got := j.startConsumer(j.unique("group"), topic, options{})
		eventually(t, "both messages", func() bool { return got.different() == 2 })
	})
}
