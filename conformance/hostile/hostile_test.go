// SPDX-License-Identifier: Apache-2.0

// Package hostile is what a hostile client may try, over real sockets against both servers, while a well-behaved client
// goes on with its work. Where the cases stand:
//
//	S1 S2 S3 S5  changes of the configuration  config_test.go, broker/admin_config_test.go, namesrv/admin_test.go
//	S4           the exploit's frame           hostile_test.go; that no program can be started: internal/tidy
//	S6           names                         hostile_test.go, broker/hostile_test.go, namesrv/hostile_test.go
//	S7           frames                        hostile_test.go, remoting/hostile_test.go, the fuzz tests of protocol
//	S8           numbers from the wire         numbers_test.go, broker/hostile_test.go, namesrv/hostile_test.go
package hostile

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
	"rocketd/protocol"
	"rocketd/remoting"
	"rocketd/remoting/remotingtest"
)

// connect opens a raw connection.
func connect(t *testing.T, addr string) *remotingtest.Raw {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	return remotingtest.NewRaw(t, nc)
}

func newClient(t *testing.T) *remoting.Client {
	c := remoting.NewClient(remoting.DefaultClientConfig(), nil, zerolog.Nop(), nil)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// bystander is a client that behaves: it sends and reads all the time, and must never be refused or kept waiting.
type bystander struct {
	t      *testing.T
	rounds atomic.Int64
	stop   context.CancelFunc
	done   sync.WaitGroup
}

const bystanderTopic = "bystander"

func startBystander(t *testing.T, c *target.Cluster) *bystander {
	require.NoError(t, c.CreateTopic(bystanderTopic, 1))
	ctx, cancel := context.WithCancel(context.Background())
	b, client := &bystander{t: t, stop: cancel}, newClient(t)
	b.done.Go(func() {
		for ctx.Err() == nil {
			if err := b.round(client, c); err != nil {
				t.Errorf("the well-behaved client: %v", err)
				return
			}
			b.rounds.Add(1)
		}
	})
	t.Cleanup(b.end)
	return b
}

func (b *bystander) round(client *remoting.Client, c *target.Cluster) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	send := sendRequest(bystanderTopic)
	for addr, req := range map[string]*protocol.Command{
		c.Broker.Addr: send,
		c.Names.Addr:  protocol.NewRequest(protocol.GetRouteInfoByTopic, &protocol.RouteHeader{Topic: bystanderTopic}),
	} {
		answer, err := client.Call(ctx, addr, req)
		if err != nil {
			return err
		}
		if answer.Code != protocol.Success {
			return fmt.Errorf("%s: answer %d: %s", protocol.RequestName(req.Code), answer.Code, answer.Remark)
		}
	}
	return nil
}

// goesOn waits until the client has got answers to requests that it sends from now on.
func (b *bystander) goesOn() {
	b.t.Helper()
	enough := b.rounds.Load() + 3
	require.Eventually(b.t, func() bool { return b.rounds.Load() >= enough }, 20*time.Second, time.Millisecond, "the well-behaved client waits")
}

func (b *bystander) end() {
	b.stop()
	b.done.Wait()
}

func sendRequest(topic string) *protocol.Command {
	req := protocol.NewRequest(protocol.SendMessage, &protocol.SendHeader{
		ProducerGroup: "p", Topic: topic, DefaultTopic: "TBW102", DefaultTopicQueueNums: 4, BornTimestampMs: 1,
	})
	req.Body = []byte("x")
	return req
}

