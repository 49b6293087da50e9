// SPDX-License-Identifier: Apache-2.0

package remoting

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"rocketd/protocol"
	"rocketd/remoting/remotingtest"
)

// sendMux answers a send as a broker would, without a store.
func sendMux(inline bool) *Mux {
	m := NewMux(zerolog.Nop())
	Handle(m, protocol.SendMessageV2, NewLane("send", 10000, inline),
		func(_ context.Context, _ *Call, req *protocol.SendHeader) (*protocol.SendResult, error) {
			return &protocol.SendResult{MsgID: "7F00000100002A9F0000000000000000", QueueID: req.QueueID, QueueOffset: 12345}, nil
		}, Keys("v2"))
	return m
}

// sendFrame is a send of a short message, as Java's client encodes it.
func sendFrame(form protocol.SerializeType) []byte {
	h := &protocol.SendHeader{
		ProducerGroup: "benchmark_producer", Topic: "BenchmarkTest", DefaultTopic: "TBW102", DefaultTopicQueueNums: 4,
		QueueID: 1, BornTimestampMs: 1735689600000, Properties: "KEYS\x01k1\x02UNIQ_KEY\x017F0000010D7418B4AAC2000000000000\x02WAIT\x01true\x02",
	}
	cmd := &protocol.Command{Code: protocol.SendMessageV2, Version: 513, Opaque: 7, Serialize: form, Body: make([]byte, 128)}
	cmd.Fields = protocol.CodecOf[protocol.SendHeader]("v2").Append(nil, h)
	frame, err := protocol.Append(nil, cmd)
	if err != nil {
		panic(err)
	}
	return frame
}

// BenchmarkEcho sends over real loopback: 4 connections with 32 requests in flight each. The clients write and read
// raw frames, so that most of the measured time is the server's.
func BenchmarkEcho(b *testing.B) {
	for _, bench := range []struct {
		name   string
		inline bool
		form   protocol.SerializeType
	}{
		{"Inline/json", true, protocol.SerializeJSON},
		{"Inline/binary", true, protocol.SerializeBinary},
		{"Goroutine/json", false, protocol.SerializeJSON},
		{"Goroutine/binary", false, protocol.SerializeBinary},
	} {
		b.Run(bench.name, func(b *testing.B) {
			cfg := DefaultServerConfig()
			cfg.Serialize = bench.form
			loopback(b, NewServer(cfg, sendMux(bench.inline), zerolog.Nop(), Hooks{}), sendFrame(bench.form))
		})
	}
}

func loopback(b *testing.B, s *Server, frame []byte) {
	const conns, inFlight = 4, 32
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	before := processTime()
	for range conns {
		nc, err := net.Dial("tcp", l.Addr().String())
		require.NoError(b, err)
		wg.Go(func() { pump(b, nc, frame, inFlight, &left) })
	}
	wg.Wait()
	b.ReportMetric(float64(processTime()-before)/float64(b.N), "cpu-ns/op")
	b.StopTimer()
	cancel()
	require.NoError(b, <-done)
}

// processTime is the processor time of this process so far, which other load of the machine does not change much.
func processTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// pump keeps inFlight requests on their way until left is used up.
func pump(b *testing.B, nc net.Conn, frame []byte, inFlight int, left *atomic.Int64) {
	defer nc.Close()
	var out []byte
	take := func(n int) int {
		got := 0
		for out = out[:0]; got < n && left.Add(-1) >= 0; got++ {
			out = append(out, frame...)
		}
		if got > 0 {
			if _, err := nc.Write(out); err != nil {
				b.Error(err)
			}
		}
		return got
	}
	open := take(inFlight)
	in, end := make([]byte, 64<<10), 0
	for open > 0 {
		n, err := nc.Read(in[end:])
		if err != nil {
			if !errors.Is(err, io.EOF) {
				b.Error(err)
			}
			return
		}
		end += n
		at, answers := 0, 0
		for end-at >= 4 {
			size := 4 + int(binary.BigEndian.Uint32(in[at:]))
			if end-at < size {
				break
			}
			at += size
			answers++
		}
		end = copy(in, in[at:end])
		open += take(answers) - answers
	}
}

// BenchmarkServe is the same without sockets: one connection's reader on a buffer of 32 frames.
func BenchmarkServe(b *testing.B) {
	for _, form := range []protocol.SerializeType{protocol.SerializeJSON, protocol.SerializeBinary} {
		b.Run(form.String(), func(b *testing.B) {
			c, frames := quietConn(form)
			b.ReportAllocs()
			before := processTime()
			for n := 0; n < b.N; n += 32 {
				serveAgain(c, len(frames))
			}
			b.ReportMetric(float64(processTime()-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// discard is a connection that takes everything.
type discard struct{ net.Conn }

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// quietConn is a connection whose buffer holds 32 sends.
func quietConn(form protocol.SerializeType) (*conn, []byte) {
	cfg := DefaultServerConfig()
	cfg.Serialize = form
	s := NewServer(cfg, sendMux(true), zerolog.Nop(), Hooks{})
	_, server := remotingtest.Pipe()
	c := newConn(s.shared, discard{server}, newWatch())
	var frames []byte
	for range 32 {
		frames = append(frames, sendFrame(form)...)
	}
	c.in.block = getBlock(len(frames))
	c.call = newCall(c.ctx, c.mux, c, c)
	copy(c.in.block.b, frames)
	return c, frames
}

func serveAgain(c *conn, n int) {
	c.in.start, c.in.end = 0, n
	if !c.serveReceived() {
		panic("refused")
	}
	c.flush()
}

// TestServingASendAllocatesLittle guards the inline path: the header's strings, what the handler makes, and the
// numbers of the answer as text.
func TestServingASendAllocatesLittle(t *testing.T) {
	for _, form := range []protocol.SerializeType{protocol.SerializeJSON, protocol.SerializeBinary} {
		c, frames := quietConn(form)
		serveAgain(c, len(frames))
		per := testing.AllocsPerRun(200, func() { serveAgain(c, len(frames)) }) / 32
		t.Logf("%s: %.2f allocations per send", form, per)
		require.LessOrEqual(t, per, 6.0)
	}
}
