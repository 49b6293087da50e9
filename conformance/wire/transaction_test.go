// SPDX-License-Identifier: Apache-2.0

// transaction_test.go: half messages, their ends and the questions about them. Java's writer of op records keeps a processor
// busy once it has had something to write, so these rows have servers of their own, which end with them.

package wire

import (
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
	"rocketd/protocol"
	"rocketd/protocol/message"
)

// sendHalf stores a half message for {topic}, born at a time. {half} is its offset in its queue, {offset} its place in the
// log and {msgId} its id.
func sendHalf(p *pair, n *names, i int, bornMs int64, more string) {
	p.t.Helper()
	answers := sent{queueID: "1", sysFlag: "4", bornMs: strconv.FormatInt(bornMs, 10), flag: "5", reconsumed: "0",
		properties: "TAGS\x01A\x02TRAN_MSG\x01true\x02PGROUP\x01{group}\x02" + more}.send(p, n, i)
	var place, half, id [2]string
	for side, a := range answers {
		id[side], half[side] = a.Field("msgId"), a.Field("queueOffset")
		require.Equal(p.t, "1", a.Field("queueId"), "the queue that was asked for")
		require.Equal(p.t, uniq(i), a.Field("transactionId"))
		_, at, err := message.ParseOffsetMsgID(id[side])
		require.NoError(p.t, err)
		place[side] = strconv.FormatInt(at, 10)
	}
	n.put("offset", place[java], place[ours])
	n.put("half", half[java], half[ours])
	n.put("msgId", id[java], id[ours])
}

const longAgoMs = 1_700_000_000_000

var transactionRows = []*family{
	{
		code: protocol.EndTransaction, to: toBroker,
		prepare: func(p *pair, n *names) {
			threeMessages(p, n)
			n.put("plain", n.values[java]["{offset}"], n.values[ours]["{offset}"])
		},
		each: func(p *pair, n *names) { sendHalf(p, n, 7, longAgoMs, "") },
		params: []param{text("topic", "{topic}"), text("producerGroup", "{group}"), place("tranStateTableOffset", "{half}"), place("commitLogOffset", "{offset}"),
			int32s("commitOrRollback", "8"), boolean("fromTransactionCheck", "false"), text("msgId", "{msgId}"), text("transactionId", "x")},
		rows: []row{
			{name: "rollback", set: []string{"commitOrRollback", "12"}},
			{name: "another group", set: []string{"producerGroup", "{own}other"}},
			{name: "rollback of another group", set: []string{"producerGroup", "{own}other", "commitOrRollback", "12"}},
			{name: "another half message", set: []string{"tranStateTableOffset", "0"}},
			{name: "a message that is none", set: []string{"commitLogOffset", "{plain}"}},
			{name: "asked for", set: []string{"fromTransactionCheck", "true"}},
			{name: "prepared", set: []string{"commitOrRollback", "4"}},
		},
		after: []probe{{toBroker, protocol.GetMaxOffset, []string{"topic", "{topic}", "queueId", "1", "committed", "false"}}},
		allow: []*rule{
			{rows: `^commitOrRollback (-1|0|\+1|min|max)$|^prepared$`, Allowance: Allowance{Differs, "txn-no-decision", ""}, ours: protocol.InvalidParameter, alone: true},
		},
	},
	{
		code: protocol.ResumeCheckHalfMessage, to: toBroker,
		prepare: func(p *pair, n *names) {
			threeMessages(p, n)
			n.put("plain", n.values[java]["{msgId}"], n.values[ours]["{msgId}"])
			sendHalf(p, n, 8, longAgoMs, "")
			givenUp(p, n)
		},
		params: []param{text("topic", "{topic}"), text("msgId", "{msgId}")},
		rows: []row{
			{name: "a message that is none", set: []string{"msgId", "{plain}"}},
			{name: "no message", set: []string{"msgId", "7F00000100002A9F0000000000000003"}},
		},
		allow: []*rule{
			{rows: `^a message that is none$`, Allowance: Allowance{Differs, "txn-not-half", ""}, ours: protocol.SystemError},
		},
	},
}

// givenUp waits for the half message to be too old, and makes {msgId} its id among those that are given up.
func givenUp(p *pair, n *names) {
	p.t.Helper()
	var ids [2]string
	for side := range ids {
		require.Eventually(p.t, func() bool {
			for offset := 0; ; offset++ {
				fields := pullFields(message.TransCheckMaxTimeTopic, strconv.Itoa(offset), "1")
				e := p.sides[toBroker][side].Ask(n.requests(protocol.PullMessage, pairs(fields), "")[side], p.form, answerTime)
				if e.Answer == nil || e.Answer.Code != protocol.Success {
					return false
				}
				var m message.Message
				require.NoError(p.t, message.DecodeRecord(e.Answer.Body, &m))
				if group, _ := m.Property(message.PropProducerGroup); group == n.expand(side, "{group}") {
					ids[side] = m.MsgID
					return true
				}
			}
		}, 30*time.Second, 50*time.Millisecond, "a half message to be given up")
	}
	n.put("msgId", ids[java], ids[ours])
}

