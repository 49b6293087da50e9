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
