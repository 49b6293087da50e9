// SPDX-License-Identifier: Apache-2.0

// Package remotingtest gives tests a network in memory and a peer that says what a script wants, also what no real
// client would say.
package remotingtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// pipeBytes is how much one direction of a connection buffers before writers wait, as a socket's buffers would.
const pipeBytes = 256 << 10

// Network is a set of listeners that can be dialled by address. The zero value is ready for use.
type Network struct {
	mu        sync.Mutex
	listeners map[string]*listener
	lastPort  int // guarded by mu: of the clients' addresses
}

// Listen opens addr ("host:port"). Its signature is that of a broker's dependency, so network is ignored.
func (n *Network) Listen(_, addr string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners[addr] != nil {
		return nil, &net.OpError{Op: "listen", Net: "mem", Err: fmt.Errorf("%s is in use", addr)}
	}
	if n.listeners == nil {
		n.listeners = make(map[string]*listener)
	}
	l := &listener{network: n, addr: memAddr(addr), queue: make(chan net.Conn), closed: make(chan struct{})}
	n.listeners[addr] = l
	return l, nil
}

// Dial connects to a listener.
func (n *Network) Dial(ctx context.Context, _, addr string) (net.Conn, error) {
	n.mu.Lock()
	l := n.listeners[addr]
	n.lastPort++
	from := memAddr(fmt.Sprintf("127.0.0.1:%d", 40000+n.lastPort%20000))
	n.mu.Unlock()
	refused := &net.OpError{Op: "dial", Net: "mem", Err: fmt.Errorf("%s: connection refused", addr)}
	if l == nil {
		return nil, refused
	}
	client, server := pair(from, l.addr)
	select {
	case l.queue <- server:
		return client, nil
	case <-l.closed:
		return nil, refused
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Pipe returns the two ends of one connection.
func Pipe() (client, server net.Conn) {
	return pair("127.0.0.1:40000", "127.0.0.1:10911")
}

type memAddr string

func (memAddr) Network() string  { return "mem" }
func (a memAddr) String() string { return string(a) }

type listener struct {
	network *Network
	addr    memAddr
	queue   chan net.Conn
	once    sync.Once
	closed  chan struct{}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.network.mu.Lock()
		delete(l.network.listeners, string(l.addr))
		l.network.mu.Unlock()
	})
	return nil
}

func (l *listener) Addr() net.Addr { return l.addr }

// pair returns two ends that read what the other writes.
func pair(client, server memAddr) (net.Conn, net.Conn) {
	up, down := newStream(), newStream()
	return &end{in: down, out: up, local: client, remote: server}, &end{in: up, out: down, local: server, remote: client}
}

// end is one side of a connection.
type end struct {
	in, out       *stream
	local, remote memAddr
}

func (e *end) Read(b []byte) (int, error)  { return e.in.read(b) }
func (e *end) Write(b []byte) (int, error) { return e.out.write(b) }
func (e *end) LocalAddr() net.Addr         { return e.local }
func (e *end) RemoteAddr() net.Addr        { return e.remote }

func (e *end) Close() error {
	e.in.shut(net.ErrClosed, io.ErrClosedPipe)
	e.out.shut(io.EOF, net.ErrClosed)
	return nil
}

func (e *end) SetDeadline(t time.Time) error {
	e.in.deadline(&e.in.readBy, t)
	e.out.deadline(&e.out.writeBy, t)
	return nil
}

func (e *end) SetReadDeadline(t time.Time) error {
	e.in.deadline(&e.in.readBy, t)
	return nil
}

func (e *end) SetWriteDeadline(t time.Time) error {
	e.out.deadline(&e.out.writeBy, t)
	return nil
}

// stream is one direction: a bounded buffer.
type stream struct {
	mu       sync.Mutex
	change   sync.Cond
	buf      []byte // guarded by mu
	readErr  error  // guarded by mu: after buf is used up; net.ErrClosed at once
	writeErr error  // guarded by mu
	readBy   limit  // guarded by mu
	writeBy  limit  // guarded by mu
}

// limit is a deadline and the timer that wakes those who wait.
type limit struct {
	at    time.Time
	timer *time.Timer
}

func (l *limit) passed() bool { return !l.at.IsZero() && !time.Now().Before(l.at) }

func newStream() *stream {
	s := &stream{}
	s.change.L = &s.mu
	return s
}

func (s *stream) read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case errors.Is(s.readErr, net.ErrClosed):
			return 0, s.readErr
		case s.readBy.passed():
			return 0, os.ErrDeadlineExceeded
		case len(s.buf) > 0 || len(b) == 0:
			n := copy(b, s.buf)
			s.buf = s.buf[n:]
			s.change.Broadcast()
			return n, nil
		case s.readErr != nil:
			return 0, s.readErr
		}
		s.change.Wait()
	}
}

func (s *stream) write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	done := 0
	for {
		switch {
		case s.writeErr != nil:
			return done, s.writeErr
		case s.writeBy.passed():
			return done, os.ErrDeadlineExceeded
		}
		n := min(len(b)-done, pipeBytes-len(s.buf))
		s.buf = append(s.buf, b[done:done+n]...)
		done += n
		s.change.Broadcast()
		if done == len(b) {
			return done, nil
		}
		s.change.Wait()
	}
}

// shut ends both directions of use; the first error given stays.
func (s *stream) shut(readErr, writeErr error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readErr == nil || errors.Is(readErr, net.ErrClosed) {
		s.readErr = readErr
	}
	if s.writeErr == nil || errors.Is(writeErr, net.ErrClosed) {
		s.writeErr = writeErr
	}
	for _, l := range []*limit{&s.readBy, &s.writeBy} {
		if l.timer != nil {
			l.timer.Stop()
		}
	}
	s.change.Broadcast()
}

func (s *stream) deadline(l *limit, t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	l.at = t
	if !t.IsZero() {
		l.timer = time.AfterFunc(time.Until(t), func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.change.Broadcast()
		})
	}
	s.change.Broadcast()
}
