// SPDX-License-Identifier: Apache-2.0

package remoting

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"rocketd/internal/testkit"
	"rocketd/protocol"
	"rocketd/remoting/remotingtest"
)

func TestManyCallsShareOneConnection(t *testing.T) {
	f := startServer(t)
	c := f.client(nil)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			for j := range 20 {
				want := strconv.Itoa(i*1000 + j)
				code := []int32{codeEcho, codeEchoLane}[j%2]
				req := request(code, 0, want, []byte(want))
				resp, err := c.Call(context.Background(), serverAddr, req)
				if err != nil {
					t.Errorf("call: %v", err)
					return
				}
				if text(resp) != want || string(resp.Body) != want {
					t.Errorf("got the answer %q to %q", text(resp), want)
				}
				if req.Opaque != 0 {
					t.Error("the caller's request was changed")
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, 1, f.server.Connections())
	f.holdsNothing()
}

func TestBothSidesCallOverOneConnection(t *testing.T) {
	f := startServer(t)
	mux := NewMux(zerolog.Nop())
	Handle(mux, codeEcho, NewLane("l", 100, false), func(_ context.Context, _ *Call, req *echoHeader) (*echoHeader, error) {
		return &echoHeader{Text: "<" + req.Text + ">"}, nil
	})
	c := f.client(mux)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			want := strconv.Itoa(i)
			resp, err := c.Call(context.Background(), serverAddr, request(codeCallBack, 0, want, nil))
			if err != nil || text(resp) != "peer says <"+want+">" {
				t.Errorf("got %v, %v", resp, err)
			}
		})
	}
	wg.Wait()
	require.Equal(t, 1, f.server.Connections())

	// A client without handlers says so.
	resp, err := f.client(nil).Call(context.Background(), serverAddr, request(codeCallBack, 0, "x", nil))
	require.NoError(t, err)
	require.Equal(t, protocol.Success, resp.Code)
	require.Equal(t, "peer says ", text(resp))
}

func TestAServersOnewayReachesTheClient(t *testing.T) {
	f := startServer(t)
	got := make(chan string, 1)
	mux := NewMux(zerolog.Nop())
	Handle(mux, 40, NewLane("l", 10, true), func(_ context.Context, _ *Call, req *echoHeader) (*echoHeader, error) {
		got <- req.Text
		return nil, nil
	})
	c := f.client(mux)
	require.NoError(t, c.Oneway(context.Background(), serverAddr, request(codeEcho, 0, "", nil)))
	testkit.Eventually(t, func() bool { return len(f.conns()) == 1 }, "connected")
	peer := f.conns()[0]
	require.NoError(t, peer.Oneway(request(40, 0, "news", nil)))
	require.Equal(t, "news", <-got)
	require.NoError(t, c.Close())
	testkit.Eventually(t, func() bool { return f.closings.Load() == 1 }, "closed")
	require.ErrorIs(t, peer.Oneway(request(40, 0, "", nil)), ErrClosed)
	_, err := peer.Call(context.Background(), request(40, 0, "", nil))
	require.ErrorIs(t, err, ErrClosed)
}

func TestCallsEndWithTheirContextAndLateAnswersAreDropped(t *testing.T) {
	f := startServer(t)
	c := f.client(nil)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-f.entered; cancel() }()
	_, err := c.Call(ctx, serverAddr, request(codeGate, 0, "", nil))
	require.ErrorIs(t, err, context.Canceled)
	f.gate <- struct{}{}
	resp, err := c.Call(context.Background(), serverAddr, request(codeEcho, 0, "next", nil))
	require.NoError(t, err)
	require.Equal(t, "next", text(resp))
	testkit.Eventually(t, func() bool { return c.counts.unmatched.Load() == 1 }, "the late answer is dropped")
}

func TestCallsFailWhenTheConnectionCloses(t *testing.T) {
	f := startServer(t)
	c := f.client(nil)
	go func() {
		<-f.entered
		_ = f.conns()[0].Close()
	}()
	_, err := c.Call(context.Background(), serverAddr, request(codeGate, 0, "", nil))
	require.ErrorIs(t, err, ErrClosed)
	testkit.Eventually(t, func() bool { return f.lane.Busy() == 0 }, "the handler saw its context end")
	resp, err := c.Call(context.Background(), serverAddr, request(codeEcho, 0, "again", nil))
	require.NoError(t, err, "the next call connects anew")
	require.Equal(t, "again", text(resp))
	require.Len(t, f.conns(), 2)
}

