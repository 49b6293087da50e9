// SPDX-License-Identifier: Apache-2.0

package remotingtest

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"rocketd/protocol"
)

// Patience bounds every wait of a Raw peer.
const Patience = 10 * time.Second

// Raw is a scripted peer: it writes what it is told and fails the test when it does not read what is expected.
type Raw struct {
	t    testing.TB
	conn net.Conn
}

// NewRaw takes over one end of a connection; it is closed when the test ends.
func NewRaw(t testing.TB, conn net.Conn) *Raw {
	t.Helper()
	t.Cleanup(func() { _ = conn.Close() })
	return &Raw{t: t, conn: conn}
}

// Conn is the connection itself.
func (r *Raw) Conn() net.Conn { return r.conn }

// WriteFrame sends a command as it is: opaque, flag and header form are the caller's.
func (r *Raw) WriteFrame(cmd *protocol.Command) {
	r.t.Helper()
	frame, err := protocol.Append(nil, cmd)
	if err != nil {
		r.t.Fatalf("encode: %v", err)
	}
	r.WriteRaw(frame)
}

// WriteRaw sends bytes.
func (r *Raw) WriteRaw(b []byte) {
	r.t.Helper()
	_ = r.conn.SetWriteDeadline(time.Now().Add(Patience))
	if _, err := r.conn.Write(b); err != nil {
		r.t.Fatalf("write: %v", err)
	}
}

// ReadFrame returns the next command; its memory is its own.
func (r *Raw) ReadFrame() *protocol.Command {
	r.t.Helper()
	_ = r.conn.SetReadDeadline(time.Now().Add(Patience))
	var prefix [4]byte
	if _, err := io.ReadFull(r.conn, prefix[:]); err != nil {
		r.t.Fatalf("read length: %v", err)
	}
	size := binary.BigEndian.Uint32(prefix[:])
	if size > protocol.MaxFrameBytes {
		r.t.Fatalf("frame of %d bytes", size)
	}
	frame := make([]byte, size)
	if _, err := io.ReadFull(r.conn, frame); err != nil {
		r.t.Fatalf("read frame: %v", err)
	}
	cmd := new(protocol.Command)
	if err := protocol.Decode(frame, cmd); err != nil {
		r.t.Fatalf("decode: %v", err)
	}
	return cmd
}

// ExpectClosed waits until the other side has closed, and fails when it sends anything more.
func (r *Raw) ExpectClosed() {
	r.t.Helper()
	_ = r.conn.SetReadDeadline(time.Now().Add(Patience))
	var b [1]byte
	n, err := r.conn.Read(b[:])
	switch {
	case n > 0:
		r.t.Fatal("got a byte from a connection that should be closed")
	case errors.Is(err, os.ErrDeadlineExceeded):
		r.t.Fatal("the connection stays open")
	}
}

// ExpectSilence fails when anything arrives, or the connection closes, within d.
func (r *Raw) ExpectSilence(d time.Duration) {
	r.t.Helper()
	_ = r.conn.SetReadDeadline(time.Now().Add(d))
	var b [1]byte
	if n, err := r.conn.Read(b[:]); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		r.t.Fatalf("got %d bytes and %v where nothing was expected", n, err)
	}
}

// Close ends the connection.
func (r *Raw) Close() { _ = r.conn.Close() }
