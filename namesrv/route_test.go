// SPDX-License-Identifier: Apache-2.0

package namesrv

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/compat"
	"rocketd/protocol"
)

const (
	quotedRoute   = `{"brokerDatas":[{"brokerAddrs":{"0":"10.0.0.1:1"},"brokerName":"b","cluster":"C","enableActingMaster":false}],"filterServerTable":{},"queueDatas":[{"brokerName":"b","perm":6,"readQueueNums":4,"topicSysFlag":0,"writeQueueNums":4}]}`
	unquotedRoute = `{"brokerDatas":[{"brokerAddrs":{0:"10.0.0.1:1"},"brokerName":"b","cluster":"C","enableActingMaster":false}],"filterServerTable":{},"queueDatas":[{"brokerName":"b","perm":6,"readQueueNums":4,"topicSysFlag":0,"writeQueueNums":4}]}`
)

// The texts are what Java 5.5.0 answers.
func TestRouteDialectFollowsTheClientsVersion(t *testing.T) {
	f := newServer(t)
	f.mustRegister(broker{name: "b", addr: "10.0.0.1:1", topics: topics("A", "B")})
	for _, c := range []struct {
		version int32
		accept  string
		want    string
	}{
		{compat.Version, "", quotedRoute},
		{401, "", quotedRoute},
		{400, "", unquotedRoute},
		{317, "", unquotedRoute}, // the Go client
		{0, "", unquotedRoute},
		{317, "true", quotedRoute},
		{317, "false", unquotedRoute},
		{513, "false", quotedRoute},
	} {
		fields := map[string]string{"topic": "A"}
		if c.accept != "" {
			fields["acceptStandardJsonOnly"] = c.accept
		}
		answer := f.askAs(f.peer, c.version, protocol.GetRouteInfoByTopic, fields, nil)
		require.Equal(t, protocol.Success, answer.Code)
		require.Nil(t, answer.Fields, "Java sends no header")
		require.Equal(t, c.want, string(answer.Body), "%+v", c)
	}
}

func TestUnknownTopic(t *testing.T) {
	answer := newServer(t).ask(protocol.GetRouteInfoByTopic, map[string]string{"topic": "X"}, nil)
	require.Equal(t, protocol.TopicNotExist, answer.Code)
	require.Equal(t, "No topic route info in name server for the topic: X\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.", answer.Remark)
	require.Nil(t, answer.Fields)
}

func TestClusterInfo(t *testing.T) {
	f := newServer(t)
	f.mustRegister(broker{name: "b1", addr: "10.0.0.1:1"})
	f.mustRegister(broker{name: "b1", addr: "10.0.0.2:1", id: 1})
	f.mustRegister(broker{cluster: "D", name: "b2", addr: "10.0.0.3:1", fields: map[string]string{"enableActingMaster": "true", "__ZONE_NAME": "z1"}})
	require.Equal(t, `{"brokerAddrTable":{`+
		`"b1":{"brokerAddrs":{"0":"10.0.0.1:1","1":"10.0.0.2:1"},"brokerName":"b1","cluster":"C","enableActingMaster":false},`+
		`"b2":{"brokerAddrs":{"0":"10.0.0.3:1"},"brokerName":"b2","cluster":"D","enableActingMaster":true,"zoneName":"z1"}},`+
		`"clusterAddrTable":{"C":["b1"],"D":["b2"]}}`, string(f.must(protocol.GetBrokerClusterInfo, nil, nil).Body))
}

func TestFilterServersAreRelayed(t *testing.T) {
	f := newServer(t)
	b := broker{name: "b", addr: "10.0.0.1:1", topics: topics("A", "B"), filters: []string{"10.0.0.9:1", `bad"`}}
	f.mustRegister(b)
	require.Equal(t, map[string][]string{"10.0.0.1:1": {"10.0.0.9:1"}}, f.route("A").FilterServerTable)
	b.filters = []string{}
	f.mustRegister(b)
	require.Empty(t, f.route("A").FilterServerTable)
}