func TestDialFailuresAreReportedAndRetried(t *testing.T) {
	var dials atomic.Int32
	var network remotingtest.Network
	c := NewClient(DefaultClientConfig(), nil, zerolog.Nop(), func(ctx context.Context, n, addr string) (net.Conn, error) {
		dials.Add(1)
		return network.Dial(ctx, n, addr)
	})
	defer c.Close()
	for range 2 {
		_, err := c.Call(context.Background(), "10.0.0.1:1", request(codeEcho, 0, "", nil))
		require.ErrorContains(t, err, "10.0.0.1:1")
		require.ErrorContains(t, err, "refused")
	}
	require.Equal(t, int32(2), dials.Load())
}

func TestADialThatHangsIsBounded(t *testing.T) {
	cfg := DefaultClientConfig()
	cfg.ConnectTimeoutMs = 20
	hang := func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	c := NewClient(cfg, nil, zerolog.Nop(), hang)
	_, err := c.Call(context.Background(), "a:1", request(codeEcho, 0, "", nil))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, c.Close())

	cfg.ConnectTimeoutMs = 60_000
	c = NewClient(cfg, nil, zerolog.Nop(), hang)
	failed := make(chan error, 1)
	go func() {
		_, err := c.Call(context.Background(), "a:1", request(codeEcho, 0, "", nil))
		failed <- err
	}()
	testkit.Eventually(t, func() bool { c.mu.Lock(); defer c.mu.Unlock(); return len(c.links) == 1 }, "dialling")
	require.NoError(t, c.Close(), "Close ends the attempt")
	require.Error(t, <-failed)
	_, err = c.Call(context.Background(), "a:1", request(codeEcho, 0, "", nil))
	require.ErrorIs(t, err, ErrClientClosed)
	require.NoError(t, c.Close())
}

func TestGoAwayIsFollowedOnce(t *testing.T) {
	var network remotingtest.Network
	l, err := network.Listen("tcp", serverAddr)
	require.NoError(t, err)
	defer l.Close()
	served := make(chan int, 1)
	answer := func(conn net.Conn, code int32) {
		r := remotingtest.NewRaw(t, conn)
		req := r.ReadFrame()
		r.WriteFrame(&protocol.Command{Code: code, Opaque: req.Opaque, Flag: protocol.FlagResponse})
	}
	c := NewClient(DefaultClientConfig(), nil, zerolog.Nop(), network.Dial)
	defer c.Close()
	go func() {
		for _, code := range []int32{protocol.GoAway, protocol.Success} {
			conn, err := l.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			answer(conn, code)
		}
		served <- 2
	}()
	resp, err := c.Call(context.Background(), serverAddr, request(codeEcho, 0, "", nil))
	require.NoError(t, err)
	require.Equal(t, protocol.Success, resp.Code)
	require.Equal(t, 2, <-served)
}

func TestAPeerThatDoesNotReadFailsOneways(t *testing.T) {
	f := newFixture(t, func(_ *fixture, c *ServerConfig) { c.MaxPendingBytes = 100_000 }).start()
	f.raw()
	testkit.Eventually(t, func() bool { return len(f.conns()) == 1 }, "connected")
	peer := f.conns()[0]
	var err error
	for range 1000 {
		if err = peer.Oneway(request(40, 0, "", make([]byte, 10_000))); err != nil {
			break
		}
	}
	require.ErrorIs(t, err, ErrTooManyPending)
}