// S4: the frame with which CVE-2023-33246 is exploited, as the public exploit module builds it. Nothing runs, nothing
// changes. That no part of the servers can run a program at all is a rule of internal/tidy.
func TestS4TheExploitsFrame(t *testing.T) {
	c := target.New(t, target.InProc, target.Options{})
	b := startBystander(t, c)
	mark := filepath.Join(t.TempDir(), "mark")
	body := "filterServerNums=1\nrocketmqHome=-c $@|sh . echo touch " + mark + ";\n"
	header := `{"code":25,"extFields":{"test":"1"},"flag":0,"language":"JAVA","opaque":266,"serializeTypeCurrentRPC":"JSON","version":395}`
	frame := binary.BigEndian.AppendUint32(nil, uint32(4+len(header)+len(body)))
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(header)))
	frame = append(append(frame, header...), body...)
	for name, want := range map[string]int32{c.Broker.Addr: protocol.NoPermission, c.Names.Addr: protocol.RequestCodeNotSupported} {
		raw := connect(t, name)
		raw.WriteRaw(frame)
		answer := raw.ReadFrame()
		require.Equal(t, want, answer.Code, answer.Remark)
	}
	b.goesOn()
	require.NoFileExists(t, mark)
}

// badNames are no names of topics or groups.
var badNames = []string{
	"../x", "../../../../tmp/x", "a/b", `a\b`, "..%2fx", "nul\x00l", "", " ", ".", "..", "a b", "ü", strings.Repeat("n", 256), "a\nb", "*", "$x", "a;b", "~", "C:", "CON.",
}

// S6: such names, wherever a request has a name, leave no trace outside the store, and no folder inside of it.
func TestS6Names(t *testing.T) {
	c := target.New(t, target.InProc, target.Options{})
	b, client := startBystander(t, c), newClient(t)
	ctx := context.Background()
	before := tree(t, c.Home)
	for _, name := range badNames {
		for _, req := range namedRequests(t, name) {
			answer, err := client.Call(ctx, c.Broker.Addr, req)
			require.NoError(t, err, "%s with %q", protocol.RequestName(req.Code), name)
			require.NotContains(t, answer.Remark, "internal error", "%s with %q", protocol.RequestName(req.Code), name)
		}
	}
	b.goesOn()
	b.end()
	require.NoError(t, c.Broker.Stop()) // which writes all tables
	for path := range tree(t, c.Home) {
		if before[path] || knownName(filepath.Base(path)) {
			continue
		}
		t.Errorf("%q has come into being", path)
	}
}

// knownName says whether a file may come into being: those of the store, and topics that have a right name.
func knownName(base string) bool {
	for _, part := range []string{"json", "bak", "0000000000", "checkpoint", "bystander", "RETRY", "DLQ", "lock", "rocketd"} {
		if strings.Contains(base, part) && !strings.ContainsAny(base, "/\\ ;*~$") {
			return true
		}
	}
	return base != "" && strings.Trim(base, "0123456789") == "" // a queue, a file of the log or the index
}

func tree(t *testing.T, root string) map[string]bool {
	paths := map[string]bool{}
	require.NoError(t, filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		paths[path] = true
		return err
	}))
	return paths
}

