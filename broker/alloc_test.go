// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"

	"rocketd/internal/invariant"
	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

// The budgets of one request, from a decoded command to its answer. Mux.Handle,
// which the tests go through, makes 7 of them for its copies of command and
// answer; a connection makes none there, and two in decoding. Of the broker are:
// a send's header, properties, message id and number, a pull's header and batch.
const (
	sendAllocs = 7 + 4
	pullAllocs = 7 + 3
)

// newHotBroker is a broker on the real disk with a topic and a command for it.
func newHotBroker(tb testing.TB, change func(*Config)) *Broker {
	tb.Helper()
	cfg := testConfig()
	cfg.StorePathRootDir, cfg.StorePathCommitLog = tb.TempDir(), ""
	cfg.CommitLogFileSize = 64 << 20
	if change != nil {
		change(&cfg)
	}
	b, err := New(cfg, Deps{FS: vfs.OS, Clock: clockwork.NewRealClock()})
	require.NoError(tb, err)
	require.NoError(tb, b.open())
	tb.Cleanup(func() { require.NoError(tb, b.store.Close()) })
	require.NoError(tb, b.loadTables())
	b.opened.Store(true)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = b.store.Run(ctx)
	}()
	tb.Cleanup(func() {
		cancel()
		<-ended
	})
	require.NoError(tb, b.topics.Put(protocol.NewTopicConfig("T", 4, 4, 6)))
	return b
}

// sendCommand is a send as the Java client makes it.
func sendCommand(body []byte) *protocol.Command {
	req := &protocol.Command{Code: protocol.SendMessageV2, Version: 513, Body: body}
	text := "a=P b=T c=TBW102 d=4 e=0 f=0 g=1700000000000 h=0 j=0 k=false m=false n=broker-a i=" +
		props("TAGS=TagA KEYS=Key1 UNIQ_KEY=7F0000014BBA2340947B76FA21110000 WAIT=true")
	for pair := range strings.FieldsSeq(text) {
		key, value, _ := strings.Cut(pair, "=")
		req.Fields = append(req.Fields, protocol.Field{Key: key, Value: value})
	}
	return req
}

func pullCommand(offset int64) *protocol.Command {
	req := &protocol.Command{Code: protocol.PullMessage, Version: 513}
	for pair := range strings.FieldsSeq(pullFields("T", offset, "")) {
		key, value, _ := strings.Cut(pair, "=")
		req.Fields = append(req.Fields, protocol.Field{Key: key, Value: value})
	}
	return req
}

func mustHandle(tb testing.TB, b *Broker, req *protocol.Command) *protocol.Command {
	answer, err := b.Handle(context.Background(), hotPeer{}, req)
	if err != nil || answer.Code != protocol.Success {
		tb.Fatal(err, answer)
	}
	return answer
}

// hotPeer is a connection with an address and nothing else.
type hotPeer struct{ *fakePeer }

func (hotPeer) ID() uint64         { return 1 }
func (hotPeer) RemoteAddr() string { return "127.0.0.1:40000" }

func TestSendAllocs(t *testing.T) {
	if invariant.On {
		t.Skip("checks allocate")
	}
	b := newHotBroker(t, nil)
	req := sendCommand(bytes.Repeat([]byte("x"), 1024))
	got := testing.AllocsPerRun(500, func() { mustHandle(t, b, req) })
	t.Log("allocations per send:", got)
	require.LessOrEqual(t, got, float64(sendAllocs))
}

func TestPullAllocs(t *testing.T) {
	if invariant.On {
		t.Skip("checks allocate")
	}
	b := newHotBroker(t, nil)
	for range 32 {
		mustHandle(t, b, sendCommand([]byte("x")))
	}
	req := pullCommand(0)
	got := testing.AllocsPerRun(500, func() { mustHandle(t, b, req) })
	t.Log("allocations per pull:", got)
	require.LessOrEqual(t, got, float64(pullAllocs))
}

// BenchmarkSendInline sends 1 KiB messages as the reader of a connection does.
func BenchmarkSendInline(bench *testing.B) {
	b := newHotBroker(bench, nil)
	req := sendCommand(bytes.Repeat([]byte("x"), 1024))
	bench.SetBytes(1024)
	bench.ReportAllocs()
	for bench.Loop() {
		mustHandle(bench, b, req)
	}
}

// BenchmarkPull pulls from the middle of a queue.
func BenchmarkPull(bench *testing.B) {
	for _, size := range []int{100, 1024} {
		bench.Run(fmt.Sprint(size), func(bench *testing.B) {
			b := newHotBroker(bench, nil)
			for range 64 {
				mustHandle(bench, b, sendCommand(bytes.Repeat([]byte("x"), size)))
			}
			req := pullCommand(16)
			answer := mustHandle(bench, b, req)
			bench.SetBytes(int64(len(answer.Body)))
			bench.ReportAllocs()
			for bench.Loop() {
				mustHandle(bench, b, req)
			}
		})
	}
}

// BenchmarkReadProps walks over the properties of a usual message.
func BenchmarkReadProps(bench *testing.B) {
	text := props("TAGS=TagA KEYS=Key1 UNIQ_KEY=7F0000014BBA2340947B76FA21110000 WAIT=true")
	bench.ReportAllocs()
	for bench.Loop() {
		if p := readProps(text); p.uniqKey == "" {
			bench.Fatal(message.PropUniqKey)
		}
	}
}
