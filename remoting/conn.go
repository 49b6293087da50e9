// SPDX-License-Identifier: Apache-2.0

// conn.go: one connection, of the server or of the client: its life, its counts, and what both directions share.
// read.go and write.go hold its two halves, correlate.go the requests that we send.
package remoting

import (
	"context"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"rocketd/protocol"
)

// shared is what all connections of one server, or of one client, have in common.
type shared struct {
	mux    *Mux
	log    zerolog.Logger
	limits limits
	hooks  Hooks
	sniff  bool        // refuse TLS and PROXY protocol by their first byte
	goAway atomic.Bool // newer clients are told to go elsewhere
	counts counts

	longBytes atomic.Int64 // of read buffers that a long frame has made longer than usual
}

// Hooks are told of connections. They must not block for long.
type Hooks struct {
	// OnOpen runs before the first request of a connection is served.
	OnOpen func(Peer)
	// OnClose runs once, after the connection has closed and its handlers have returned (parked calls aside).
	OnClose func(Peer)
}

// lastPeerID numbers the peers of this process.
var lastPeerID atomic.Uint64

// conn is one connection. Goroutines: a reader as long as it is open; a writer only while something waits to be written
// and no other goroutine happens to write; one for each request in work on a lane.
type conn struct {
	*shared
	id     uint64
	nc     net.Conn
	socket io.ReadWriter // nc, for the reader's reads and the writer's short writes
	watch  *watch
	remote string
	local  string
	addr   netip.AddrPort  // the same as remote
	ctx    context.Context // of all its calls; ends when the connection closes
	cancel context.CancelFunc

	in   input // reader goroutine only
	call *Call // reader goroutine only: the next request is decoded into it

	mu      sync.Mutex
	fill    *outbox // guarded by mu: what waits for the next write; nil when empty
	writing bool    // guarded by mu: some goroutine is in writeOut
	closed  bool    // guarded by mu
	room    sync.Cond
	waiters map[int32]chan *protocol.Command // guarded by mu: our calls, by opaque
	opaque  int32                            // guarded by mu: the last one given out

	done        chan struct{} // closed when the connection closes
	held        atomic.Int64  // bytes that wait to be written, and of request bodies in work
	full        atomic.Bool   // the reader waits until held shrinks
	open        atomic.Int64  // requests received and not yet answered
	parked      atomic.Int64  // those of them that are parked
	parkedBytes atomic.Int64  // of their headers
	users       atomic.Int64  // goroutines that work for the connection; the last one runs gone
	draining    atomic.Bool   // read no more; close when everything is answered and written
	unread      atomic.Bool   // the reader has stopped for draining

	// The watch compares these with its coarse clock. Zero means: not now.
	lastRead   atomic.Int64
	lastWrite  atomic.Int64
	writeSince atomic.Int64 // a write of the next piece began
	frameSince atomic.Int64 // the reader waits for the rest of a frame
	frameBytes atomic.Int64 // as long as that frame says it is
}

// newConn wraps nc and enters it into the watch; run serves it. It returns nil when the watch is closed.
func newConn(s *shared, nc net.Conn, w *watch) *conn {
	c := &conn{
		shared: s,
		id:     lastPeerID.Add(1),
		nc:     nc,
		socket: newSocket(nc),
		watch:  w,
		remote: addrText(nc.RemoteAddr()),
		local:  addrText(nc.LocalAddr()),
		addr:   AddrPort(addrText(nc.RemoteAddr())),
		done:   make(chan struct{}),
	}
	c.room.L = &c.mu
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.users.Store(1)
	now := w.now.Load()
	c.lastRead.Store(now)
	c.lastWrite.Store(now)
	if tcp, ok := nc.(*net.TCPConn); ok {
		if n := s.limits.sndBuf; n > 0 {
			_ = tcp.SetWriteBuffer(n) // a wish: the system's own size serves as well
		}
		if n := s.limits.rcvBuf; n > 0 {
			_ = tcp.SetReadBuffer(n)
		}
	}
	if !w.add(c) {
		c.cancel()
		return nil
	}
	return c
}

func addrText(a net.Addr) string {
	if a == nil {
		return ""
	}
	return a.String()
}

