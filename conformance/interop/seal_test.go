// SPDX-License-Identifier: Apache-2.0

package interop

import (
	"fmt"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
	"rocketd/protocol"
	"rocketd/protocol/message"
)

// Each side seals its records with enabledAppendPropCRC, is killed, and the other one, which believes only sealed records,
// finds all of them.
func TestSealedRecordsBothWays(t *testing.T) {
	t.Parallel()
	home, keys := t.TempDir(), maps.Clone(smallFiles)
	maps.Copy(keys, map[string]string{"enabledAppendPropCRC": "true", "forceVerifyPropCRC": "true"})
	count := 0
	for round, kind := range []target.Kind{target.Binary, target.Java, target.Binary} {
		n := startWith(t, kind, home, keys)
		requireSealed(n, count)
		for i := range 10 {
			n.send("Sealed", 0, 0, pairs("KEYS", fmt.Sprint("k", i), "__CRC32#", "1"), fmt.Sprint("body ", round, i))
		}
		batch := message.AppendBatchItem(message.AppendBatchItem(nil, 0, []byte("first"), "a\x01b"), 0, []byte("second"), "")
		n.sendAs(protocol.SendBatchMessage, "Sealed", 0, 0, "", batch)
		count += 12
		requireSealed(n, count)
		n.kill()
	}
}

func requireSealed(n *node, count int) {
	n.t.Helper()
	if count == 0 {
		return
	}
	require.NoError(n.t, n.WaitRoute("Sealed"))
	n.eventually(fmt.Sprint(count, " messages"), func() bool {
		all, err := n.Read("Sealed")
		require.NoError(n.t, err)
		return len(all) == count
	})
	all, err := n.Read("Sealed")
	require.NoError(n.t, err)
	for _, r := range all {
		require.NoError(n.t, message.CheckSeal(r.Raw))
		require.Regexp(n.t, `__CRC32#\x01\d{10}\x02$`, string(r.Raw))
	}
}