func TestShutdownAnswersWhatIsInWork(t *testing.T) {
	f := startServer(t)
	r, idle := f.raw(), f.raw()
	r.WriteFrame(request(codeGate, 1, "in work", nil))
	r.WriteFrame(request(codePark, 2, "", nil))
	<-f.entered
	parked := <-f.parked
	f.stop()
	idle.ExpectClosed()
	_, err := f.network.Dial(context.Background(), "tcp", serverAddr)
	testkit.Eventually(t, func() bool { _, err = f.network.Dial(context.Background(), "tcp", serverAddr); return err != nil }, "no new connections")
	r.WriteFrame(request(codeEcho, 3, "too late", nil))
	f.gate <- struct{}{}
	require.Equal(t, int32(1), r.ReadFrame().Opaque)
	parked.Reply(nil, nil)
	require.Equal(t, int32(2), r.ReadFrame().Opaque)
	r.ExpectClosed()
	f.shutdown()
	require.Equal(t, 0, f.server.Connections())
	require.Equal(t, f.server.counts.opened.Load(), f.server.counts.closed.Load())
}

func TestShutdownDoesNotWaitForEver(t *testing.T) {
	f := newFixture(t, func(_ *fixture, c *ServerConfig) { c.DrainTimeoutMs = 20 }).start()
	r := f.raw()
	r.WriteFrame(request(codeGate, 1, "", nil))
	r.WriteFrame(request(codePark, 2, "", nil))
	<-f.entered
	late := <-f.parked
	f.stop()
	r.ExpectClosed()
	f.shutdown()
	late.Reply(nil, nil)
	require.Equal(t, 0, f.lane.Busy())
}

func TestGracefulShutdownSendsNewerClientsAway(t *testing.T) {
	f := newFixture(t, func(_ *fixture, c *ServerConfig) {
		c.GracefulShutdown = true
		c.ShutdownWaitSeconds = 20
	}).start()
	newer, older := f.raw(), f.raw()
	for _, r := range []*remotingtest.Raw{newer, older} {
		r.WriteFrame(request(codeEcho, 1, "", nil))
		require.Equal(t, protocol.Success, r.ReadFrame().Code)
	}
	f.stop()
	testkit.Eventually(t, f.server.goAway.Load, "going away")
	newer.WriteFrame(request(codeEcho, 2, "", nil))
	resp := newer.ReadFrame()
	require.Equal(t, protocol.GoAway, resp.Code)
	require.Equal(t, "please go away", resp.Remark)
	old := request(codeEcho, 2, "", nil)
	old.Version = 475
	older.WriteFrame(old)
	require.Equal(t, protocol.Success, older.ReadFrame().Code)
	newer.Close()
	older.Close()
	f.shutdown()
}

func TestSeveralListenersShareOneServer(t *testing.T) {
	f := startServer(t)
	l, err := f.network.Listen("tcp", "127.0.0.1:10909")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.server.Serve(ctx, l) }()
	c := f.client(nil)
	for _, addr := range []string{serverAddr, "127.0.0.1:10909"} {
		_, err := c.Call(context.Background(), addr, request(codeEcho, 0, "", nil))
		require.NoError(t, err)
	}
	cancel()
	require.NoError(t, <-done)
	_, err = c.Call(context.Background(), serverAddr, request(codeEcho, 0, "", nil))
	require.NoError(t, err, "the other listener goes on")
}

// failing is a listener whose Accept fails a few times before it works, and at last for good.
type failing struct {
	net.Listener
	left atomic.Int32
}

func (l *failing) Accept() (net.Conn, error) {
	if l.left.Add(-1) >= 0 {
		return nil, errors.New("out of descriptors")
	}
	return l.Listener.Accept()
}

func TestAcceptFailuresPass(t *testing.T) {
	f := newFixture(t, nil)
	inner, err := f.network.Listen("tcp", serverAddr)
	require.NoError(t, err)
	l := &failing{Listener: inner}
	l.left.Store(3)
	done := make(chan error, 1)
	go func() { done <- f.server.Serve(context.Background(), l) }()
	c := f.client(nil)
	_, err = c.Call(context.Background(), serverAddr, request(codeEcho, 0, "", nil))
	require.NoError(t, err)
	require.NoError(t, inner.Close())
	select {
	case err := <-done:
		require.ErrorIs(t, err, net.ErrClosed, "a listener that ends by itself is an error")
	case <-time.After(20 * time.Second):
		t.Fatal("Serve does not return")
	}
}
