// SPDX-License-Identifier: Apache-2.0

package remoting

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// directRoom is for reads that go past the scheduler, twice as much for some that do not.
const directRoom = 64 << 10

// tcpPair is both ends of a connection with buffers so small that writes must wait.
func tcpPair(t *testing.T) (here, there *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	nc, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	other, err := l.Accept()
	require.NoError(t, err)
	here, there = nc.(*net.TCPConn), other.(*net.TCPConn)
	require.NoError(t, here.SetWriteBuffer(32<<10))
	require.NoError(t, there.SetReadBuffer(64<<10))
	t.Cleanup(func() { _, _ = here.Close(), there.Close() })
	return here, there
}

func TestASocketWritesAllToAPeerThatReadsSlowly(t *testing.T) {
	here, there := tcpPair(t)
	s := newSocket(here)
	random := rand.New(rand.NewPCG(1, 2))
	var want []byte
	ended := make(chan error, 1)
	pieces := make([][]byte, 200)
	for i := range pieces {
		pieces[i] = bytes.Repeat([]byte{byte(i)}, random.IntN(40<<10))
		want = append(want, pieces[i]...)
	}
	go func() {
		for _, p := range pieces {
			if n, err := s.Write(p); err != nil || n != len(p) {
				ended <- err
				return
			}
		}
		ended <- here.CloseWrite()
	}()
	var got []byte
	from := newSocket(there)
	for {
		b := make([]byte, 1+random.IntN(2*directRoom))
		n, err := from.Read(b)
		got = append(got, b[:n]...)
		if err == io.EOF { //nolint:errorlint // io.Reader promises it bare
			break
		}
		require.NoError(t, err)
	}
	require.NoError(t, <-ended)
	require.True(t, bytes.Equal(want, got))
}

func TestASocketsWaitsEnd(t *testing.T) {
	wait := func(t *testing.T, what func(b []byte) (int, error)) <-chan error {
		t.Helper()
		ended := make(chan error, 1)
		go func() {
			for {
				if _, err := what(make([]byte, 8<<10)); err != nil {
					ended <- err
					return
				}
			}
		}()
		return ended
	}
	t.Run("with a deadline", func(t *testing.T) {
		here, _ := tcpPair(t)
		ended := wait(t, newSocket(here).Read)
		require.NoError(t, here.SetReadDeadline(time.Unix(1, 0)))
		require.ErrorIs(t, <-ended, os.ErrDeadlineExceeded)
	})
	t.Run("with the connection", func(t *testing.T) {
		here, _ := tcpPair(t)
		s := newSocket(here)
		reading, writing := wait(t, s.Read), wait(t, s.Write)
		require.NoError(t, here.Close())
		require.ErrorIs(t, <-reading, net.ErrClosed)
		require.ErrorIs(t, <-writing, net.ErrClosed)
	})
	t.Run("with a reset", func(t *testing.T) {
		here, there := tcpPair(t)
		s := newSocket(here)
		reading, writing := wait(t, s.Read), wait(t, s.Write)
		require.NoError(t, there.SetLinger(0))
		require.NoError(t, there.Close())
		require.Error(t, <-reading)
		require.Error(t, <-writing)
	})
}
