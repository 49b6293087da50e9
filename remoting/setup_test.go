// SPDX-License-Identifier: Apache-2.0

package remoting

import (
	"context"
	"errors"
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

func TestMain(m *testing.M) { testkit.Main(m) }

// Request codes of the test server.
const (
	codeEcho       = 10   // inline
	codeEchoLane   = 11   // on a lane
	codeGate       = 12   // on a lane: waits for a token
	codePark       = 13   // parks; the test answers
	codePanic      = 14   // inline
	codeDetach     = 15   // inline, detached
	codeFail       = 16   // an error that is not the client's business
	codeRefuse     = 17   // a *protocol.Error with a header
	codeAttach     = 18   // answers from foreign memory
	codeCallBack   = 19   // calls the peer
	codePanicLane  = 20   // on a lane
	codeParkInline = 21   // parks from an inline lane
	codeOffReader  = 22   // inline, leaves the reader
	codeHigh       = 2050 // above the array
	codeUnknown    = 999
)

type echoHeader struct {
	Text   string `rmq:"text" v2:"a"`
	Number int32  `rmq:"number,omitempty" v2:"b,omitempty"`
}

// pieces is an attachment that counts its releases.
type pieces struct {
	parts    [][]byte
	released *atomic.Int32
}

func (p *pieces) Buffers() [][]byte { return p.parts }
func (p *pieces) Release()          { p.released.Add(1) }

// fixture is a server on an in-memory network.
type fixture struct {
	t        *testing.T
	server   *Server
	mux      *Mux
	lane     *Lane
	inline   *Lane
	parked   chan *Call
	gate     chan struct{}
	entered  chan struct{}
	released atomic.Int32

	network  remotingtest.Network
	stop     context.CancelFunc
	stopped  chan error
	mu       sync.Mutex
	peers    []Peer
	closings atomic.Int32
}

const serverAddr = "127.0.0.1:10911"

// newFixture starts a server; change may adapt its configuration and limits first.
func newFixture(t *testing.T, change func(*fixture, *ServerConfig)) *fixture {
	t.Helper()
	f := &fixture{
		t:       t,
		mux:     NewMux(zerolog.Nop()),
		lane:    NewLane("work", 100, false),
		inline:  NewLane("inline", 100, true),
		parked:  make(chan *Call, 1000),
		gate:    make(chan struct{}),
		entered: make(chan struct{}, 1000),
		stopped: make(chan error, 1),
	}
	cfg := DefaultServerConfig()
	cfg.DrainTimeoutMs = 10000
	if change != nil {
		change(f, &cfg)
	}
	require.NoError(t, cfg.Validate())
	f.register()
	f.server = NewServer(cfg, f.mux, zerolog.Nop(), Hooks{
		OnOpen: func(p Peer) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.peers = append(f.peers, p)
		},
		OnClose: func(Peer) { f.closings.Add(1) },
	})
	return f
}

