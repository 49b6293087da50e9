// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"rocketd/compat/fastjson"
	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/remoting"
)

// localLease is how long an orderly client trusts a lock that it has not renewed. The Broker's own lease is twice that.
const localLease = 30 * time.Second

// member is a consumer as clients are: it shares the queues out by what the Broker tells, and keeps its progress.
type member struct {
	*balance
	id       string
	client   *remoting.Client
	notified *atomic.Int32
	shares   map[int32]*share
	sloppy   bool // it renews no locks
}

// share is a queue that a member consumes.
type share struct {
	session  int   // counts the takings of the queue, by whomever
	next     int64 // what it pulls next
	done     int64 // all before has been consumed
	fetched  []string
	lockedAt time.Time
}

func newMember(g *balance, id string) *member {
	m := &member{balance: g, id: id, notified: new(atomic.Int32), shares: map[int32]*share{}}
	mux := remoting.NewMux(zerolog.Nop())
	remoting.Handle(mux, protocol.NotifyConsumerIDsChanged, remoting.NewLane("notify", 100, true),
		func(_ context.Context, _ *remoting.Call, h *protocol.NotifyConsumerIDsChangedHeader) (*protocol.Empty, error) {
			if h.ConsumerGroup == g.group {
				m.notified.Add(1)
			}
			return nil, nil
		})
	m.client = g.newClient(mux)
	return m
}

func (m *member) ask(req *protocol.Command) *protocol.Command { return m.askBy(m.client, req) }

func (m *member) heartbeat() {
	req := protocol.NewRequest[protocol.RPC](protocol.HeartBeat, nil)
	req.Body = m.json(protocol.Heartbeat{ClientID: m.id, ConsumerDataSet: []protocol.ConsumerData{{
		ConsumeFromWhere: protocol.ConsumeFromFirstOffset, ConsumeType: protocol.ConsumePassively, GroupName: m.group, MessageModel: protocol.Clustering,
		SubscriptionDataSet: []protocol.SubscriptionData{{Topic: m.topic, SubString: protocol.SubscribeAll, ExpressionType: protocol.ExpressionTag, SubVersion: 1}},
	}}})
	require.Equal(m.rt, protocol.Success, m.ask(req).Code)
}

// rebalance makes the member's queues those that are its own by the Broker's list, and reports whether any changed hands.
func (m *member) rebalance() (changed bool) {
	answer := m.ask(protocol.NewRequest(protocol.GetConsumerListByGroup, &protocol.ConsumerListHeader{ConsumerGroup: m.group}))
	require.Equal(m.rt, protocol.Success, answer.Code)
	var list protocol.ConsumerList
	require.NoError(m.rt, fastjson.Unmarshal(answer.Body, &list))
	require.Equal(m.rt, m.ids(), list.ConsumerIDList, "the members, sorted")

	mine := averageShare(m.queues, slices.Index(list.ConsumerIDList, m.id), len(list.ConsumerIDList))
	for queue := range m.queues {
		if m.shares[queue] != nil && !slices.Contains(mine, queue) {
			m.giveUp(queue)
			changed = true
		}
	}
	gained := slices.DeleteFunc(slices.Clone(mine), func(queue int32) bool { return m.shares[queue] != nil })
	if m.orderly {
		gained = m.lock(gained)
	}
	for _, queue := range gained {
		m.take(queue)
		changed = true
	}
	return changed
}

// averageShare is the run of neighbours that is a member's own.
func averageShare(queues int32, place, members int) (mine []int32) {
	for queue := range queues {
		// The first members have one more where it does not come out even.
		large, size := int(queues)%members, int(queues)/members
		owner := large + (int(queue)-large*(size+1))/max(size, 1)
		if int(queue) < large*(size+1) {
			owner = int(queue) / (size + 1)
		}
		if owner == place {
			mine = append(mine, queue)
		}
	}
	return mine
}

// take begins a queue where the group has been.
func (m *member) take(queue int32) {
	start := m.queryOffset(m.client, queue)
	require.Equal(m.rt, m.committed[queue], start, "queue %d begins at what was committed last", queue)
	m.sessions[queue]++
	m.shares[queue] = &share{session: m.sessions[queue], next: start, done: start, lockedAt: m.clock.Now()}
}

// giveUp ends a queue as a client does that loses it: it commits, and unlocks.
func (m *member) giveUp(queue int32) {
	m.commit(queue)
	delete(m.shares, queue)
	if m.orderly {
		m.unlock([]int32{queue})
	}
}

// trusts says whether an orderly member may act on the queue; others always may.
func (m *member) trusts(s *share) bool {
	return !m.orderly || m.clock.Now().Sub(s.lockedAt) <= localLease
}

