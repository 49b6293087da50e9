// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
)

// decider decides as a message's body begins: "first asked".
type decider struct {
	mu    sync.Mutex
	asked map[string]int // by body
}

var decisions = map[string]primitive.LocalTransactionState{
	"commit": primitive.CommitMessageState, "rollback": primitive.RollbackMessageState, "unknown": primitive.UnkonwnState,
}

func (d *decider) ExecuteLocalTransaction(m *primitive.Message) primitive.LocalTransactionState {
	return decisions[strings.Fields(string(m.Body))[0]]
}

func (d *decider) CheckLocalTransaction(m *primitive.MessageExt) primitive.LocalTransactionState {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked[string(m.Body)]++
	return decisions[strings.Fields(string(m.Body))[1]]
}

func (d *decider) questions() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.asked)
}

// Java's own writer of decisions keeps a processor busy from the first one on, so the original is left out here.
func TestTransactions(t *testing.T) {
	o := target.Options{Broker: map[string]string{"transactionCheckInterval": "1000", "transactionTimeOut": "500"}}
	eachAlone(t, o, ours, func(t *testing.T, c *target.Cluster) {
		topic, d := newTopic(t, c, 2), &decider{asked: map[string]int{}}
		p, err := rocketmq.NewTransactionProducer(d, producer.WithNameServer(primitive.NamesrvAddr{c.Names.Addr}),
			producer.WithGroupName(unique(t, "producers")), producer.WithInstanceName(unique(t, "instance")), producer.WithSendMsgTimeout(10*time.Second))
		require.NoError(t, err)
		require.NoError(t, p.Start())
		t.Cleanup(func() { _ = p.Shutdown() })
		got := newInbox()
		newConsumer(t, c, unique(t, "group"), topic, everything, got.consume)
		arrive := map[string]bool{}
		for _, way := range []string{"commit rollback", "rollback commit", "unknown commit", "unknown rollback"} {
			for range 10 {
				m := newMessage(topic, len(arrive))
				m.Body = []byte(way + " " + unique(t, "body"))
				sent, err := p.SendMessageInTransaction(context.Background(), m)
				require.NoError(t, err)
				require.Equal(t, primitive.SendOK, sent.Status)
				arrive[string(m.Body)] = way == "commit rollback" || way == "unknown commit"
			}
		}
		eventually(t, "questions about what is undecided", func() bool { return d.questions() == 20 })
		eventually(t, "all committed messages", func() bool { return got.different() == 20 })
		for body, n := range bodies(t, c, topic, 20) {
			require.True(t, arrive[body], body)
			require.Equal(t, 1, n, body)
		}
	})
}