func (f *fixture) start() *fixture {
	l, err := f.network.Listen("tcp", serverAddr)
	require.NoError(f.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	f.stop = cancel
	go func() { f.stopped <- f.server.Serve(ctx, l) }()
	f.t.Cleanup(f.shutdown)
	return f
}

// shutdown ends Serve and checks that it ends well.
func (f *fixture) shutdown() {
	f.stop()
	select {
	case err := <-f.stopped:
		require.NoError(f.t, err)
		f.stopped <- nil
	case <-time.After(30 * time.Second):
		f.t.Fatal("Serve does not return")
	}
}

// startServer is newFixture and start with nothing special.
func startServer(t *testing.T) *fixture { return newFixture(t, nil).start() }

func (f *fixture) raw() *remotingtest.Raw {
	f.t.Helper()
	nc, err := f.network.Dial(context.Background(), "tcp", serverAddr)
	require.NoError(f.t, err)
	return remotingtest.NewRaw(f.t, nc)
}

func (f *fixture) client(mux *Mux) *Client {
	c := NewClient(DefaultClientConfig(), mux, zerolog.Nop(), f.network.Dial)
	f.t.Cleanup(func() { _ = c.Close() })
	return c
}

func (f *fixture) register() {
	m := f.mux
	echo := func(_ context.Context, c *Call, req *echoHeader) (*echoHeader, error) {
		c.SetBody(c.Request().Body)
		return &echoHeader{Text: req.Text, Number: req.Number + 1}, nil
	}
	Handle(m, codeEcho, f.inline, echo)
	Handle(m, codeEchoLane, f.lane, echo)
	Handle(m, codeHigh, f.inline, echo, Keys("v2"))
	Handle(m, codeGate, f.lane, func(ctx context.Context, c *Call, req *echoHeader) (*echoHeader, error) {
		f.entered <- struct{}{}
		select {
		case <-f.gate:
			return req, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	park := func(_ context.Context, c *Call, _ *echoHeader) (*echoHeader, error) {
		f.parked <- c
		return nil, Parked
	}
	Handle(m, codePark, f.lane, park)
	Handle(m, codeParkInline, f.inline, park)
	boom := func(context.Context, *Call, *echoHeader) (*echoHeader, error) { panic("boom") }
	Handle(m, codePanic, f.inline, boom)
	Handle(m, codePanicLane, f.lane, boom)
	Handle(m, codeDetach, f.inline, func(_ context.Context, c *Call, req *echoHeader) (*echoHeader, error) {
		body := c.Request().Body
		return nil, Detach(func() (any, error) {
			f.entered <- struct{}{}
			<-f.gate
			c.SetBody(body)
			return &echoHeader{Text: req.Text}, nil
		})
	})
	Handle(m, codeOffReader, f.inline, func(_ context.Context, c *Call, req *echoHeader) (*echoHeader, error) {
		if c.Inline() {
			return nil, OffReader
		}
		f.entered <- struct{}{}
		<-f.gate
		c.SetBody(c.Request().Body)
		return &echoHeader{Text: req.Text}, nil
	})
	Handle(m, codeFail, f.inline, func(context.Context, *Call, *struct{}) (*struct{}, error) {
		return nil, errors.New("the disk is made of cheese")
	})
	Handle(m, codeRefuse, f.inline, func(_ context.Context, c *Call, _ *struct{}) (*echoHeader, error) {
		c.Attach(&pieces{[][]byte{[]byte("unsent")}, &f.released})
		return &echoHeader{Text: "why"}, protocol.Errorf(protocol.NoPermission, "not you")
	})
	Handle(m, codeAttach, f.lane, func(_ context.Context, c *Call, req *echoHeader) (*echoHeader, error) {
		var parts [][]byte
		for i := range req.Number {
			part := make([]byte, 1000+100*i)
			for j := range part {
				part[j] = byte(i)
			}
			parts = append(parts, part)
		}
		c.SetBody([]byte(req.Text))
		c.Attach(&pieces{parts, &f.released})
		c.Outcome(protocol.PullNotFound, "with a body")
		c.SetField("extra", "1")
		return req, nil
	})
	Handle(m, codeCallBack, f.lane, func(ctx context.Context, c *Call, req *echoHeader) (*echoHeader, error) {
		answer, err := c.Peer().Call(ctx, protocol.NewRequest(codeEcho, req))
		if err != nil {
			return nil, err
		}
		text, _ := answer.Field("text")
		return &echoHeader{Text: "peer says " + text}, nil
	})
}

// request is a command with a header and a body, numbered opaque.
func request(code, opaque int32, text string, body []byte) *protocol.Command {
	cmd := protocol.NewRequest(code, &echoHeader{Text: text})
	cmd.Opaque = opaque
	cmd.Body = body
	return cmd
}

func text(cmd *protocol.Command) string {
	s, _ := cmd.Field("text")
	return s
}

// holdsNothing waits until the server's only connection has no request and no byte in work.
func (f *fixture) holdsNothing() {
	f.t.Helper()
	f.mu.Lock()
	peers := append([]Peer(nil), f.peers...)
	f.mu.Unlock()
	for _, p := range peers {
		c := p.(*conn)
		testkit.Eventually(f.t, func() bool {
			return c.open.Load() == 0 && c.parked.Load() == 0 && c.held.Load() == 0
		}, "counts of a connection return to zero")
	}
	testkit.Eventually(f.t, func() bool { return f.lane.Busy() == 0 && f.inline.Busy() == 0 }, "lanes are empty")
}
