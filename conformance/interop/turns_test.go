// SPDX-License-Identifier: Apache-2.0

package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"rocketd/compat/fastjson"
	"rocketd/conformance/target"
	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/store"
	"rocketd/store/vfs"
)

// written are the topics whose messages nothing but a sender adds to.
var written = []string{"Plain", "Batch", "Large"}

// write sends every kind of message that both servers take.
func (n *node) write(round string) {
	n.t.Helper()
	for i := range 12 {
		props := pairs("TAGS", fmt.Sprint("Tag", i%3, "r", round), "KEYS", fmt.Sprintf("k%s-%d all%s", round, i, round), "UNIQ_KEY", fmt.Sprintf("U%s-%d", round, i),
			"WAIT", "true", "name", "wert \u00e4\u00f6\u4e2d")
		n.send("Plain", int32(i%4), 0, props, fmt.Sprintf("plain %s %d", round, i))
	}
	var batch []byte
	for i := range 5 {
		batch = message.AppendBatchItem(batch, int32(i), fmt.Appendf(nil, "batch %s %d", round, i), pairs("TAGS", "B", "UNIQ_KEY", fmt.Sprintf("B%s-%d", round, i)))
	}
	n.sendAs(protocol.SendBatchMessage, "Batch", 0, 0, "", batch)
	for i := range 30 { // more than a file
		n.send("Large", 0, 0, pairs("TAGS", "L", "UNIQ_KEY", fmt.Sprintf("L%s-%d", round, i)), strings.Repeat(fmt.Sprint(i%10), 3000))
	}
	n.send("Delayed", 0, 0, pairs("DELAY", "2", "UNIQ_KEY", "D"+round), "delayed "+round)
	n.send("Delayed", 0, 0, pairs("DELAY", "1", "UNIQ_KEY", "E"+round), "soon "+round)
	n.commit("reader", "Plain", 0, 2)
	n.commit("reader", "Plain", 3, int64(len(round)))
}

// view is what a server says that it has.
func (n *node) view() map[string]any {
	n.t.Helper()
	v := map[string]any{}
	for _, topic := range written {
		v[topic] = n.records(topic)
	}
	for queue := range int32(4) {
		offset, err := n.Committed("reader", "Plain", queue)
		require.NoError(n.t, err)
		v[fmt.Sprint("reader on ", queue)] = offset
	}
	v["group"] = n.object(protocol.GetSubscriptionGroupConfig, "group", "patient")
	topic := n.object(protocol.GetTopicConfig, "topic", "Typed")
	delete(topic, "order") // ours leaves out what Java adds for static topics
	v["topic"] = topic["attributes"]
	return v
}

// requireIndexed asks the key index for messages of a round. A Java that was
// killed drops index files that were not full and indexes only what it reads of
// the log again, so that older rounds are not asked for then.
func (n *node) requireIndexed(round string) {
	n.t.Helper()
	require.Equal(n.t, []int{1, 12, 1, 4}, []int{n.found("Plain", "k"+round+"-3", "K"), n.found("Plain", "all"+round, "K"),
		n.found("Batch", "B"+round+"-2", "U"), n.found("Plain", "Tag1r"+round, "T")})
}

// delivered counts the messages of a topic with a body.
func (n *node) delivered(topic, body string) (count int) {
	n.t.Helper()
	if n.WaitRoute(topic) != nil {
		return 0
	}
	all, err := n.Read(topic)
	require.NoError(n.t, err)
	for _, r := range all {
		if string(r.Body) == body {
			count++
		}
	}
	return count
}

func (n *node) awaitDelivered(topic, body string) {
	n.t.Helper()
	n.eventually(body+" in "+topic, func() bool { return n.delivered(topic, body) > 0 })
}

// settings makes a topic and a group with more than the defaults.
func (n *node) settings() {
	n.t.Helper()
	n.raw(protocol.UpdateAndCreateTopic, "topic", "Typed", "defaultTopic", message.DefaultTopic, "readQueueNums", "3", "writeQueueNums", "3",
		"perm", "6", "topicFilterType", "SINGLE_TAG", "topicSysFlag", "0", "order", "false", "attributes", "+message.type=FIFO")
	for _, group := range []string{"reader", "patient"} {
		cfg := protocol.NewGroupConfig(group)
		cfg.RetryMaxTimes, cfg.RetryQueueNums, cfg.ConsumeTimeoutMinute = 7, 2, 9
		cfg.GroupRetryPolicy = &protocol.RetryPolicy{Type: protocol.RetryExponential,
			ExponentialRetryPolicy: &protocol.ExponentialRetry{InitialMs: 7000, MaxMs: 70000, Multiplier: 3}}
		body, err := fastjson.Marshal(cfg)
		require.NoError(n.t, err)
		cmd := protocol.NewRequest[protocol.Empty](protocol.UpdateAndCreateSubscriptionGroup, nil)
		cmd.Body = body
		n.mustCall(cmd)
	}
}

