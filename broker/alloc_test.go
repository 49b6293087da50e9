// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"rocketd/internal/invariant"
	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/remoting"
	"rocketd/store/vfs"
)

// The budgets of one request, from a decoded command to its answer. Mux.Handle,
// which the tests go through, makes 7 of them for its copies of command and
// answer; a connection makes none there, and two in decoding. Of the broker are:
// a send's properties, message id and number, a pull's header and batch.
const (
	sendAllocs = 7 + 3
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

// The budgets of one request over a connection, everything on the server's side included: the text of the header and
// what the broker needs, as above. Half of one is for what the store does beside it.
const (
	wireSendAllocs = 5.5
	wirePullAllocs = 4.5
)

func TestAllocsOverAConnection(t *testing.T) {
	if invariant.On {
		t.Skip("checks allocate")
	}
	for name, of := range map[string]struct {
		req    func() *protocol.Command
		allocs float64
	}{
		"send": {func() *protocol.Command { return sendCommand(bytes.Repeat([]byte("x"), 1024)) }, wireSendAllocs},
		"pull": {func() *protocol.Command { return pullCommand(0) }, wirePullAllocs},
	} {
		t.Run(name, func(t *testing.T) {
			ask := newHotConn(t, newHotBroker(t, nil), of.req())
			per := testing.AllocsPerRun(100, ask) / hotBatch
			t.Log("allocations per request:", per)
			require.LessOrEqual(t, per, of.allocs)
		})
	}
}

// hotBatch is how many requests a hot connection has in flight.
const hotBatch = 32

// newHotConn connects to b and returns a function that sends a request hotBatch times and reads the answers, and which
// allocates nothing itself. b has messages to pull.
func newHotConn(tb testing.TB, b *Broker, req *protocol.Command) (ask func()) {
	tb.Helper()
	for range hotBatch {
		mustHandle(tb, b, sendCommand([]byte("x")))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- remoting.NewServer(b.cfg.Load().ServerConfig, b.mux, zerolog.Nop(), remoting.Hooks{}).Serve(ctx, l)
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	require.NoError(tb, err)
	tb.Cleanup(func() {
		require.NoError(tb, conn.Close())
		cancel()
		require.NoError(tb, <-ended)
	})
	var out []byte
	for range hotBatch {
		out, err = protocol.Append(out, req)
		require.NoError(tb, err)
	}
	in := bufio.NewReaderSize(conn, 64<<10)
	return func() {
		if _, err := conn.Write(out); err != nil {
			tb.Fatal(err)
		}
		for range hotBatch {
			size, err := in.Peek(4)
			if err != nil {
				tb.Fatal(err)
			}
			if _, err := in.Discard(4 + int(binary.BigEndian.Uint32(size))); err != nil {
				tb.Fatal(err)
			}
		}
	}
}

// BenchmarkWire sends and pulls over a connection, hotBatch requests at a time; an operation is one request.
func BenchmarkWire(bench *testing.B) {
	for name, req := range map[string]*protocol.Command{"send": sendCommand(bytes.Repeat([]byte("x"), 1024)), "pull": pullCommand(0)} {
		bench.Run(name, func(bench *testing.B) {
			ask := newHotConn(bench, newHotBroker(bench, nil), req)
			bench.ReportAllocs()
			bench.ResetTimer()
			for done := 0; done < bench.N; done += hotBatch {
				ask()
			}
		})
	}
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
