// SPDX-License-Identifier: Apache-2.0

package interop

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
	"rocketd/protocol"
	"rocketd/protocol/message"
)

// timed sends a message for a time so many seconds from now.
func (n *node) timed(body string, seconds int) {
	n.t.Helper()
	n.send("Timed", 0, 0, pairs("TIMER_DELIVER_MS", fmt.Sprint(time.Now().UnixMilli()+int64(seconds)*1000), "UNIQ_KEY", "id-"+body), body)
}

// waiting is how many messages the timer has noted.
func (n *node) waiting() string {
	n.t.Helper()
	table, _ := n.object(protocol.GetBrokerRuntimeInfo)["table"].(map[string]any)
	return fmt.Sprint(table["timerCongestNum"])
}

// TestTimerMessagesBothWays: each finds the messages that wait for their time where the other has left them, after a clean
// stop and after a kill. Those whose time has passed meanwhile are delivered at once. None comes twice after a clean stop.
func TestTimerMessagesBothWays(t *testing.T) {
	t.Parallel()
	keys := maps.Clone(smallFiles)
	keys["mappedFileSizeTimerLog"] = fmt.Sprint(52*20 + 16)
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprint("killed=", killed), func(t *testing.T) {
			t.Parallel()
			home := t.TempDir()
			end := func(n *node, turn string) {
				for i := range 30 { // more than a file
					n.timed(fmt.Sprint(turn, " soon ", i), 3)
				}
				n.timed(turn+" late", 3600)
				n.eventually("messages noted", func() bool { return n.waiting() == "31" || n.delivered("Timed", turn+" soon 29") > 0 })
				if killed {
					n.kill()
					return
				}
				n.stop()
			}
			check := func(n *node, turn string) {
				for i := range 30 {
					n.awaitDelivered("Timed", fmt.Sprint(turn, " soon ", i))
				}
				all, err := n.Read("Timed")
				require.NoError(t, err)
				seen := map[string]int{}
				for _, r := range all {
					seen[string(r.Body)]++
				}
				require.Zero(t, seen[turn+" late"])
				if !killed {
					require.Len(t, all, len(seen), "each once: %v", seen)
				}
			}
			first := startWith(t, target.Binary, home, keys)
			require.NoError(t, first.CreateTopic("Timed", 1))
			end(first, "ours")
			java := startWith(t, target.Java, home, keys)
			check(java, "ours")
			end(java, "Java's")
			last := startWith(t, target.InProc, home, keys)
			check(last, "Java's")
			require.Equal(t, "2", last.waiting(), "the late ones")
			all, err := last.Read(message.TimerTopic)
			require.NoError(t, err)
			require.Len(t, all, 62)
			last.stop()
		})
	}
}
