// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"strconv"
	"testing"

	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/stretchr/testify/require"
)

// The expected lines were printed by the Java 5.5.0 classes.
func TestLinesAreJavas(t *testing.T) {
	queue := &primitive.MessageQueue{Topic: "TopicTest", BrokerName: "broker-a", QueueId: 2}
	require.Equal(t,
		"SendResult [sendStatus=SEND_OK, msgId=FD0000000000000000000000000000024CDC30946E0976869D070000, offsetMsgId=7F000001000070EF0000000000000000, messageQueue=MessageQueue [topic=TopicTest, brokerName=broker-a, queueId=2], queueOffset=0, recallHandle=null]",
		formatSendResult(&primitive.SendResult{MsgID: "FD0000000000000000000000000000024CDC30946E0976869D070000",
			OffsetMsgID: "7F000001000070EF0000000000000000", MessageQueue: queue}))

	m := &primitive.MessageExt{StoreSize: 264, QueueOffset: 3, BornTimestamp: 1795479734306, BornHost: "127.0.0.1:55964",
		StoreTimestamp: 1795479734312, StoreHost: "127.0.0.1:28911", MsgId: "UNIQ", OffsetMsgId: "7F000001000070EF0000000000000210",
		CommitLogOffset: 528, BodyCRC: 1250039395}
	m.Topic, m.Body, m.Queue = "TopicTest", []byte{72, 0xff}, queue
	m.WithProperty("TAGS", "TagA")
	m.WithProperty("CLUSTER", "DefaultCluster")
	require.Equal(t,
		"[MessageExt [brokerName=broker-a, queueId=2, storeSize=264, queueOffset=3, sysFlag=0, bornTimestamp=1795479734306, bornHost=/127.0.0.1:55964, storeTimestamp=1795479734312, storeHost=/127.0.0.1:28911, msgId=7F000001000070EF0000000000000210, commitLogOffset=528, bodyCRC=1250039395, reconsumeTimes=0, preparedTransactionOffset=0, toString()=Message{topic='TopicTest', flag=0, properties={CLUSTER=DefaultCluster, TAGS=TagA}, body=[72, -1], transactionId='null'}]]",
		formatMessages("broker-a", []*primitive.MessageExt{m}))
}

func TestNameServersAreResolved(t *testing.T) {
	hosts := map[string][]string{"localhost": {"::1", "127.0.0.1"}, "six": {"fd00::1"}}
	lookup := func(host string) ([]string, error) {
		if found := hosts[host]; found != nil {
			return found, nil
		}
		return nil, errors.New("no such host")
	}
	for list, want := range map[string]primitive.NamesrvAddr{
		"localhost:9876":                 {"127.0.0.1:9876"},
		" localhost:1 ; 10.0.0.1:2;":     {"127.0.0.1:1", "10.0.0.1:2"},
		"six:9876":                       {"[fd00::1]:9876"},
		"127.0.0.1:9876;127.0.0.2:19876": {"127.0.0.1:9876", "127.0.0.2:19876"},
	} {
		got, err := resolve(list, lookup)
		require.NoError(t, err, list)
		require.Equal(t, want, got, list)
	}
	for _, list := range []string{"nowhere:9876", "localhost", ";"} {
		_, err := resolve(list, lookup)
		require.Error(t, err, list)
	}
}

func TestUnknownClassNamesJavaAndTheKnownOnes(t *testing.T) {
	for _, class := range []string{"org.example.Nothing", "quickstart.Producer", examples + "simple.PopConsumer", examples + "simple.PullScheduleService"} {
		require.ErrorContains(t, run([]string{class}), "Unknown class "+class+": set TOOLS_RUNTIME=java to run the Java class of that name. "+
			"Known here, in org.apache.rocketmq.example: batch.SimpleBatchProducer, ")
	}
	require.ErrorContains(t, run(nil), "Usage: tools.sh CLASS")
}

func TestNameServersComeFromTheOptionFirst(t *testing.T) {
	t.Setenv("NAMESRV_ADDR", "10.0.0.1:1")
	for _, c := range []struct {
		args []string
		want string
	}{{[]string{"-n", "10.0.0.2:2"}, "10.0.0.2:2"}, {nil, "10.0.0.1:1"}} {
		got, err := nameServers(c.args, "10.0.0.3:3")
		require.NoError(t, err)
		require.Equal(t, primitive.NamesrvAddr{c.want}, got)
	}
	_, err := nameServers([]string{"-x"}, "")
	require.ErrorContains(t, err, "the only option is -n")
	t.Setenv("NAMESRV_ADDR", "")
	got, err := nameServers(nil, "10.0.0.3:3")
	require.NoError(t, err)
	require.Equal(t, primitive.NamesrvAddr{"10.0.0.3:3"}, got)
	_, err = nameServers(nil, "")
	require.ErrorContains(t, err, "No name server address")
}

func TestTransactionsAreDecidedWhenAskedAbout(t *testing.T) {
	d := &decisions{}
	for i, want := range []primitive.LocalTransactionState{primitive.UnkonwnState, primitive.CommitMessageState, primitive.RollbackMessageState, primitive.UnkonwnState} {
		m := &primitive.MessageExt{}
		m.TransactionId = strconv.Itoa(i)
		require.Equal(t, primitive.CommitMessageState, d.CheckLocalTransaction(m), "another program's transaction")
		require.Equal(t, primitive.UnkonwnState, d.ExecuteLocalTransaction(&m.Message))
		require.Equal(t, want, d.CheckLocalTransaction(m))
	}
}
