// SPDX-License-Identifier: Apache-2.0

package namesrv

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rocketd/internal/testkit"
	"rocketd/protocol"
	"rocketd/remoting/remotingtest"
)

// S8 of the security cases, and bad input of any kind, for each code that is served: goodRequests has a request of each
// code that is right; the tests spoil one thing of it at a time. broker/hostile_test.go does the same there.

type goodRequest struct{ fields, body string }

// goodRequests are by code. A code that is served and not here fails the tests.
var goodRequests = map[int32]goodRequest{
	protocol.PutKVConfig:      {"namespace=N key=k value=v", ""},
	protocol.GetKVConfig:      {"namespace=N key=k", ""},
	protocol.DeleteKVConfig:   {"namespace=N key=k2", ""},
	protocol.RegisterBroker:   {registerFields, registerBody},
	protocol.UnregisterBroker: {"brokerName=b2 brokerAddr=10.0.0.2:1 clusterName=C brokerId=0", ""},
	protocol.GetRouteInfoByTopic: {
		"topic=T acceptStandardJsonOnly=false", "",
	},
	protocol.GetBrokerClusterInfo:          {},
	protocol.WipeWritePermOfBroker:         {"brokerName=b", ""},
	protocol.AddWritePermOfBroker:          {"brokerName=b", ""},
	protocol.GetAllTopicListFromNameServer: {},
	protocol.DeleteTopicInNamesrv:          {"topic=Doomed clusterName=C", ""},
	protocol.RegisterTopicInNamesrv:        {"topic=Announced", `{"queueDatas":[{"brokerName":"b","readQueueNums":4,"writeQueueNums":4,"perm":6,"topicSysFlag":0}],"brokerDatas":[{"brokerName":"b","cluster":"C","brokerAddrs":{"0":"10.0.0.1:1"}}],"filterServerTable":{}}`},
	protocol.GetKVListByNamespace:          {"namespace=N", ""},
	protocol.GetTopicsByCluster:            {"cluster=C", ""},
	protocol.GetSystemTopicListFromNS:      {},
	protocol.GetUnitTopicList:              {},
	protocol.GetHasUnitSubTopicList:        {},
	protocol.GetHasUnitSubUnunitTopicList:  {},
	protocol.UpdateNamesrvConfig:           {"", "orderMessageEnable=true\n"},
	protocol.GetNamesrvConfig:              {},
	protocol.QueryDataVersion:              {"brokerName=b brokerAddr=10.0.0.1:1 clusterName=C brokerId=0", `{"counter":1,"stateVersion":0,"timestamp":1}`},
	protocol.GetBrokerMemberGroup:          {"clusterName=C brokerName=b", ""},
	protocol.BrokerHeartbeat: {
		"clusterName=C brokerAddr=10.0.0.1:1 brokerName=b brokerId=0 epoch=1 maxOffset=1 confirmOffset=1 heartbeatTimeoutMills=10000 electionPriority=1", "",
	},
}

const (
	registerFields = "clusterName=C brokerName=b brokerAddr=10.0.0.1:1 haServerAddr=10.0.0.1:2 brokerId=0 heartbeatTimeoutMillis=10000 enableActingMaster=false compressed=false bodyCrc32=0"
	registerBody   = `{"filterServerList":["10.0.0.1:3"],"topicConfigSerializeWrapper":{"dataVersion":{"counter":1,"stateVersion":0,"timestamp":1},"topicConfigTable":{` +
		`"T":{"topicName":"T","readQueueNums":4,"writeQueueNums":4,"perm":6,"order":false,"topicFilterType":"SINGLE_TAG","topicSysFlag":0,"attributes":{}},` +
		`"Doomed":{"topicName":"Doomed","readQueueNums":4,"writeQueueNums":4,"perm":6}}}}`
)

// newHostileServer is a server that knows the broker b with the topic T.
func newHostileServer(t *testing.T) *fixture {
	f := newServer(t)
	f.tell(remotingtest.Request(protocol.RegisterBroker, registerFields, registerBody), "")
	f.tell(remotingtest.Request(protocol.PutKVConfig, "namespace=N key=k value=v", ""), "")
	return f
}

// tell demands an answer in bounded time and memory that is no panic's.
func (f *fixture) tell(cmd *protocol.Command, what string) *protocol.Command {
	f.t.Helper()
	return remotingtest.Answered(f.t, cmd, what, f.mux.Panics, func(ctx context.Context) (*protocol.Command, error) {
		return f.Handle(ctx, f.peer, cmd)
	})
}

