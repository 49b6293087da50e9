// SPDX-License-Identifier: Apache-2.0

// Package interop lets Java 5.5.0 and this server take turns on one data
// directory: what one of them has written the other reads and goes on with,
// after a clean stop and after kill -9.
package interop

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"rocketd/compat/fastjson"
	"rocketd/conformance/target"
	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/remoting"
	"rocketd/store"
)

// smallFiles let few messages fill several files of each kind. The second delay
// level outlasts a stop of Java's.
var smallFiles = map[string]string{
	"mappedFileSizeCommitLog": "65536", "mappedFileSizeConsumeQueue": "200", "mappedFileSizeTimerLog": "65536",
	"maxHashSlotNum": "100", "maxIndexNum": "200", "messageDelayLevel": "1s 12s 60s",
	"transactionTimeOut": "3600000", "transactionCheckInterval": "3600000",
}

// smallStore is the same for ours without a server.
func smallStore(dir string) store.Config {
	cfg := store.DefaultConfig()
	cfg.StorePathRootDir, cfg.MaxHashSlotNum, cfg.MaxIndexNum = dir, 100, 200
	return cfg
}

// node is one server over the directory.
type node struct {
	*target.Cluster
	t      *testing.T
	client *remoting.Client
}

// start runs a server over a home folder that outlives it.
func start(t *testing.T, kind target.Kind, home string) *node {
	t.Helper()
	return startWith(t, kind, home, smallFiles)
}

func startWith(t *testing.T, kind target.Kind, home string, keys map[string]string) *node {
	t.Helper()
	target.Require(t, kind)
	c, err := target.Start(kind, target.Options{Home: home, Broker: keys})
	require.NoError(t, err)
	n := &node{Cluster: c, t: t, client: remoting.NewClient(remoting.DefaultClientConfig(), nil, zerolog.Nop(), new(net.Dialer).DialContext)}
	t.Cleanup(func() { _ = c.Close(true) }) // what a failed test has left running
	return n
}

// stop ends the server in order, kill as a power cut of its process does.
func (n *node) stop() {
	n.t.Helper()
	require.NoError(n.t, n.client.Close())
	require.NoError(n.t, n.Close(true))
}

func (n *node) kill() {
	n.t.Helper()
	require.NoError(n.t, n.Broker.Kill())
	n.stop()
}

func (n *node) call(cmd *protocol.Command) *protocol.Command {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	answer, err := n.client.Call(ctx, n.Broker.Addr, cmd)
	require.NoError(n.t, err)
	return answer
}

func (n *node) mustCall(cmd *protocol.Command) *protocol.Command {
	n.t.Helper()
	answer := n.call(cmd)
	require.Equal(n.t, protocol.Success, answer.Code, "%s: %s", protocol.RequestName(cmd.Code), answer.Remark)
	return answer
}

// pairs encodes names and values as a property text.
func pairs(p ...string) string {
	var text []byte
	for i := 0; i < len(p); i += 2 {
		text = message.AppendProperty(text, p[i], p[i+1])
	}
	return string(text)
}

type sent struct {
	id     string // offset id
	txn    string
	offset int64
}

func (n *node) send(topic string, queue int32, sysFlag int32, properties, body string) sent {
	n.t.Helper()
	return n.sendAs(protocol.SendMessage, topic, queue, sysFlag, properties, []byte(body))
}

func (n *node) sendAs(code int32, topic string, queue int32, sysFlag int32, properties string, body []byte) sent {
	n.t.Helper()
	h := &protocol.SendHeader{
		ProducerGroup: "interop_producer", Topic: topic, DefaultTopic: message.DefaultTopic, DefaultTopicQueueNums: 4,
		QueueID: queue, SysFlag: sysFlag, BornTimestampMs: time.Now().UnixMilli(), Flag: 17, Properties: properties,
		Batch: code == protocol.SendBatchMessage,
	}
	cmd := &protocol.Command{Code: code, Language: protocol.LangJava, Version: 513, Body: body}
	tag := "rmq"
	if code == protocol.SendBatchMessage {
		tag = "v2"
	}
	cmd.Fields = protocol.CodecOf[protocol.SendHeader](tag).Append([]protocol.Field{}, h)
	answer := n.mustCall(cmd)
	var r protocol.SendResult
	require.NoError(n.t, protocol.CodecOf[protocol.SendResult]("rmq").Decode(answer.Fields, &r))
	return sent{id: r.MsgID, txn: r.TransactionID, offset: r.QueueOffset}
}

// raw sends a request whose header has the given fields.
func (n *node) raw(code int32, fields ...string) *protocol.Command {
	n.t.Helper()
	cmd := &protocol.Command{Code: code, Language: protocol.LangJava, Version: 513, Fields: []protocol.Field{}}
	for i := 0; i < len(fields); i += 2 {
		cmd.SetField(fields[i], fields[i+1])
	}
	return n.mustCall(cmd)
}

func (n *node) commit(group, topic string, queue int32, offset int64) {
	n.t.Helper()
	n.mustCall(protocol.NewRequest(protocol.UpdateConsumerOffset, &protocol.UpdateConsumerOffsetHeader{
		ConsumerGroup: group, Topic: topic, QueueID: queue, CommitOffset: offset}))
}

// object is the JSON body of an answer.
func (n *node) object(code int32, fields ...string) map[string]any {
	n.t.Helper()
	var v map[string]any
	require.NoError(n.t, fastjson.Unmarshal(n.raw(code, fields...).Body, &v))
	return v
}

// records are the messages of a topic as they lie in the log, one line each.
func (n *node) records(topic string) []string {
	n.t.Helper()
	require.NoError(n.t, n.WaitRoute(topic))
	all, err := n.Read(topic)
	require.NoError(n.t, err)
	lines := make([]string, len(all))
	for i, r := range all {
		lines[i] = fmt.Sprintf("%d/%d at %d: %x", r.QueueID, r.QueueOffset, r.PhyOffset, r.Raw)
	}
	return lines
}

// found asks the key index.
func (n *node) found(topic, key, indexType string) int {
	n.t.Helper()
	answer := n.raw(protocol.QueryMessage, "topic", topic, "key", key, "maxNum", "32", "indexType", indexType, "beginTimestamp", "0",
		"endTimestamp", fmt.Sprint(time.Now().Add(time.Hour).UnixMilli()))
	return recordsIn(answer.Body)
}

// recordsIn counts the messages of a body.
func recordsIn(body []byte) (count int) {
	for ; len(body) > 0; count++ {
		body = body[message.RecordSize(body):]
	}
	return count
}

// eventually waits for what the server does by itself.
func (n *node) eventually(what string, cond func() bool) {
	n.t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	for !cond() {
		if time.Now().After(deadline) {
			n.t.Fatal("waited in vain: " + what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