// namedRequests are the requests in which a topic or a group is named, with that name.
func namedRequests(t *testing.T, name string) []*protocol.Command {
	quoted := fmt.Sprintf("%q", name)
	send := sendRequest(name)
	v2 := &protocol.Command{Code: protocol.SendMessageV2, Language: protocol.LangJava, Version: 513, Body: []byte("x"),
		Fields: protocol.CodecOf[protocol.SendHeader]("v2").Append(nil, &protocol.SendHeader{ProducerGroup: "p", Topic: name, DefaultTopic: "TBW102", DefaultTopicQueueNums: 4})}
	batch := *v2
	batch.Code = protocol.SendBatchMessage
	reply := *send
	reply.Code = protocol.SendReplyMessage
	defaulted := sendRequest("hostile_default")
	defaulted.SetField("defaultTopic", name)
	withBody := func(code int32, body string) *protocol.Command {
		req := protocol.NewRequest[protocol.Empty](code, nil)
		req.Body = []byte(body)
		return req
	}
	requests := []*protocol.Command{
		send, v2, &batch, &reply, defaulted,
		withBody(protocol.UpdateAndCreateTopicList, `{"topicConfigList":[{"topicName":`+quoted+`,"readQueueNums":1,"writeQueueNums":1,"perm":6}]}`),
		withBody(protocol.UpdateAndCreateSubscriptionGroup, `{"groupName":`+quoted+`}`),
		withBody(protocol.UpdateAndCreateSubscriptionGroupList, `{"groupConfigList":[{"groupName":`+quoted+`}]}`),
		withBody(protocol.HeartBeat, `{"clientID":`+quoted+`,"consumerDataSet":[{"groupName":`+quoted+`,"subscriptionDataSet":[{"topic":`+quoted+`,"subString":"*"}]}],"producerDataSet":[{"groupName":`+quoted+`}]}`),
		withBody(protocol.LockBatchMQ, `{"clientId":"c","consumerGroup":`+quoted+`,"mqSet":[{"brokerName":"broker-a","queueId":0,"topic":`+quoted+`}]}`),
	}
	// Every field that can hold a name, in one request of each code.
	for code := range servedByBroker(t) {
		req := protocol.NewRequest[protocol.Empty](code, nil)
		for _, field := range headerFields(t) {
			if field.numeric {
				req.SetField(field.name, "0")
			} else {
				req.SetField(field.name, name)
			}
		}
		requests = append(requests, req)
	}
	return requests
}

// S7: frames that are none, or that ask for too much. Each costs its own connection at most.
func TestS7Frames(t *testing.T) {
	c := target.New(t, target.InProc, target.Options{})
	b := startBystander(t, c)
	heap, goroutines := heapBytes(), runtime.NumGoroutine()
	for name, frame := range badFrames() {
		t.Run(name, func(t *testing.T) {
			for _, addr := range []string{c.Broker.Addr, c.Names.Addr} {
				nc, err := net.Dial("tcp", addr)
				require.NoError(t, err)
				defer nc.Close()
				_, _ = nc.Write(frame) // it may be cut off in the middle
				_ = nc.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
				_, _ = nc.Read(make([]byte, 4096)) // an answer, the end, or neither: the frame is not whole
			}
			b.goesOn()
		})
	}
	// Peers that ask and go: at once, with a reset, or for one direction only, which still gets its answer.
	ask, err := protocol.Append(nil, sendRequest(bystanderTopic))
	require.NoError(t, err)
	for i := range 200 {
		nc, err := net.Dial("tcp", c.Broker.Addr)
		require.NoError(t, err)
		_, err = nc.Write(ask)
		require.NoError(t, err)
		tcp := nc.(*net.TCPConn)
		switch i % 3 {
		case 0:
			require.NoError(t, tcp.SetLinger(0))
		case 1:
			require.NoError(t, tcp.CloseWrite())
			require.Equal(t, protocol.Success, remotingtest.NewRaw(t, nc).ReadFrame().Code)
		}
		_ = nc.Close()
	}
	b.goesOn()
	// Many that open a frame and never go on.
	var slow []net.Conn
	for range 200 {
		nc, err := net.Dial("tcp", c.Broker.Addr)
		require.NoError(t, err)
		_, err = nc.Write([]byte{0x00, 0xff, 0xff, 0xff, 0, 0, 0, 200, '{'})
		require.NoError(t, err)
		slow = append(slow, nc)
	}
	b.goesOn()
	// A body of the frames above that inflates to the limit may still be in the works.
	require.Eventually(t, func() bool { return heapBytes() < heap+16<<20 }, 20*time.Second, 10*time.Millisecond, "announced lengths cost nothing")
	for _, nc := range slow {
		_ = nc.Close()
	}
	require.Eventually(t, func() bool { return runtime.NumGoroutine() < goroutines+20 }, 20*time.Second, 10*time.Millisecond, "goroutines of closed connections")
}

