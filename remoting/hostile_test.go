// SPDX-License-Identifier: Apache-2.0

package remoting

import (
	"bytes"
	"context"
	"encoding/binary"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"rocketd/internal/testkit"
	"rocketd/protocol"
	"rocketd/remoting/remotingtest"
)

// rawFrame is a frame of any claim: the length word, the header word, and the rest.
func rawFrame(length, header uint32, rest string) []byte {
	b := binary.BigEndian.AppendUint32(nil, length)
	b = binary.BigEndian.AppendUint32(b, header)
	return append(b, rest...)
}

func TestBadFramesCloseOnlyTheirConnection(t *testing.T) {
	word := func(n int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }
	tests := []struct {
		name  string
		bytes []byte
	}{
		{"length 0", word(0)},
		{"length 3", word(3)},
		{"negative length", word(-1)},
		{"most negative length", []byte{0x80, 0, 0, 0}},
		{"16 MiB and 1", word(protocol.MaxFrameBytes - 4 + 1)},
		{"header longer than frame", rawFrame(20, 100, "{}")},
		{"header of 16 MiB in a small frame", rawFrame(20, 0x00ffffff, "{}")},
		{"unknown header form", rawFrame(6, 7<<24|2, "{}")},
		{"negative header form", rawFrame(6, 0xff<<24|2, "{}")},
		{"no header at all", rawFrame(4, 0, "")},
		{"header is no JSON", rawFrame(4+9, 9, "not json!")},
		{"header is a JSON array", rawFrame(4+2, 2, "[]")},
		{"deep JSON", rawFrame(4+100_000, 100_000, string(bytes.Repeat([]byte("["), 100_000)))},
		{"binary header too short", rawFrame(4+5, 1<<24|5, "12345")},
		{"binary remark of negative length", rawFrame(4+21, 1<<24|21, string(make([]byte, 13))+"\xff\xff\xff\xff\x00\x00\x00\x00")},
		{"binary fields beyond the end", rawFrame(4+21, 1<<24|21, string(make([]byte, 17))+"\x7f\xff\xff\xff")},
		{"TLS", []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")},
		{"PROXY v1", []byte("PROXY TCP4 10.0.0.1 10.0.0.2 5000 10911\r\n")},
		{"PROXY v2", []byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c")},
		{"HTTP", []byte("GET / HTTP/1.1\r\n\r\n")},
	}
	f := startServer(t)
	bystander := f.raw()
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := f.raw()
			r.WriteRaw(tt.bytes)
			r.ExpectClosed()

			late := f.raw() // the same after a good frame
			late.WriteFrame(request(codeEcho, 1, "good", nil))
			require.Equal(t, int32(1), late.ReadFrame().Opaque)
			late.WriteRaw(tt.bytes)
			late.ExpectClosed()

			bystander.WriteFrame(request(codeEcho, int32(i), "still here", nil))
			require.Equal(t, int32(i), bystander.ReadFrame().Opaque)
		})
	}
	testkit.Eventually(t, func() bool { return f.server.Connections() == 1 }, "the others are gone")
	require.Equal(t, uint64(2*len(tests)), f.server.counts.refused.Load())
}

func TestFramesMayArriveInAnyPieces(t *testing.T) {
	f := startServer(t)
	r := f.raw()
	var all []byte
	for i := range int32(3) {
		frame, err := protocol.Append(nil, request(codeEcho, i, "pieces", bytes.Repeat([]byte("b"), 3000)))
		require.NoError(t, err)
		all = append(all, frame...)
	}
	for _, b := range all {
		r.WriteRaw([]byte{b})
	}
	for i := range int32(3) {
		require.Equal(t, i, r.ReadFrame().Opaque)
	}
}

func TestTheLongestFrameIsServed(t *testing.T) {
	f := startServer(t)
	r := f.raw()
	req := request(codeEcho, 1, "", nil)
	head, err := protocol.AppendHead(nil, req, 0)
	require.NoError(t, err)
	req.Body = make([]byte, protocol.MaxFrameBytes-len(head)-4096)
	go func() {
		frame, _ := protocol.Append(nil, req)
		_, _ = r.Conn().Write(frame)
	}()
	require.Len(t, r.ReadFrame().Body, len(req.Body))
	f.holdsNothing()
}

