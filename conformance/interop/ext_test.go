// SPDX-License-Identifier: Apache-2.0

package interop

import (
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
	"rocketd/protocol"
)

// extKeys switch the extension units and their bitmaps on, in small files.
func extKeys() map[string]string {
	keys := maps.Clone(smallFiles)
	maps.Copy(keys, map[string]string{"enablePropertyFilter": "true", "enableConsumeQueueExt": "true", "enableCalcFilterBitMap": "true",
		"mappedFileSizeConsumeQueueExt": "400", "expectConsumerNumUseFilter": "40"})
	return keys
}

// subscribe has the consumers of three groups come, two of them with an expression.
func (n *node) subscribe() {
	n.t.Helper()
	consumer := func(group, expressionType, expression string) string {
		return fmt.Sprintf(`{"consumeFromWhere":"CONSUME_FROM_FIRST_OFFSET","consumeType":"CONSUME_PASSIVELY","groupName":%q,"messageModel":"CLUSTERING",`+
			`"subscriptionDataSet":[{"classFilterMode":false,"codeSet":[],"expressionType":%q,"subString":%q,"subVersion":7,"tagsSet":[],"topic":"Plain"}],"unitMode":false}`,
			group, expressionType, expression)
	}
	cmd := protocol.NewRequest[protocol.Empty](protocol.HeartBeat, nil)
	cmd.Body = fmt.Appendf(nil, `{"clientID":"filtering","consumerDataSet":[%s,%s,%s],"producerDataSet":[]}`,
		consumer("over", "SQL92", "a > 4"), consumer("named", "SQL92", "name = 'x' OR a = 1"), consumer("all", "TAG", "*"))
	n.mustCall(cmd)
}

// sendFiltered sends messages that each of the groups takes or not.
func (n *node) sendFiltered() {
	n.t.Helper()
	n.send("Other", 0, 0, "", "a topic without expressions")
	for i := range 40 {
		n.send("Plain", 0, 0, pairs("a", fmt.Sprint(i%8), "TAGS", fmt.Sprint("Tag", i%3), "name", string(rune('w'+i%3))), fmt.Sprint("m", i))
	}
	require.NoError(n.t, n.WaitStored("Plain", 40))
}

// pulled counts what a group gets of the queue by its heartbeat's expression.
func (n *node) pulled(group string) (count int) {
	n.t.Helper()
	for offset := "0"; offset != "40"; {
		cmd := &protocol.Command{Code: protocol.PullMessage, Language: protocol.LangJava, Version: 513, Fields: []protocol.Field{}}
		for k, v := range map[string]string{"consumerGroup": group, "topic": "Plain", "queueId": "0", "queueOffset": offset, "maxMsgNums": "32",
			"sysFlag": "0", "commitOffset": "0", "suspendTimeoutMillis": "0", "subVersion": "7", "expressionType": "SQL92"} {
			cmd.SetField(k, v)
		}
		answer := n.call(cmd)
		require.Contains(n.t, []int32{protocol.Success, protocol.PullRetryImmediately}, answer.Code, answer.Remark)
		var next bool
		offset, next = answer.Field("nextBeginOffset")
		require.True(n.t, next)
		if answer.Code == protocol.Success {
			count += recordsIn(answer.Body)
		}
	}
	return count
}

// extFiles are the extension units of a topic's queue 0, with the store times
// blanked.
func extFiles(t *testing.T, storeDir, topic string) (files []string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(storeDir, "consumequeue_ext", topic, "0", "*"))
	require.NoError(t, err)
	for _, name := range names {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		for at := 0; at+20 <= len(b); {
			size := int(int16(binary.BigEndian.Uint16(b[at:])))
			if size < 20 {
				break
			}
			require.NotZero(t, binary.BigEndian.Uint64(b[at+10:]))
			clear(b[at+10 : at+18])
			at += size
		}
		files = append(files, fmt.Sprintf("%s %x", filepath.Base(name), b))
	}
	return files
}

// shown is what QUERY_CONSUME_QUEUE answers about the queue, for each group and each file of the queue.
func (n *node) shown() (answers []string) {
	n.t.Helper()
	for _, group := range []string{"over", "named", "all", "none"} {
		for index := 0; index < 40; index += 10 {
			answer := n.raw(protocol.QueryConsumeQueue, "topic", "Plain", "queueId", "0", "index", fmt.Sprint(index), "count", "10", "consumerGroup", group)
			answers = append(answers, string(answer.Body))
		}
	}
	return answers
}

var (
	anyMs    = regexp.MustCompile(`\b1[5-9]\d{11}\b`)
	anyPlace = regexp.MustCompile(`"physic(Offset|Size)":\d+`) // the two write records of other lengths
)

// comparable is what two brokers say alike of the same messages.
func comparable(answers []string) (masked []string) {
	for _, a := range answers {
		masked = append(masked, anyPlace.ReplaceAllString(anyMs.ReplaceAllString(a, "MS"), `"physic$1":0`))
	}
	return masked
}

// TestBitmapsAreJavas has both write extension units for the same consumers and
// messages, and each read those of the other and show them as their writer did.
func TestBitmapsAreJavas(t *testing.T) {
	t.Parallel()
	homes := map[target.Kind]string{target.Java: t.TempDir(), target.InProc: t.TempDir()}
	others := map[target.Kind]string{target.InProc: homes[target.Java], target.Java: homes[target.InProc]}
	units, shown := map[target.Kind][]string{}, map[string][]string{}
	for kind, home := range homes {
		n := startWith(t, kind, home, extKeys())
		n.subscribe()
		n.sendFiltered()
		require.Equal(t, []int{15, 16}, []int{n.pulled("over"), n.pulled("named")}, kind)
		shown[home] = n.shown()
		n.stop()
		units[kind] = append(extFiles(t, filepath.Join(home, "store"), "Plain"), extFiles(t, filepath.Join(home, "store"), "Other")...)
	}
	require.Greater(t, len(units[target.Java]), 3, "several files")
	require.Equal(t, units[target.Java], units[target.InProc])
	require.Equal(t, comparable(shown[homes[target.Java]]), comparable(shown[homes[target.InProc]]))
	for kind, home := range others {
		n := startWith(t, kind, home, extKeys())
		n.subscribe()
		require.Equal(t, []int{15, 16}, []int{n.pulled("over"), n.pulled("named")}, "%s reads the other's", kind)
		require.Equal(t, shown[home], n.shown(), "%s shows the other's", kind)
		n.stop()
	}
}
