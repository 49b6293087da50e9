// SPDX-License-Identifier: Apache-2.0

//go:build linux && !race

// socket.go: reads and short writes of a TCP connection that the Go scheduler is not told of. They never block, so that it
// has nothing to do meanwhile. To be told costs it a switch of state and, when the server was idle before, a wake-up of its
// monitor thread, which then keeps looking every 20 us: an eighth of what a waiting pull costs.
package remoting

import (
	"io"
	"net"
	"syscall"
	"unsafe"
)

// What keeps a processor so long that a garbage collection, which must stop all, would notice is left to the scheduler.
const (
	directRead  = maxBatch // a read of more room than this is one of a long frame
	directWrite = 16 << 10
)

// socket is a TCP connection. One goroutine may read while another writes.
type socket struct {
	*net.TCPConn
	in, out attempt
}

// attempt is a read or a write under way.
type attempt struct {
	trap uintptr // SYS_READ or SYS_WRITE
	b    []byte
	n    int
	err  error
	once func(fd uintptr) bool
	wait func(once func(fd uintptr) bool) error // calls once when the socket is ready, until it is true
}

// newSocket is nc itself where it is no TCP connection.
func newSocket(nc net.Conn) io.ReadWriter {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return nc
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nc
	}
	s := &socket{TCPConn: tcp}
	s.in.trap, s.in.once, s.in.wait = syscall.SYS_READ, s.in.try, raw.Read
	s.out.trap, s.out.once, s.out.wait = syscall.SYS_WRITE, s.out.try, raw.Write
	return s
}

// try makes the system call; false means that the socket is not ready.
func (a *attempt) try(fd uintptr) bool {
	for {
		n, _, errno := syscall.RawSyscall(a.trap, fd, uintptr(unsafe.Pointer(unsafe.SliceData(a.b))), uintptr(len(a.b)))
		switch errno {
		case 0:
			a.n, a.err = int(n), nil
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return false
		default:
			a.n, a.err = 0, errno
		}
		return true
	}
}

// do tries until the socket is ready.
func (a *attempt) do(b []byte) (int, error) {
	a.b = b
	err := a.wait(a.once)
	a.b = nil
	if err != nil {
		return 0, err // closed, or a deadline
	}
	return a.n, a.err
}

// Read is io.Reader.
func (s *socket) Read(b []byte) (int, error) {
	if len(b) > directRead {
		return s.TCPConn.Read(b)
	}
	n, err := s.in.do(b)
	if n == 0 && err == nil && len(b) > 0 {
		err = io.EOF
	}
	return n, err
}

// Write is io.Writer.
func (s *socket) Write(b []byte) (int, error) {
	if len(b) > directWrite {
		return s.TCPConn.Write(b)
	}
	sent := 0
	for sent < len(b) {
		n, err := s.out.do(b[sent:])
		sent += n
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}
