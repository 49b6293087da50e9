// SPDX-License-Identifier: Apache-2.0

package interop

import (
	"context"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/remoting"
)

// decider is a producer of half messages. Asked about one it commits those that say so and rolls the others back.
type decider struct {
	n      *node
	client *remoting.Client

	mu    sync.Mutex
	asked map[string]int // by body
}

func (n *node) decider() *decider {
	d := &decider{n: n, asked: map[string]int{}}
	mux := remoting.NewMux(zerolog.Nop())
	remoting.Handle(mux, protocol.CheckTransactionState, remoting.NewLane("questions", 100, false), d.check)
	d.client = remoting.NewClient(remoting.DefaultClientConfig(), mux, zerolog.Nop(), new(net.Dialer).DialContext)
	n.t.Cleanup(func() { _ = d.client.Close() })
	beat := protocol.NewRequest[protocol.Empty](protocol.HeartBeat, nil)
	beat.Body = []byte(`{"clientID":"decider","consumerDataSet":[],"producerDataSet":[{"groupName":"deciders"}]}`)
	answer, err := d.client.Call(context.Background(), n.Broker.Addr, beat)
	require.NoError(n.t, err)
	require.Equal(n.t, protocol.Success, answer.Code)
	return d
}

func (d *decider) check(_ context.Context, c *remoting.Call, h *protocol.CheckTransactionStateHeader) (*protocol.Empty, error) {
	var m message.Message
	if err := message.DecodeRecord(c.Request().Body, &m); err != nil {
		return nil, err
	}
	body := string(m.Body)
	d.mu.Lock()
	d.asked[body]++
	d.mu.Unlock()
	decision := protocol.TransactionRollback
	if strings.HasPrefix(body, "commit") {
		decision = protocol.TransactionCommit
	}
	return nil, c.Peer().Oneway(protocol.NewRequest(protocol.EndTransaction, &protocol.EndTransactionHeader{
		ProducerGroup: "deciders", TranStateTableOffset: h.TranStateTableOffset, CommitLogOffset: h.CommitLogOffset, CommitOrRollback: decision,
		FromTransactionCheck: true, MsgID: h.MsgID, TransactionID: h.TransactionID,
	}))
}

func (d *decider) times(body string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked[body]
}

// half sends a half message and, unless decision is 0, decides it. It returns the message's offset in the half queue.
func (n *node) half(body string, decision int32) int64 {
	n.t.Helper()
	s := n.send("Decided", 0, message.TranPrepared, pairs("TRAN_MSG", "true", "PGROUP", "deciders", "UNIQ_KEY", "id-"+body), body)
	_, phyOffset, err := message.ParseOffsetMsgID(s.id)
	require.NoError(n.t, err)
	if decision == protocol.TransactionUnknown {
		return s.offset
	}
	n.mustCall(protocol.NewRequest(protocol.EndTransaction, &protocol.EndTransactionHeader{
		ProducerGroup: "deciders", TranStateTableOffset: s.offset, CommitLogOffset: phyOffset, CommitOrRollback: decision, MsgID: s.id,
	}))
	return s.offset
}

// wroteDown says whether records of decisions name the half message at an offset.
func (n *node) wroteDown(offset int64) bool {
	n.t.Helper()
	all, err := n.Read(message.OpHalfTopic)
	require.NoError(n.t, err)
	return slices.ContainsFunc(all, func(r target.Record) bool {
		return slices.Contains(strings.Split(string(r.Body), ","), strconv.FormatInt(offset, 10))
	})
}

func (n *node) decided() []string {
	n.t.Helper()
	all, err := n.Read("Decided")
	require.NoError(n.t, err)
	var bodies []string
	for _, r := range all {
		bodies = append(bodies, string(r.Body))
	}
	return bodies
}

// TestTransactionsBothWays: each finds the half messages that the other has left undecided, asks about them, and about no
// others.
func TestTransactionsBothWays(t *testing.T) {
	t.Parallel()
	keys := maps.Clone(smallFiles)
	maps.Copy(keys, map[string]string{"transactionTimeOut": "1000", "transactionCheckInterval": "2000", "transactionOpBatchInterval": "200",
		"transactionCheckMax": "1000"}) // nothing is given up, however long a stop takes
	home := t.TempDir()
	leave := func(n *node, turn string) {
		committed, rolledBack := n.half("commit at once "+turn, protocol.TransactionCommit), n.half("roll back at once "+turn, protocol.TransactionRollback)
		n.half("commit when asked "+turn, protocol.TransactionUnknown)
		n.half("roll back when asked "+turn, protocol.TransactionUnknown)
		n.eventually("the decisions to be written down", func() bool { return n.wroteDown(committed) && n.wroteDown(rolledBack) })
	}
	resolve := func(n *node, turn string) {
		d := n.decider()
		n.eventually("the questions", func() bool {
			return d.times("commit when asked "+turn) > 0 && d.times("roll back when asked "+turn) > 0
		})
		require.Zero(t, d.times("commit at once "+turn), n.Kind)
		require.Zero(t, d.times("roll back at once "+turn), n.Kind)
		n.eventually("the message", func() bool {
			bodies := n.decided()
			return bodies[len(bodies)-1] == "commit when asked "+turn
		})
		require.NoError(t, d.client.Close()) // so that what comes now stays undecided
	}
	first := startWith(t, target.InProc, home, smallFiles)
	require.NoError(t, first.CreateTopic("Decided", 1))
	leave(first, "1")
	first.stop()
	java := startWith(t, target.Java, home, keys)
	resolve(java, "1")
	leave(java, "2")
	java.stop()
	last := startWith(t, target.Binary, home, keys)
	resolve(last, "2")
	require.Equal(t, []string{"commit at once 1", "commit when asked 1", "commit at once 2", "commit when asked 2"}, last.decided())
	last.stop()
}
