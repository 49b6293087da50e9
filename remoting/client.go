// SPDX-License-Identifier: Apache-2.0

// client.go: connections that we open, one for each address. Java: NettyRemotingClient.
package remoting

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"rocketd/protocol"
)

// Client calls servers by address. It connects on demand, again after a connection was lost, and keeps one connection
// for each address, over which any number of calls run at the same time.
type Client struct {
	*shared
	dial        func(ctx context.Context, network, addr string) (net.Conn, error)
	dialTimeout time.Duration
	ctx         context.Context // of all attempts to connect; Close ends it
	cancel      context.CancelFunc

	mu     sync.Mutex
	links  map[string]*link // guarded by mu
	watch  *watch           // guarded by mu: nil until the first call
	closed bool             // guarded by mu
	dials  sync.WaitGroup
}

// link is a connection, or the attempt to get one. conn and err are set before ready is closed.
type link struct {
	ready chan struct{}
	conn  *conn
	err   error
}

// NewClient returns a client. Requests that servers send are served by mux; without one they are answered
// RequestCodeNotSupported. A nil dial means TCP.
func NewClient(cfg ClientConfig, mux *Mux, log zerolog.Logger, dial func(ctx context.Context, network, addr string) (net.Conn, error)) *Client {
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	if mux == nil {
		mux = NewMux(log)
	}
	c := &Client{
		dial:        dial,
		dialTimeout: time.Duration(cfg.ConnectTimeoutMs) * time.Millisecond,
		links:       make(map[string]*link),
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.shared = &shared{
		mux:    mux,
		log:    log.Sample(&zerolog.BurstSampler{Burst: 20, Period: time.Second}),
		limits: cfg.limits(),
		hooks:  Hooks{OnClose: c.lost},
	}
	return c
}

// Call sends a request to addr and waits for its answer; DefaultCallTimeout applies when ctx has no deadline. A server
// that answers GO_AWAY is asked once more over a new connection, as Java's client does.
func (c *Client) Call(ctx context.Context, addr string, req *protocol.Command) (*protocol.Command, error) {
	if _, ok := ctx.Deadline(); !ok {
		bounded, cancel := context.WithTimeout(ctx, DefaultCallTimeout)
		defer cancel()
		ctx = bounded
	}
	nc, err := c.connect(ctx, addr)
	if err != nil {
		return nil, err
	}
	resp, err := nc.Call(ctx, req)
	if err != nil || resp.Code != protocol.GoAway {
		return resp, err
	}
	c.part(nc)
	if nc, err = c.connect(ctx, addr); err != nil {
		return nil, err
	}
	return nc.Call(ctx, req)
}

// Oneway sends a request to addr that wants no answer.
func (c *Client) Oneway(ctx context.Context, addr string, req *protocol.Command) error {
	nc, err := c.connect(ctx, addr)
	if err != nil {
		return err
	}
	return nc.Oneway(req)
}

// Peer returns the connection to addr, which is opened if there is none.
func (c *Client) Peer(ctx context.Context, addr string) (Peer, error) {
	nc, err := c.connect(ctx, addr)
	if err != nil {
		return nil, err
	}
	return nc, nil
}

// connect returns an open connection to addr.
func (c *Client) connect(ctx context.Context, addr string) (*conn, error) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil, ErrClientClosed
	}
	l := c.links[addr]
	if l == nil || l.broken() {
		l = &link{ready: make(chan struct{})}
		c.links[addr] = l
		if c.watch == nil {
			c.watch = newWatch()
			go c.watch.run(c.limits)
		}
		c.dials.Add(1)
		go c.open(addr, l, c.watch)
	}
	c.mu.Unlock()
	select {
	case <-l.ready:
		return l.conn, l.err
	case <-ctx.Done():
		return nil, fmt.Errorf("connect to %s: %w", addr, ctx.Err())
	}
}

// broken says that the link is of no more use. An attempt that still runs is not broken.
func (l *link) broken() bool {
	select {
	case <-l.ready:
	default:
		return false
	}
	if l.err != nil {
		return true
	}
	select {
	case <-l.conn.done:
		return true
	default:
		return false
	}
}

// open dials for a link. It does not end with the call that started it, because others may wait for it too.
func (c *Client) open(addr string, l *link, w *watch) {
	defer c.dials.Done()
	defer close(l.ready)
	ctx, cancel := context.WithTimeout(c.ctx, c.dialTimeout)
	defer cancel()
	nc, err := c.dial(ctx, "tcp", addr)
	if err != nil {
		l.err = fmt.Errorf("connect to %s: %w", addr, err)
		return
	}
	if l.conn = newConn(c.shared, nc, w); l.conn == nil {
		_ = nc.Close() // the client was closed meanwhile
		l.err = ErrClientClosed
		return
	}
	go l.conn.run()
}

// lost forgets the link of a connection that has closed.
func (c *Client) lost(p Peer) { c.part(p) }

// part takes a connection out of use for new calls. Those that run on it go on.
func (c *Client) part(p Peer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for addr, l := range c.links {
		select {
		case <-l.ready:
			if l.conn == p {
				delete(c.links, addr)
			}
		default:
		}
	}
}

// Close ends all connections and waits for their goroutines. Calls that wait fail with ErrClosed.
func (c *Client) Close() error {
	c.cancel()
	c.mu.Lock()
	w := c.watch
	if c.closed || w == nil {
		c.closed = true
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	c.mu.Unlock()
	w.shutDoor()
	for _, nc := range w.all() {
		nc.shut()
	}
	c.dials.Wait()
	if !w.awaitEmpty(DefaultCallTimeout) {
		c.log.Error().Int("connections", len(w.all())).Msg("handlers still run after the client has closed")
	}
	w.halt()
	return nil
}