func TestAnAnnouncedLengthCostsNothingUntilItsBytesArrive(t *testing.T) {
	f := startServer(t)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	const n = 200
	for range n {
		r := f.raw()
		r.WriteRaw(rawFrame(16<<20-4, 100, "{"))
	}
	testkit.Eventually(t, func() bool {
		waiting := 0
		for _, c := range f.conns() {
			if c.frameSince.Load() != 0 {
				waiting++
			}
		}
		return waiting == n
	}, "all wait for the rest of their frame")
	runtime.GC()
	runtime.ReadMemStats(&after)
	require.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(n*64<<10), "heap grown by %d connections", n)
}

func TestLongFramesShareALimit(t *testing.T) {
	f := newFixture(t, func(_ *fixture, c *ServerConfig) { c.MaxLongFrameBytes = 8 << 20 }).start()
	bystander := f.raw()
	bystander.WriteFrame(request(codeEcho, 1, "", nil))
	bystander.ReadFrame()
	most := append(rawFrame(16<<20-4, 100, ""), make([]byte, 1<<20)...)
	var waiting []*remotingtest.Raw
	for range 20 { // who send a MiB of 16 and wait
		r := f.raw()
		go func() { _, _ = r.Conn().Write(most) }() // it may be cut off in the middle
		waiting = append(waiting, r)
	}
	testkit.Eventually(t, func() bool {
		return f.server.counts.refused.Load() > 0 && f.server.longBytes.Load() <= 8<<20
	}, "some are closed")
	bystander.WriteFrame(request(codeEcho, 2, "", make([]byte, 40_000)))
	require.Equal(t, int32(2), bystander.ReadFrame().Opaque)
	for _, r := range waiting {
		r.Close()
	}
	testkit.Eventually(t, func() bool { return f.server.longBytes.Load() == 0 && f.server.Connections() == 1 }, "all is given back")
	bystander.WriteFrame(request(codeEcho, 3, "", make([]byte, 4<<20)))
	require.Equal(t, int32(3), bystander.ReadFrame().Opaque)
}

func TestSlowFramesAreCut(t *testing.T) {
	f := newFixture(t, nil)
	f.server.limits.sweep = 2 * time.Millisecond
	f.server.limits.frameTimeout = 50 * time.Millisecond
	f.start()
	r := f.raw()
	frame, err := protocol.Append(nil, request(codeEcho, 1, "slow", nil))
	require.NoError(t, err)
	go func() { // one byte at a time, never idle
		for _, b := range frame[:len(frame)-1] {
			if _, err := r.Conn().Write([]byte{b}); err != nil {
				return
			}
			time.Sleep(3 * time.Millisecond)
		}
	}()
	r.ExpectClosed()
	require.Equal(t, uint64(1), f.server.counts.expired.Load())

	quick := f.raw() // whole frames are not bound by it
	for i := range int32(40) {
		quick.WriteFrame(request(codeEcho, i, "", nil))
		quick.ReadFrame()
		time.Sleep(3 * time.Millisecond)
	}
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	f := newFixture(t, nil)
	f.server.limits.sweep = 2 * time.Millisecond
	f.server.limits.idle = 100 * time.Millisecond
	f.start()
	silent, early := f.raw(), f.raw()
	early.WriteFrame(request(codeEcho, 1, "", nil))
	early.ReadFrame()
	silent.ExpectClosed()
	early.ExpectClosed()
	testkit.Eventually(t, func() bool { return f.closings.Load() == 2 }, "the close hooks ran")
}

func TestAPeerThatDoesNotReadIsHeldBackAndCut(t *testing.T) {
	f := newFixture(t, func(_ *fixture, c *ServerConfig) { c.MaxPendingBytes = 1 << 20 })
	f.server.limits.sweep = 2 * time.Millisecond
	f.server.limits.writeTimeout = 300 * time.Millisecond
	f.start()
	r := f.raw()
	body := make([]byte, 50_000)
	frame, err := protocol.Append(nil, request(codeEchoLane, 1, "", body))
	require.NoError(t, err)
	sent := make(chan int, 1)
	go func() {
		n := 0
		for {
			if _, err := r.Conn().Write(frame); err != nil {
				sent <- n
				return
			}
			n += len(frame)
		}
	}()
	require.Less(t, <-sent, 8<<20, "bytes taken from a peer that does not read")
	require.Equal(t, uint64(1), f.server.counts.expired.Load())
	f.holdsNothing()
}