func TestTransactions(t *testing.T) {
	chosen, err := target.Chosen()
	require.NoError(t, err)
	o := target.Options{Broker: map[string]string{"transactionCheckInterval": "2000", "transactionTimeOut": "1000", "transactionOpBatchInterval": "500"}}
	peer, verdicts := target.New(t, target.Java, o), map[*family]*verdict{}
	for _, kind := range chosen {
		if kind == target.Java {
			continue // it would be compared with itself
		}
		clusters := [2]*target.Cluster{java: peer, ours: target.New(t, kind, o)}
		for _, form := range []Form{JSON, Binary} {
			t.Run(string(kind)+" "+form.String(), func(t *testing.T) {
				p := pairOf(t, form, clusters)
				for _, f := range transactionRows {
					t.Run(f.String(), func(t *testing.T) { f.runFor(t, p, verdicts) })
				}
				t.Run("a question", func(t *testing.T) { sameQuestion(p.with(t)) })
			})
		}
	}
	enter(t, verdicts)
	if len(verdicts) == len(transactionRows) && !t.Failed() {
		mustBeNeeded(t, transactionRows)
	}
}

// sameQuestion compares what a producer is asked that has not decided, and what becomes of its answer.
func sameQuestion(p *pair) {
	n := newNames()
	topicAndGroup(p, n)
	sendHalf(p, n, 3, time.Now().UnixMilli(), "")
	decide := func(more ...string) {
		p.must(toBroker, protocol.EndTransaction, n, "", append([]string{"topic", "{topic}", "producerGroup", "{group}", "tranStateTableOffset", "{half}",
			"commitLogOffset", "{offset}", "commitOrRollback", "8", "msgId", uniq(9), "transactionId", uniq(9)}, more...)...)
	}
	decide()
	sameRecord(p.t, p.last(n, "{topic}", 1))
	p.must(toBroker, protocol.HeartBeat, n, `{"clientID":"{client}","producerDataSet":[{"groupName":"{group}"}]}`)
	sendHalf(p, n, 9, time.Now().UnixMilli(), "CUSTOM\x01v\x02")
	var asked [2]Exchange
	var half, place [2]string
	for side, s := range p.sides[toBroker] {
		for frame := range awaited(s, time.Now().Add(answerTime)) {
			if frame.Code == protocol.CheckTransactionState {
				asked[side] = Exchange{Answer: frame, Mask: s.mask}
				half[side], place[side] = frame.Field("tranStateTableOffset"), frame.Field("commitLogOffset")
				break
			}
		}
		require.NotNil(p.t, asked[side].Answer, p.kinds[side])
	}
	rest, _ := Judge(Compare(asked[java], asked[ours], Scope{Varies: regexp.MustCompile(`Offset$|offsetMsgId|storeTimestamp|bornTimestamp|storeSize`)}), relayRules)
	require.Empty(p.t, rest)
	n.put("half", half[java], half[ours])
	n.put("offset", place[java], place[ours])
	decide("fromTransactionCheck", "true")
	p.until("the second message", toBroker, protocol.GetMaxOffset, n, func(a *Answer) bool { return a.Field("offset") == "2" },
		"topic", "{topic}", "queueId", "1", "committed", "true")
	records := p.last(n, "{topic}", 1)
	for _, m := range records {
		require.Equal(p.t, "body 9", string(m.Body))
	}
	records[java].Flag = records[ours].Flag // which a copy of Java's does not have (txn-decided)
	sameRecord(p.t, records)
	sameRecord(p.t, p.last(n, message.OpHalfTopic, 0))
}

// last is the last message of a queue on each side, once there is one.
func (p *pair) last(n *names, topic string, queueID int) (records [2]message.Message) {
	p.t.Helper()
	queue := strconv.Itoa(queueID)
	p.until("a message in "+topic, toBroker, protocol.GetMaxOffset, n, func(a *Answer) bool { return a.Field("offset") != "0" },
		"topic", topic, "queueId", queue, "committed", "true")
	for side, a := range p.must(toBroker, protocol.GetMaxOffset, n, "", "topic", topic, "queueId", queue, "committed", "true") {
		end, err := strconv.Atoi(a.Field("offset"))
		require.NoError(p.t, err)
		fields := pairs(pullFields(topic, strconv.Itoa(end-1), "1"))
		fields[slices.IndexFunc(fields, func(f KV) bool { return f.Key == "queueId" })].Value = queue
		e := p.sides[toBroker][side].Ask(n.requests(protocol.PullMessage, fields, "")[side], p.form, answerTime)
		require.NotNil(p.t, e.Answer)
		require.NoError(p.t, message.DecodeRecord(e.Answer.Body, &records[side]), e.describe())
	}
	return records
}

// sameRecord compares two records but for where and when they were stored.
func sameRecord(t *testing.T, records [2]message.Message) {
	t.Helper()
	var seen [2]any
	for side, m := range records {
		properties := message.ParseProperties(m.Properties)
		seen[side] = []any{m.Topic, m.QueueID, m.SysFlag, m.Flag, m.ReconsumeTimes, m.PreparedTransactionOffset != 0, m.BornHost.Addr(), properties}
	}
	require.Equal(t, seen[java], seen[ours])
}
