// SPDX-License-Identifier: Apache-2.0

package interop

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
	"rocketd/protocol"
)

// cast has the only client of a broadcasting group come and pull from an offset, and waits until that is stored.
func (n *node) cast(offset int64) {
	n.t.Helper()
	beat := protocol.NewRequest[protocol.Empty](protocol.HeartBeat, nil)
	beat.Body = []byte(`{"clientID":"caster","consumerDataSet":[{"consumeFromWhere":"CONSUME_FROM_FIRST_OFFSET","consumeType":"CONSUME_PASSIVELY","groupName":"casters",` +
		`"messageModel":"BROADCASTING","subscriptionDataSet":[{"classFilterMode":false,"codeSet":[],"expressionType":"TAG","subString":"*","subVersion":7,"tagsSet":[],` +
		`"topic":"Plain"}],"unitMode":false}],"producerDataSet":[]}`)
	n.mustCall(beat)
	n.raw(protocol.PullMessage, "consumerGroup", "casters", "topic", "Plain", "queueId", "0", "queueOffset", fmt.Sprint(offset), "maxMsgNums", "1", "sysFlag", "4",
		"commitOffset", "0", "suspendTimeoutMillis", "0", "subscription", "*", "subVersion", "0", "expressionType", "TAG")
	n.eventually("the broadcasting group's offset", func() bool { return n.casters() == offset })
}

func (n *node) casters() int64 {
	n.t.Helper()
	offset, err := n.Committed("casters@broadcast", "Plain", 0)
	require.NoError(n.t, err)
	return offset
}

// tally is what all questions say that take the table of offsets apart.
func (n *node) tally() map[string]any {
	n.t.Helper()
	reader, err := n.Committed("reader", "Plain", 0)
	require.NoError(n.t, err)
	v := map[string]any{"broadcast": n.casters(), "reader": reader, "messages": n.records("Plain")}
	for name, o := range map[string]map[string]any{
		"readers of the topic":             n.object(protocol.QueryTopicConsumeByWho, "topic", "Plain"),
		"topics of the reader":             n.object(protocol.QueryTopicsByConsumer, "group", "reader"),
		"topics of the broadcasting group": n.object(protocol.QueryTopicsByConsumer, "group", "casters"),
		"correction":                       n.object(protocol.QueryCorrectionOffset, "filterGroups", "", "compareGroup", "reader", "topic", "Plain"),
	} {
		delete(o, "brokerAddr")
		if list, ok := o["groupList"].([]any); ok {
			slices.SortFunc(list, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
		}
		v[name] = o
	}
	return v
}

// TestBroadcastOffsetsBothWays: the offsets of broadcasting groups stand in consumerOffset.json under keys with one '@'
// more than others. Each starts with what the other has written there, says the same of it, and goes on.
func TestBroadcastOffsetsBothWays(t *testing.T) {
	t.Parallel()
	keys := maps.Clone(smallFiles)
	keys["enableBroadcastOffsetStore"] = "true"
	home := t.TempDir()
	first := startWith(t, target.InProc, home, keys)
	first.settings()
	for i := range 12 {
		first.send("Plain", 0, 0, "", fmt.Sprint("m", i))
	}
	require.NoError(t, first.WaitStored("Plain", 12))
	goesOn := func(n *node, at int64) {
		n.cast(at)
		n.commit("reader", "Plain", 0, at-2)
		n.raw(protocol.CloneGroupOffset, "srcGroup", "reader", "destGroup", "patient", "topic", "Plain", "offline", "true")
		n.stop()
		text, err := os.ReadFile(filepath.Join(home, "store", "config", "consumerOffset.json"))
		require.NoError(t, err)
		require.Regexp(t, fmt.Sprintf(`"Plain@casters@broadcast":\s*\{\s*"?0"?:\s*%d\s*\}`, at), string(text), "%s", n.Kind)
	}
	goesOn(first, 5)
	for turn := range int64(2) {
		ours := startWith(t, target.Binary, home, keys) // whose members have not come again
		said := ours.tally()
		ours.stop()
		java := startWith(t, target.Java, home, keys)
		require.Equal(t, said, java.tally(), "ours, and Java of the same")
		goesOn(java, 6+turn)
	}
	last := startWith(t, target.InProc, home, keys)
	require.EqualValues(t, 7, last.casters())
	goesOn(last, 8)
}