func TestAHeldBackPeerGoesOnWhenItReads(t *testing.T) {
	f := newFixture(t, func(_ *fixture, c *ServerConfig) { c.MaxPendingBytes = 300_000 }).start()
	r := f.raw()
	const n = 200
	go func() {
		for i := range int32(n) {
			frame, _ := protocol.Append(nil, request([]int32{codeEchoLane, codeEcho}[i%2], i, "", make([]byte, 50_000)))
			_, _ = r.Conn().Write(frame)
		}
	}()
	testkit.Eventually(t, func() bool { return len(f.conns()) == 1 && f.conns()[0].writeSince.Load() != 0 }, "the server writes")
	for range n {
		require.Equal(t, protocol.Success, r.ReadFrame().Code)
	}
	f.holdsNothing()
}

func TestRequestsInWorkHoldTheirConnectionBack(t *testing.T) {
	f := newFixture(t, func(_ *fixture, c *ServerConfig) { c.MaxPendingBytes = 100_000 }).start()
	r, other := f.raw(), f.raw()
	for i := range int32(3) {
		r.WriteFrame(request(codeGate, i, "", make([]byte, 50_000)))
	}
	testkit.Eventually(t, func() bool { return f.server.counts.stalls.Load() == 1 }, "the reader stalls")
	r.WriteFrame(request(codeEcho, 9, "waits", nil))
	other.WriteFrame(request(codeEcho, 1, "does not", nil))
	other.ReadFrame()
	require.Equal(t, uint64(1), f.mux.lookup(codeEcho).served.Load())
	seen := make(map[int32]bool)
	for range 3 {
		f.gate <- struct{}{}
		seen[r.ReadFrame().Opaque] = true
	}
	seen[r.ReadFrame().Opaque] = true
	require.Equal(t, map[int32]bool{0: true, 1: true, 2: true, 9: true}, seen)
	f.holdsNothing()
}

func TestDetachedRequestsHoldTheirConnectionBack(t *testing.T) {
	f := newFixture(t, func(_ *fixture, c *ServerConfig) { c.MaxPendingBytes = 300_000 }).start()
	r, other := f.raw(), f.raw()
	const n = 40
	go func() {
		for i := range int32(n) {
			frame, _ := protocol.Append(nil, request(codeDetach, i, "", make([]byte, 50_000)))
			_, _ = r.Conn().Write(frame)
		}
	}()
	testkit.Eventually(t, func() bool { return f.server.counts.stalls.Load() == 1 }, "the reader stalls")
	require.Less(t, f.inline.Busy(), 10)
	other.WriteFrame(request(codeEcho, 1, "does not wait", nil))
	other.ReadFrame()
	for range n {
		f.gate <- struct{}{}
		require.Equal(t, protocol.Success, r.ReadFrame().Code)
	}
	f.holdsNothing()
}

// A parked request may wait for minutes: it keeps no body, and only so much of headers.
func TestParkedRequestsAreSmall(t *testing.T) {
	for _, code := range []int32{codePark, codeParkInline} {
		f := newFixture(t, func(_ *fixture, c *ServerConfig) { c.MaxPendingBytes = 4 << 20 }).start()
		r := f.raw()
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		const n = 100
		var waiting []*Call
		for i := range int32(n) {
			r.WriteFrame(request(code, i, "", make([]byte, 1<<20)))
			waiting = append(waiting, <-f.parked)
		}
		testkit.Eventually(t, func() bool { return f.conns()[0].parked.Load() == n }, "all are parked")
		runtime.GC()
		runtime.ReadMemStats(&after)
		require.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(32<<20), "heap grown by %d parked requests", n)

		long := strings.Repeat("h", 1<<20)
		for i := range int32(3) {
			r.WriteFrame(request(code, n+i, long, nil))
			waiting = append(waiting, <-f.parked)
		}
		r.WriteFrame(request(code, n+3, long, nil))
		<-f.parked
		answer := r.ReadFrame()
		require.Equal(t, []int32{n + 3, protocol.SystemBusy}, []int32{answer.Opaque, answer.Code})
		for _, c := range waiting {
			c.Reply(nil, nil)
			require.Equal(t, protocol.Success, r.ReadFrame().Code)
		}
		f.holdsNothing()
		require.Zero(t, f.conns()[0].parkedBytes.Load())
		f.shutdown()
	}
}