// BareHost is a configured host without the brackets in which an IPv6 address may stand.
func BareHost(host string) string {
	if n := len(host) - 1; n > 0 && host[0] == '[' && host[n] == ']' {
		return host[1:n]
	}
	return host
}

// AddrPort is an address without what only its text shows: no zone, and IPv4 as such. A text that is none is 0.0.0.0:0.
func AddrPort(text string) netip.AddrPort {
	host, err := netip.ParseAddrPort(text)
	if err != nil {
		return netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	}
	return netip.AddrPortFrom(host.Addr().Unmap().WithZone(""), host.Port())
}

func (c *conn) ID() uint64         { return c.id }
func (c *conn) RemoteAddr() string { return c.remote }
func (c *conn) LocalAddr() string  { return c.local }

// RemoteAddrPort is RemoteAddr for those who need it for every request.
func (c *conn) RemoteAddrPort() netip.AddrPort { return c.addr }

// run is the reader goroutine.
func (c *conn) run() {
	c.counts.opened.Add(1)
	if c.hooks.OnOpen != nil {
		c.hooks.OnOpen(c)
	}
	c.readLoop()
	if c.draining.Load() {
		c.unread.Store(true)
		c.closeIfDrained()
		<-c.done
	}
	c.shut()
	c.leave()
}

// Close ends the connection from our side.
func (c *conn) Close() error {
	c.shut()
	return nil
}

// shut closes the socket and drops everything that waits for it.
func (c *conn) shut() {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.closed = true
	dropped := c.fill
	c.fill = nil
	c.room.Broadcast()
	c.mu.Unlock()

	close(c.done)
	c.cancel()
	_ = c.nc.Close() // there is nobody left to tell
	if dropped != nil {
		c.letGo(int64(dropped.size))
		dropped.release()
	}
}

// enter counts a goroutine that will work for the connection; the caller is one already, or holds mu of an open one.
func (c *conn) enter() { c.users.Add(1) }

// leave counts it off. The last one ends the connection's life.
func (c *conn) leave() {
	if c.users.Add(-1) > 0 {
		return
	}
	c.counts.closed.Add(1)
	if c.hooks.OnClose != nil {
		c.hooks.OnClose(c)
	}
	c.watch.remove(c)
}

// drain makes the connection close as soon as the requests received so far are answered.
func (c *conn) drain() {
	c.draining.Store(true)
	_ = c.nc.SetReadDeadline(time.Unix(1, 0)) // a socket that cannot is closed at the drain deadline
}

// closeIfDrained closes a draining connection that has nothing left to do.
func (c *conn) closeIfDrained() {
	if !c.unread.Load() || c.open.Load() != 0 {
		return
	}
	c.mu.Lock()
	busy := c.fill != nil || c.writing
	c.mu.Unlock()
	if !busy {
		c.shut()
	}
}

// hold counts bytes against the connection's limit.
func (c *conn) hold(n int64) { c.held.Add(n) }

// letGo counts them off and lets the reader go on.
func (c *conn) letGo(n int64) {
	if n != 0 && c.held.Add(-n) <= c.limits.maxPending && c.full.Load() {
		c.mu.Lock()
		c.full.Store(false)
		c.room.Broadcast()
		c.mu.Unlock()
	}
}

// awaitRoom blocks the reader while too much is held for this connection. It reports whether it had to.
func (c *conn) awaitRoom() bool {
	if c.held.Load() <= c.limits.maxPending {
		return false
	}
	c.counts.stalls.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.closed {
		c.full.Store(true)
		if c.held.Load() <= c.limits.maxPending {
			break
		}
		c.room.Wait()
	}
	c.full.Store(false)
	return true
}

// The connection as the sink of its calls.

func (c *conn) answered() {
	if c.open.Add(-1) == 0 && c.draining.Load() {
		c.closeIfDrained()
	}
}

func (c *conn) park(bytes int64) bool {
	number, all := c.parked.Add(1), c.parkedBytes.Add(bytes)
	return number <= c.limits.maxParked && all <= c.limits.maxPending
}

func (c *conn) unpark(bytes int64) {
	c.parked.Add(-1)
	c.parkedBytes.Add(-bytes)
}

func (c *conn) spawn(fn func()) bool {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return false
	}
	c.enter()
	c.mu.Unlock()
	c.watch.workers.run(func() {
		fn()
		c.leave()
	})
	return true
}
