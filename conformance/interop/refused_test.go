// SPDX-License-Identifier: Apache-2.0

package interop

import (
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/store"
	"rocketd/store/vfs"
)

// TestWhatOnlyJavaReadsIsRefused has Java keep state in every form that is not
// read here. Each is named, with a way out, until its directory is gone; then
// the log opens and has all messages.
func TestWhatOnlyJavaReadsIsRefused(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	keys := maps.Clone(smallFiles)
	maps.Copy(keys, map[string]string{"storeType": "defaultRocksDB", "transRocksDBEnable": "true", "timerRocksDBEnable": "true"})
	java := startWith(t, target.Java, home, keys)
	for i := range 20 {
		java.send("Plain", int32(i%4), 0, pairs("TAGS", "a"), fmt.Sprint("m", i))
	}
	java.send("Txn", 0, message.TranPrepared, pairs("TRAN_MSG", "true", "PGROUP", "interop_producer", "UNIQ_KEY", "HALF1"), "in a transaction")
	java.send("Timed", 0, 0, pairs("TIMER_DELIVER_MS", fmt.Sprint(time.Now().UnixMilli()+100_000), "UNIQ_KEY", "TIMED1"), "timed")
	dir := filepath.Join(home, "store")
	java.stop() // a killed Java has not written its RocksDB log yet

	named := refusals(t, dir)
	for _, part := range []string{"consumequeue", "rocksdbstore", "config/topics", "config/subscriptionGroups", "config/consumerOffsets"} {
		require.Contains(t, named, filepath.Join(dir, part))
	}
	s, err := store.Open(smallStore(dir), store.Deps{FS: vfs.OS, Clock: clockwork.NewRealClock(), Log: zerolog.Nop()})
	require.NoError(t, err)
	total := int64(0)
	for _, queue := range s.Queues("Plain") {
		_, high, _ := s.QueueRange("Plain", queue)
		total += high
	}
	require.EqualValues(t, 20, total)
	require.NoError(t, s.Close())
	requireWhole(t, dir)
}

// TestMoreThatOnlyJavaReads is the same for what Java keeps beside queues in files: pops, users, topics of other kinds.
func TestMoreThatOnlyJavaReads(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	const providers = "org.apache.rocketmq.auth."
	keys := maps.Clone(smallFiles)
	maps.Copy(keys, map[string]string{
		"popConsumerKVServiceInit": "true", "popConsumerKVServiceEnable": "true",
		"authenticationMetadataProvider": providers + "authentication.provider.LocalAuthenticationMetadataProvider",
		"authorizationMetadataProvider":  providers + "authorization.provider.LocalAuthorizationMetadataProvider",
	})
	java := startWith(t, target.Java, home, keys)
	topic := func(name, attributes string) {
		java.raw(protocol.UpdateAndCreateTopic, "topic", name, "defaultTopic", message.DefaultTopic, "readQueueNums", "1", "writeQueueNums", "1",
			"perm", "6", "topicFilterType", "SINGLE_TAG", "topicSysFlag", "0", "order", "false", "attributes", attributes)
	}
	topic("Whole", "+queue.type=BatchCQ")
	topic("Compacted", "+cleanup.policy=COMPACTION")
	java.send("Plain", 0, 0, pairs("TAGS", "a", "UNIQ_KEY", "P1"), "plain")
	java.send("Whole", 0, 0, pairs("UNIQ_KEY", "W1"), "whole")
	java.send("Compacted", 0, 0, pairs("KEYS", "k", "UNIQ_KEY", "C1"), "compacted")
	java.eventually("a pop", func() bool {
		answer := java.call(popOf("Plain"))
		return answer.Code == protocol.Success
	})
	user := &protocol.Command{Code: protocol.AuthCreateUser, Language: protocol.LangJava, Version: 513,
		Body: []byte(`{"username":"someone","password":"secret","userType":"Normal","userStatus":"enable"}`)}
	user.SetField("username", "someone")
	java.mustCall(user)
	dir := filepath.Join(home, "store")
	java.stop()

	named := refusals(t, dir)
	for _, part := range []string{"kvStore", "config/users", "batchconsumequeue", "compaction/compactionLog"} {
		require.Contains(t, named, filepath.Join(dir, part))
	}
}

// popOf asks for a message that nobody acknowledges.
func popOf(topic string) *protocol.Command {
	cmd := &protocol.Command{Code: protocol.PopMessage, Language: protocol.LangJava, Version: 513}
	for _, field := range [][2]string{{"consumerGroup", "popper"}, {"topic", topic}, {"queueId", "0"}, {"maxMsgNums", "1"}, {"invisibleTime", "600000"},
		{"pollTime", "0"}, {"bornTime", fmt.Sprint(time.Now().UnixMilli())}, {"initMode", "0"}, {"order", "false"}} {
		cmd.SetField(field[0], field[1])
	}
	return cmd
}

// refusals are the places that a check names as not readable here. It removes
// each, until nothing is named any more.
func refusals(t *testing.T, dir string) (named []string) {
	t.Helper()
	for {
		place := ""
		emit := func(f store.Finding) {
			if where, _, ok := strings.Cut(f.Text, " holds "); ok && strings.Contains(f.Text, "cannot be read here: ") {
				place = where
			}
		}
		_, err := store.Check(vfs.OS, smallStore(dir), emit)
		require.NoError(t, err)
		if place == "" {
			return named
		}
		named = append(named, place)
		require.NoError(t, vfs.RemoveAll(vfs.OS, place))
	}
}