// later leaves a half message and two messages for a time, one of them due while
// the next server has the directory.
func (n *node) later() (half sent) {
	n.t.Helper()
	half = n.send("Txn", 0, message.TranPrepared, pairs("TRAN_MSG", "true", "PGROUP", "interop_producer", "UNIQ_KEY", "HALF1"), "in a transaction")
	now := time.Now().UnixMilli()
	n.send("Timed", 0, 0, pairs("TIMER_DELIVER_MS", fmt.Sprint(now+12_000), "UNIQ_KEY", "TIMED1"), "timed early")
	n.send("Timed", 0, 0, pairs("TIMER_DELIVER_MS", fmt.Sprint(now+35_000), "UNIQ_KEY", "TIMED2"), "timed late")
	return half
}

// commitHalf ends the transaction.
func (n *node) commitHalf(half sent) {
	n.t.Helper()
	_, phyOffset, err := message.ParseOffsetMsgID(half.id)
	require.NoError(n.t, err)
	n.raw(protocol.EndTransaction, "producerGroup", "interop_producer", "tranStateTableOffset", fmt.Sprint(half.offset), "commitLogOffset", fmt.Sprint(phyOffset),
		"commitOrRollback", fmt.Sprint(message.TranCommit), "fromTransactionCheck", "false", "msgId", "HALF1", "transactionId", half.txn)
}

// TestJavaAndOursTakeTurns is the life of one directory: Java writes and stops,
// ours goes on and is killed, Java goes on and is killed, ours has all of it.
func TestJavaAndOursTakeTurns(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	storeDir := filepath.Join(home, "store")
	require.NoError(t, os.MkdirAll(filepath.Join(storeDir, "foreign"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(storeDir, "foreign", "notes"), []byte("mine"), 0o644))

	java := start(t, target.Java, home)
	java.settings()
	java.write("1")
	half := java.later()
	java.awaitDelivered("Delayed", "soon 1")
	wrote := java.view()
	requireLocked(t, storeDir)
	java.stop()
	require.NoFileExists(t, filepath.Join(storeDir, "abort"), "Java ended cleanly")
	requireWhole(t, storeDir)
	record(t, "stopped", storeDir, wrote)

	ours := start(t, target.Binary, home)
	require.Equal(t, wrote, ours.view(), "what ours reads of Java's")
	ours.requireIndexed("1")
	ours.awaitDelivered("Delayed", "delayed 1")
	ours.awaitDelivered("Timed", "timed early")
	ours.write("2")
	ours.awaitDelivered("Delayed", "soon 2")
	ours.requireIndexed("1")
	ours.requireIndexed("2")
	wrote = ours.view()
	ours.kill()
	require.FileExists(t, filepath.Join(storeDir, "abort"))
	requireWhole(t, storeDir)

	java = start(t, target.Java, home)
	require.Equal(t, wrote, java.view(), "what Java reads of ours")
	java.commitHalf(half)
	java.awaitDelivered("Txn", "in a transaction")
	java.awaitDelivered("Delayed", "delayed 2")
	java.awaitDelivered("Timed", "timed late")
	java.write("3")
	wrote = java.view()
	java.kill()
	requireWhole(t, storeDir)
	record(t, "killed", storeDir, wrote)

	ours = start(t, target.InProc, home)
	require.Equal(t, wrote, ours.view(), "what ours reads of a killed Java's")
	ours.requireIndexed("3")
	for _, body := range []string{"delayed 1", "delayed 2", "soon 1", "soon 2"} {
		require.Positive(t, ours.delivered("Delayed", body), body) // a kill makes deliveries repeat, on both sides
	}
	require.Positive(t, ours.delivered("Timed", "timed early"))
	require.Positive(t, ours.delivered("Timed", "timed late"))
	require.Positive(t, ours.delivered("Txn", "in a transaction"))
	ours.awaitDelivered("Delayed", "delayed 3")
	ours.stop()
	requireWhole(t, storeDir)
	require.FileExists(t, filepath.Join(storeDir, "foreign", "notes"))
}

// TestJavaTakesOverWhatOursLeft is the way out: a directory that ours began and
// ended cleanly is Java's from then on.
func TestJavaTakesOverWhatOursLeft(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	ours := start(t, target.InProc, home)
	ours.settings()
	ours.write("1")
	wrote := ours.view()
	ours.stop()
	java := start(t, target.Java, home)
	require.Equal(t, wrote, java.view())
	java.requireIndexed("1")
	java.awaitDelivered("Delayed", "delayed 1")
	java.write("2")
	java.requireIndexed("2")
	java.kill()
}

// requireWhole has the offline check look at a directory that nobody uses.
func requireWhole(t *testing.T, dir string) {
	t.Helper()
	damaged, err := store.Check(vfs.OS, smallStore(dir), func(f store.Finding) {
		if f.Damage {
			t.Error(f)
		}
	})
	require.NoError(t, err)
	require.Zero(t, damaged)
}

// requireLocked demands that a directory in use is refused.
func requireLocked(t *testing.T, dir string) {
	t.Helper()
	_, err := store.Open(smallStore(dir), store.Deps{FS: vfs.OS, Clock: clockwork.NewRealClock(), Log: zerolog.Nop()})
	require.ErrorIs(t, err, vfs.ErrLocked)
	require.ErrorContains(t, err, dir)
}
