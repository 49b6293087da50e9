// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"testing"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"

	"rocketd/compat/fastjson"
	"rocketd/protocol"
	"rocketd/store/vfs"
)

// Orderly consumers give queues up without waiting for an answer. The request that comes right afterwards finds them free:
// a lock, or the end of a membership, upon which the group's other members ask for the queues.
func TestAnUnlockCountsForTheNextRequest(t *testing.T) {
	b := newBroker(t, vfs.NewMem(), clockwork.NewRealClock(), nil)
	w := dial(t, b, "10911")
	queue := []protocol.MessageQueue{{Topic: "T", BrokerName: "broker-a"}}
	frame := func(to []byte, code int32, client string, flag int32) []byte {
		body, err := fastjson.Marshal(protocol.LockBatch{ClientID: client, ConsumerGroup: "G", MQSet: queue})
		require.NoError(t, err)
		req := protocol.NewRequest[protocol.Empty](code, nil)
		req.Body, req.Flag = body, flag
		to, err = protocol.Append(to, req)
		require.NoError(t, err)
		return to
	}
	holder, next := "c1", "c2"
	w.WriteRaw(frame(nil, protocol.LockBatchMQ, holder, 0))
	w.answer()
	for range 200 {
		both := frame(nil, protocol.UnlockBatchMQ, holder, protocol.FlagOneway)
		w.WriteRaw(frame(both, protocol.LockBatchMQ, next, 0))
		var result protocol.LockBatchResult
		require.NoError(t, fastjson.Unmarshal(w.answer().Body, &result))
		require.Equal(t, queue, result.LockOKMQSet)
		holder, next = next, holder
	}
}