// pull fetches from a queue. In a queue that has been reset it learns where to begin anew.
func (m *member) pull(queue int32, most int32) {
	s := m.shares[queue]
	h := &protocol.PullHeader{ConsumerGroup: m.group, Topic: m.topic, QueueID: queue, QueueOffset: s.next, MaxMsgNums: most, SubVersion: 1}
	if s.done > 0 && m.mayCommit(queue, s) {
		h.SysFlag, h.CommitOffset = protocol.PullFlagCommitOffset, s.done
	}
	answer := m.ask(protocol.NewRequest(protocol.PullMessage, h))
	var result protocol.PullResult
	require.NoError(m.rt, protocol.CodecOf[protocol.PullResult]("rmq").Decode(answer.Fields, &result))
	if m.resets[queue] {
		require.Equal(m.rt, protocol.PullOffsetMoved, answer.Code, "the reset is told")
		require.Equal(m.rt, m.committed[queue], result.NextBeginOffset)
		m.resets[queue] = false
		delete(m.shares, queue)
		return
	}
	if h.SysFlag&protocol.PullFlagCommitOffset != 0 {
		m.noteCommit(queue, s)
	}
	if s.next == m.sent[queue] {
		require.Equal(m.rt, protocol.PullNotFound, answer.Code, answer.Remark)
		return
	}
	require.Equal(m.rt, protocol.Success, answer.Code, answer.Remark)
	records := answer.Body
	for len(records) > 0 {
		var r message.Message
		size := message.RecordSize(records)
		require.NoError(m.rt, message.DecodeRecord(records[:size], &r))
		require.Equal(m.rt, s.next, r.QueueOffset, "one after the other")
		require.Equal(m.rt, bodyOf(queue, s.next), string(r.Body))
		s.fetched, s.next, records = append(s.fetched, string(r.Body)), s.next+1, records[size:]
	}
	require.Equal(m.rt, result.NextBeginOffset, s.next)
	require.NotEmpty(m.rt, s.fetched)
}

// consume hands fetched messages to the application.
func (m *member) consume(queue int32, most int) {
	s := m.shares[queue]
	for range min(most, len(s.fetched)) {
		m.deliver(m, queue, s)
		s.fetched, s.done = s.fetched[1:], s.done+1
	}
}

func (m *member) commit(queue int32) {
	s := m.shares[queue]
	if !m.mayCommit(queue, s) {
		return
	}
	answer := m.ask(protocol.NewRequest(protocol.UpdateConsumerOffset, &protocol.UpdateConsumerOffsetHeader{
		ConsumerGroup: m.group, Topic: m.topic, QueueID: queue, CommitOffset: s.done,
	}))
	require.Equal(m.rt, protocol.Success, answer.Code, answer.Remark)
	if !m.resets[queue] { // until the group has been told of a reset, commits count for nothing
		m.noteCommit(queue, s)
	}
}

// mayCommit says whether the queue is still the member's own. One that shares it with another by mistake, in the time
// between a change and its own rebalance, may commit too: that is the protocol, and only order forbids it.
func (m *member) mayCommit(queue int32, s *share) bool {
	return m.trusts(s) || !m.orderly || m.sessions[queue] == s.session && m.heldBy(queue) == m.id
}

// lock asks for queues and returns those that the member holds now.
func (m *member) lock(queues []int32) []int32 {
	if len(queues) == 0 {
		return nil
	}
	now := m.clock.Now()
	req := protocol.NewRequest[protocol.Empty](protocol.LockBatchMQ, nil)
	req.Body = m.json(protocol.LockBatch{ClientID: m.id, ConsumerGroup: m.group, MQSet: m.messageQueues(queues)})
	answer := m.ask(req)
	require.Equal(m.rt, protocol.Success, answer.Code)
	var result protocol.LockBatchResult
	require.NoError(m.rt, fastjson.Unmarshal(answer.Body, &result))
	var held []int32
	for _, mq := range result.LockOKMQSet {
		held = append(held, mq.QueueID)
	}
	var want []int32
	for _, queue := range queues {
		if owner := m.heldBy(queue); owner == "" || owner == m.id {
			want = append(want, queue)
			m.leases[queue] = heldLease{owner: m.id, since: now}
		}
	}
	slices.Sort(held)
	require.Equal(m.rt, want, held, "locked by others: %v", m.leases)
	return held
}

func (m *member) unlock(queues []int32) {
	req := protocol.NewRequest[protocol.Empty](protocol.UnlockBatchMQ, nil)
	req.Body = m.json(protocol.LockBatch{ClientID: m.id, ConsumerGroup: m.group, MQSet: m.messageQueues(queues)})
	require.Equal(m.rt, protocol.Success, m.ask(req).Code)
	for _, queue := range queues {
		if m.leases[queue].owner == m.id {
			delete(m.leases, queue)
		}
	}
}

// renew locks all queues anew, as orderly clients do every 20 s. A queue whose lease had ended is begun anew: another
// may have been there in the meantime.
func (m *member) renew() {
	var mine []int32
	for queue := range m.queues {
		s := m.shares[queue]
		if s != nil && m.clock.Now().Sub(s.lockedAt) > brokerLease {
			delete(m.shares, queue)
			s = nil
		}
		if s != nil {
			mine = append(mine, queue)
		}
	}
	held := m.lock(mine)
	require.Equal(m.rt, mine, held, "a lease that has not ended is renewed")
	for _, queue := range held {
		m.shares[queue].lockedAt = m.clock.Now()
	}
}