func heapBytes() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func frameOf(kind byte, header, body string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(4+len(header)+len(body)))
	b = binary.BigEndian.AppendUint32(b, uint32(kind)<<24|uint32(len(header)))
	return append(append(b, header...), body...)
}

func badFrames() map[string][]byte {
	be := binary.BigEndian
	jsonHeader := func(fields string) string {
		return `{"code":10,"language":"JAVA","version":513,"opaque":1,"flag":0,"extFields":{` + fields + `}}`
	}
	binaryHead := func(rest ...byte) string {
		return string(append([]byte{0, 10, 0, 2, 1, 0, 0, 0, 1, 0, 0, 0, 0}, rest...)) // code, language, version, opaque, flag
	}
	many := make([]string, 1_000_000)
	for i := range many {
		many[i] = fmt.Sprintf(`"f%d":"1"`, i)
	}
	var bomb bytes.Buffer // inflates to 256 MiB
	z := zlib.NewWriter(&bomb)
	zeros := make([]byte, 1<<20)
	for range 256 {
		_, _ = z.Write(zeros)
	}
	_ = z.Close()
	register := `{"code":103,"language":"JAVA","version":513,"opaque":1,"flag":0,"extFields":{"brokerName":"b","brokerAddr":"192.0.2.1:1","clusterName":"c",` +
		`"haServerAddr":"192.0.2.1:2","brokerId":"0","compressed":"true","bodyCrc32":"0"}}`
	return map[string][]byte{
		"a bomb":                   frameOf(0, register, bomb.String()),
		"length 0":                 {0, 0, 0, 0},
		"length 3":                 {0, 0, 0, 3, 1, 2, 3},
		"negative length":          {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0},
		"a byte more than allowed": be.AppendUint32(nil, 16<<20+1),
		"header longer than frame": {0, 0, 0, 8, 0, 0, 0xff, 0xff, 1, 2, 3, 4},
		"unknown form":             frameOf(7, "{}", ""),
		"no JSON":                  frameOf(0, "not json", ""),
		"JSON cut short":           frameOf(0, `{"code":10,"extFields":{"a":`, ""),
		"deep JSON":                frameOf(0, strings.Repeat(`{"a":`, 100_000), ""),
		"deep arrays":              frameOf(0, `{"code":10,"extFields":`+strings.Repeat("[", 1_000_000), ""),
		"a million fields":         frameOf(0, jsonHeader(strings.Join(many, ",")), "x"),
		"the same field twice":     frameOf(0, jsonHeader(`"topic":"a","topic":"b"`), "x"),
		"invalid UTF-8":            frameOf(0, jsonHeader("\"topic\":\"\xff\xfe\""), "x"),
		"huge numbers":             frameOf(0, `{"code":99999999999999999999,"opaque":1e400,"flag":-1}`, ""),
		"code beyond all":          frameOf(0, `{"code":2147483647,"opaque":1}`, ""),
		"negative code":            frameOf(0, `{"code":-2147483648,"opaque":1}`, ""),
		"negative remark":          frameOf(1, binaryHead(0xff, 0xff, 0xff, 0xff), ""),
		"remark beyond header":     frameOf(1, binaryHead(0x7f, 0xff, 0xff, 0xff), ""),
		"negative fields":          frameOf(1, binaryHead(0, 0, 0, 0, 0x80, 0, 0, 0), ""),
		"fields beyond header":     frameOf(1, binaryHead(0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff), ""),
		"negative key":             frameOf(1, binaryHead(0, 0, 0, 0, 0, 0, 0, 6, 0xff, 0xff, 0, 0, 0, 0), ""),
		"negative value":           frameOf(1, binaryHead(0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0xff, 0xff, 0xff, 0xff), ""),
		"TLS":                      append([]byte{0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3}, make([]byte, 500)...),
		"HTTP":                     []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"PROXY":                    []byte("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n"),
		"answers to nobody":        frameOf(0, `{"code":0,"opaque":7,"flag":1}`, ""),
	}
}