func TestEveryServedCodeHasAGoodRequest(t *testing.T) {
	f := newHostileServer(t)
	for _, code := range f.mux.Codes() {
		good, ok := goodRequests[code]
		if !ok {
			t.Errorf("%d %s has no line in goodRequests", code, protocol.RequestName(code))
			continue
		}
		if answer := f.tell(remotingtest.Request(code, good.fields, good.body), "as it should be"); answer.Code != protocol.Success {
			t.Errorf("%s is answered %d: %s", protocol.RequestName(code), answer.Code, answer.Remark)
		}
		for _, field := range f.mux.Takes(code) {
			if _, sent := remotingtest.Request(code, good.fields, "").Field(field.Key); !sent && (field.Required || field.Bits > 0) {
				t.Errorf("%s: the good request has no %s", protocol.RequestName(code), field.Key)
			}
		}
	}
}

// A field that is missing or no number is named in the answer.
func TestSpoiltFieldsAreNamed(t *testing.T) {
	f := newHostileServer(t)
	named := func(cmd *protocol.Command, key, what string) {
		answer := f.tell(cmd, key+" "+what)
		require.Equal(t, protocol.SystemError, answer.Code, "%s, %s %s", protocol.RequestName(cmd.Code), key, what)
		require.Contains(t, answer.Remark, "the request header field "+key+" ", "%s, %s", protocol.RequestName(cmd.Code), what)
	}
	for code, good := range goodRequests {
		for _, field := range f.mux.Takes(code) {
			without := remotingtest.Request(code, good.fields, good.body)
			without.Fields = slices.DeleteFunc(without.Fields, func(have protocol.Field) bool { return have.Key == field.Key })
			if field.Required {
				named(without, field.Key, "without it")
			} else {
				f.tell(without, "without "+field.Key)
			}
			for _, value := range testkit.NoNumbers(field.Bits) {
				cmd := remotingtest.Request(code, good.fields, good.body)
				cmd.SetField(field.Key, value)
				named(cmd, field.Key, fmt.Sprintf("%.40q", value))
			}
		}
	}
}

// Every number of every request at its limits, and every name that is none, one at a time.
func TestExtremeFieldsAreAnswered(t *testing.T) {
	f := newHostileServer(t)
	before := f.files.names()
	for code, good := range goodRequests {
		for _, field := range f.mux.Takes(code) {
			var values []string
			for _, n := range testkit.ExtremeNumbers(field.Bits) {
				values = append(values, strconv.FormatInt(n, 10))
			}
			if field.Bits == 0 {
				values = []string{"", " ", "../x", "a/b", `a\b`, "\x00", `"}`, "a,b;c", "\xff\xfe", strings.Repeat("n", 100_000)}
			}
			for _, value := range values {
				cmd := remotingtest.Request(code, good.fields, good.body)
				cmd.SetField(field.Key, value)
				f.tell(cmd, fmt.Sprintf("%s=%.40q", field.Key, value))
			}
		}
	}
	require.Subset(t, append(before, "/ns/kvConfig.json", "/ns/kvConfig.json.bak"), f.files.names(), "no other file came into being")
	f.clock.Advance(24 * time.Hour)
	f.registry.expire(f.nowMs())
	require.Equal(t, protocol.Success, f.tell(remotingtest.Request(protocol.RegisterBroker, registerFields, registerBody), "afterwards").Code)
	require.NotNil(t, f.route("T"))
}

// Bodies that end early, are none, or have one value that is something else.
func TestSpoiltBodiesAreAnswered(t *testing.T) {
	f := newHostileServer(t)
	for code, good := range goodRequests {
		for _, body := range testkit.GarbageBodies {
			f.tell(remotingtest.Request(code, good.fields, body), fmt.Sprintf("%.60q", body))
		}
		if !strings.HasPrefix(good.body, "{") {
			continue
		}
		for end := range len(good.body) {
			if answer := f.tell(remotingtest.Request(code, good.fields, good.body[:end]), good.body[:end]); end > 0 {
				require.Equal(t, protocol.SystemError, answer.Code, "%s %s", protocol.RequestName(code), good.body[:end])
				require.Contains(t, answer.Remark, "ecode ")
			}
		}
		for _, body := range testkit.SpoiltJSON(t, good.body) {
			f.tell(remotingtest.Request(code, good.fields, body), fmt.Sprintf("%.300q", body))
		}
	}
	for _, compressed := range []string{"true", "false"} {
		for end := range len(registerBody) {
			cmd := remotingtest.Request(protocol.RegisterBroker, registerFields, registerBody[end:])
			cmd.SetField("compressed", compressed)
			f.tell(cmd, "a torn registration")
		}
	}
	require.Equal(t, protocol.Success, f.tell(remotingtest.Request(protocol.RegisterBroker, registerFields, registerBody), "afterwards").Code)
}
