// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
	"rocketd/protocol"
	"rocketd/remoting"
)

// field is a field of some request's header.
type field struct {
	name    string
	numeric bool
}

var tagLine = regexp.MustCompile("^\\s+\\w+\\s+\\*?(string|int32|int64|bool|float64)\\s+`rmq:\"(\\w+)[^\"]*\"(?: v2:\"(\\w+)[^\"]*\")?")

// headerFields are the fields of all headers in package protocol, read from its source, so that a new one is here by
// itself.
var headerFieldsOnce = sync.OnceValues(func() ([]field, error) {
	files, err := filepath.Glob("../../protocol/*.go")
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for line := range strings.SplitSeq(string(text), "\n") {
			if m := tagLine.FindStringSubmatch(line); m != nil {
				for _, name := range m[2:] {
					if name != "" {
						found[name] = strings.HasPrefix(m[1], "int") || found[name]
					}
				}
			}
		}
	}
	var fields []field
	for _, name := range slices.Sorted(maps.Keys(found)) {
		fields = append(fields, field{name, found[name]})
	}
	return fields, nil
})

func headerFields(t *testing.T) []field {
	fields, err := headerFieldsOnce()
	require.NoError(t, err)
	require.Greater(t, len(fields), 60, "the source is not read as it should be")
	return fields
}

var handleLine = regexp.MustCompile(`remoting\.Handle\(m, protocol\.(\w+),`)

// served reads a request table.
func served(t *testing.T, table string) map[int32]bool {
	text, err := os.ReadFile(table)
	require.NoError(t, err)
	source, err := os.ReadFile("../../protocol/codes.go")
	require.NoError(t, err)
	codes := map[int32]bool{}
	for _, m := range handleLine.FindAllStringSubmatch(string(text), -1) {
		value := regexp.MustCompile(`(?m)^\s+` + m[1] + `\s+int32 = (\d+)$`).FindStringSubmatch(string(source))
		require.NotNil(t, value, m[1])
		code, err := strconv.ParseInt(value[1], 10, 32)
		require.NoError(t, err)
		codes[int32(code)] = true
	}
	require.Greater(t, len(codes), 15)
	return codes
}

func servedByBroker(t *testing.T) map[int32]bool { return served(t, "../../broker/requests.go") }

// extremes are what a number may be told to be.
var extremes = []string{
	"-1", "0", "1", "2147483647", "-2147483648", "2147483648", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "1e9", "", "x", "99999999999999999999999",
}

// S8: every field of every request with every extreme number. Each request is answered, none of them in panic, and no
// number is believed before it has been looked at: the heap stays as it is.
func TestS8Numbers(t *testing.T) {
	c := target.New(t, target.InProc, target.Options{})
	b, client := startBystander(t, c), newClient(t)
	require.NoError(t, c.CreateTopic("T", 4))
	send := sendRequest("T")
	answer, err := client.Call(context.Background(), c.Broker.Addr, send)
	require.NoError(t, err)
	require.Equal(t, protocol.Success, answer.Code)
	heap := heapBytes()
	for addr, codes := range map[string]map[int32]bool{c.Broker.Addr: servedByBroker(t), c.Names.Addr: served(t, "../../namesrv/requests.go")} {
		for _, value := range extremes {
			for _, body := range []string{"", "x", "{}", "[]", `{"a":`, "null", strings.Repeat("[", 100_000)} {
				for _, code := range slices.Sorted(maps.Keys(codes)) {
					req := extremeRequest(t, code, value)
					req.Body = []byte(body)
					requireAnswer(t, client, addr, req, fmt.Sprintf("fields %q, body %.20q", value, body))
				}
			}
		}
	}
	b.goesOn()
	// What a peer is told to wait for may still be parked; their topics' names cost little.
	require.Less(t, int64(heapBytes()), int64(heap)+128<<20)
}

// extremeRequest gives every numeric field the value, and names that are there.
func extremeRequest(t *testing.T, code int32, value string) *protocol.Command {
	req := protocol.NewRequest[protocol.Empty](code, nil)
	for _, f := range headerFields(t) {
		switch {
		case f.numeric && (f.name == "sysFlag" || f.name == "f") && (code == protocol.PullMessage || code == protocol.LitePullMessage):
			req.SetField(f.name, "4") // not to be parked
		case f.numeric:
			req.SetField(f.name, value)
		case strings.HasSuffix(strings.ToLower(f.name), "group"), f.name == "a":
			req.SetField(f.name, "G")
		case f.name == "topic", f.name == "b":
			req.SetField(f.name, "T")
		}
	}
	return req
}

func requireAnswer(t *testing.T, client *remoting.Client, addr string, req *protocol.Command, what string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	answer, err := client.Call(ctx, addr, req)
	if err != nil {
		buf := make([]byte, 1<<20)
		t.Fatalf("%s, %s: %v\n%.4000s", protocol.RequestName(req.Code), what, err, buf[:runtime.Stack(buf, true)])
	}
	require.NotContains(t, answer.Remark, "internal error", "%s, %s", protocol.RequestName(req.Code), what)
}

// Queue counts and sources that Java believes.
func TestS8NumbersThatJavaBelieves(t *testing.T) {
	c := target.New(t, target.InProc, target.Options{})
	client := newClient(t)
	for _, queues := range []int32{2147483647, -1, 0, -2147483648} {
		create := protocol.NewRequest(protocol.UpdateAndCreateTopic, &protocol.CreateTopicHeader{
			Topic: "many", DefaultTopic: "TBW102", ReadQueueNums: queues, WriteQueueNums: queues, Perm: 6, TopicFilterType: protocol.SingleTag,
		})
		list := protocol.NewRequest[protocol.Empty](protocol.UpdateAndCreateTopicList, nil)
		list.Body = fmt.Appendf(nil, `{"topicConfigList":[{"topicName":"many","readQueueNums":%d,"writeQueueNums":%d,"perm":6}]}`, queues, queues)
		group := protocol.NewRequest[protocol.Empty](protocol.UpdateAndCreateSubscriptionGroup, nil)
		group.Body = fmt.Appendf(nil, `{"groupName":"many","retryQueueNums":%d}`, queues)
		for _, req := range []*protocol.Command{create, list, group} {
			answer, err := client.Call(context.Background(), c.Broker.Addr, req)
			require.NoError(t, err)
			if req != group || queues != 0 { // a group without retry queues is one that never tries again
				require.Equal(t, protocol.InvalidParameter, answer.Code, "%s of %d: %s", protocol.RequestName(req.Code), queues, answer.Remark)
			}
		}
	}
	require.NoError(t, c.CreateTopic("T", 1))
	pull := protocol.NewRequest(protocol.PullMessage, &protocol.PullHeader{
		ConsumerGroup: "G", Topic: "T", MaxMsgNums: 2147483647, SysFlag: protocol.PullFlagSubscription, Subscription: "*", RequestSource: new(int32),
	})
	*pullSource(pull) = "1"
	answer, err := client.Call(context.Background(), c.Broker.Addr, pull)
	require.NoError(t, err)
	require.Equal(t, protocol.PullNotFound, answer.Code)
}

func pullSource(req *protocol.Command) *string {
	for i := range req.Fields {
		if req.Fields[i].Key == "requestSource" {
			return &req.Fields[i].Value
		}
	}
	return new(string)
}
