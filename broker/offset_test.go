// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"strconv"
	"testing"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"

	"rocketd/protocol"
	"rocketd/store/vfs"
)

// Clients commit without waiting for an answer, and ask where to go on right afterwards: by what they have just committed.
func TestAnOffsetCountsForTheNextQuestion(t *testing.T) {
	b := newBroker(t, vfs.NewMem(), clockwork.NewRealClock(), nil)
	w := dial(t, b, "10911")
	require.Equal(t, protocol.Success, w.ask(protocol.SendMessage, sendFields("T", ""), "m").Code)
	require.Equal(t, protocol.Success, w.ask(protocol.HeartBeat, "", heartbeatBody("cid", "G", 0, false, "T")).Code)
	for i := range int64(200) {
		offset := strconv.FormatInt(i, 10)
		commit := protocol.NewRequest(protocol.UpdateConsumerOffset, &protocol.UpdateConsumerOffsetHeader{ConsumerGroup: "G", Topic: "T", CommitOffset: i})
		commit.Flag |= protocol.FlagOneway
		query := protocol.NewRequest(protocol.QueryConsumerOffset, &protocol.QueryConsumerOffsetHeader{ConsumerGroup: "G", Topic: "T"})
		both, err := protocol.Append(nil, commit)
		require.NoError(t, err)
		both, err = protocol.Append(both, query)
		require.NoError(t, err)
		w.WriteRaw(both)
		got, _ := w.answer().Field("offset")
		require.Equal(t, offset, got)
	}
}

// A client commits with its pulls, too. One of a later message stays, though the pull before it, which has something to
// read, may be served after it; of several pulls the latest counts.
func TestAPullDoesNotTakeALaterCommitBack(t *testing.T) {
	b := newBroker(t, vfs.NewMem(), clockwork.NewRealClock(), nil)
	w := dial(t, b, "10911")
	require.Equal(t, protocol.Success, w.ask(protocol.SendMessage, sendFields("T", ""), "m").Code)
	require.Equal(t, protocol.Success, w.ask(protocol.HeartBeat, "", heartbeatBody("cid", "G", 0, false, "T")).Code)
	for i := int64(1); i < 1000; i += 5 {
		var all []byte
		add := func(cmd *protocol.Command) {
			var err error
			all, err = protocol.Append(all, cmd)
			require.NoError(t, err)
		}
		pull := func(commit int64) *protocol.Command {
			return protocol.NewRequest(protocol.PullMessage, &protocol.PullHeader{ConsumerGroup: "G", Topic: "T", MaxMsgNums: 32,
				SysFlag: protocol.PullFlagCommitOffset | protocol.PullFlagSubscription, CommitOffset: commit, Subscription: "*"})
		}
		add(pull(i))
		answers := 2
		if i%2 == 0 {
			answers = 1
			commit := protocol.NewRequest(protocol.UpdateConsumerOffset, &protocol.UpdateConsumerOffsetHeader{ConsumerGroup: "G", Topic: "T", CommitOffset: i + 1})
			commit.Flag |= protocol.FlagOneway
			add(commit)
		} else {
			add(pull(i + 1))
		}
		w.WriteRaw(all)
		for range answers {
			require.Equal(t, protocol.Success, w.answer().Code)
		}
		got, _ := w.ask(protocol.QueryConsumerOffset, "consumerGroup=G topic=T queueId=0", "").Field("offset")
		require.Equal(t, strconv.FormatInt(i+1, 10), got)
	}
}