func TestConnectionsAreLimited(t *testing.T) {
	f := newFixture(t, func(_ *fixture, c *ServerConfig) { c.MaxConnections = 2 }).start()
	first, second := f.raw(), f.raw()
	for _, r := range []*remotingtest.Raw{first, second} {
		r.WriteFrame(request(codeEcho, 1, "", nil))
		r.ReadFrame()
	}
	f.raw().ExpectClosed()
	first.Close()
	testkit.Eventually(t, func() bool { return f.server.Connections() == 1 }, "a place is free")
	third := f.raw()
	third.WriteFrame(request(codeEcho, 1, "", nil))
	third.ReadFrame()
}

func TestUnmatchedAnswersAreDropped(t *testing.T) {
	f := startServer(t)
	r := f.raw()
	stray := request(codeEcho, 77, "", nil)
	stray.Flag = protocol.FlagResponse
	r.WriteFrame(stray)
	r.WriteFrame(request(codeEcho, 1, "", nil))
	require.Equal(t, int32(1), r.ReadFrame().Opaque)
	require.Equal(t, uint64(1), f.server.counts.unmatched.Load())
}

// TestIdleConnectionsAreSmall states the price of a connection that says nothing.
func TestIdleConnectionsAreSmall(t *testing.T) {
	f := startServer(t)
	measure := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	const n = 500
	raws := make([]*remotingtest.Raw, n)
	before := measure()
	for i := range raws {
		raws[i] = f.raw()
		raws[i].WriteFrame(request(codeEcho, 1, "", nil))
		raws[i].ReadFrame()
	}
	per := (measure() - before) / n
	t.Logf("%d bytes per idle connection, test side included", per)
	require.Less(t, per, uint64(32<<10))
	runtime.KeepAlive(raws)
}

func TestBuffersGrowAndShrinkWithTheirUse(t *testing.T) {
	in := input{block: getBlock(minBlock)}
	for range 20 { // full reads
		in.start, in.end = len(in.block.b), len(in.block.b)
		in.makeRoom(len(in.block.b), protocol.MaxFrameBytes)
	}
	require.Len(t, in.block.b, maxBatch)
	for range 10 * shrinkAfter { // heartbeats
		in.start, in.end = 100, 100
		in.makeRoom(100, protocol.MaxFrameBytes)
	}
	require.Len(t, in.block.b, minBlock)
	for len(in.block.b) < maxBlock { // one long frame
		in.end = len(in.block.b)
		in.makeRoom(10, protocol.MaxFrameBytes)
	}
	in.start, in.end = maxBlock, maxBlock
	in.makeRoom(10, protocol.MaxFrameBytes)
	require.Len(t, in.block.b, maxBatch)

	for _, n := range []int{0, 1, minBlock, minBlock + 1, 3 * minBlock, maxBlock} {
		require.GreaterOrEqual(t, len(getBlock(n).b), n)
	}
}

// FuzzConnection holds: whatever bytes arrive, the server neither panics nor stops serving others, and every
// connection ends when its peer closes.
func FuzzConnection(f *testing.F) {
	good, _ := protocol.Append(nil, request(codeEcho, 1, "text", []byte("body")))
	f.Add(good)
	f.Add(append(good[:len(good):len(good)], rawFrame(20, 100, "{}")...))
	f.Add(rawFrame(6, 1<<24|2, "{}"))
	m := NewMux(zerolog.Nop())
	Handle(m, codeEcho, NewLane("l", 10, true), func(_ context.Context, c *Call, req *echoHeader) (*echoHeader, error) {
		return req, nil
	})
	s := NewServer(DefaultServerConfig(), m, zerolog.Nop(), Hooks{})
	f.Fuzz(func(t *testing.T, data []byte) {
		client, server := remotingtest.Pipe()
		w := newWatch()
		done := make(chan struct{})
		go func() { newConn(s.shared, server, w).run(); close(done) }()
		_, _ = client.Write(data)
		_ = client.Close()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			t.Fatal("the connection does not end")
		}
	})
}

func (f *fixture) conns() []*conn {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []*conn
	for _, p := range f.peers {
		list = append(list, p.(*conn))
	}
	return list
}
