// SPDX-License-Identifier: Apache-2.0

// side.go: one connection to a server, on which requests are asked one after the other.

package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"time"

	"rocketd/conformance/target"
)

// Side is one of the two servers that are compared.
type Side struct {
	addr   string
	mask   func(string) string
	conn   net.Conn
	opaque int32
	pushed []*Answer // requests of the server that came while an answer was awaited
}

// NewSide returns a side that connects when it is first asked.
func NewSide(c *target.Cluster, addr string) *Side {
	return &Side{addr: addr, mask: Masks(c)}
}

var (
	anyTime   = regexp.MustCompile(`\b1[5-9]\d{11}\b|\d{4}-\d\d-\d\d#\d\d:\d\d:\d\d:\d{3}`)
	anyID     = regexp.MustCompile(`\b[0-9A-F]{32}\b`)
	longID    = regexp.MustCompile(`\b[0-9A-F]{56}\b`) // of an IPv6 address
	localAddr = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	localV6   = regexp.MustCompile(`\[::1\]:\d+`)
)

// Masks returns what replaces that which must differ between two clusters: places, times and message ids.
func Masks(c *target.Cluster) func(string) string {
	places := strings.NewReplacer(c.Names.Addr, "<namesrv>", c.Broker.Addr, "<broker>", c.Home, "<home>")
	return func(s string) string {
		s = localV6.ReplaceAllString(localAddr.ReplaceAllString(places.Replace(s), "<addr>"), "<addr6>")
		s = longID.ReplaceAllString(s, "<long id>")
		return anyID.ReplaceAllString(anyTime.ReplaceAllString(s, "<time>"), "<id>")
	}
}

// answerTime bounds the wait for an answer.
const answerTime = 10 * time.Second

// Ask sends the request and waits for its answer.
func (s *Side) Ask(r Request, form Form, wait time.Duration) Exchange {
	s.opaque++
	r.Opaque = s.opaque
	if r.Version == 0 {
		r.Version = peerVersion
	}
	if err := s.Write(r.Frame(form)); err != nil {
		return Exchange{Ended: err.Error(), Mask: s.mask}
	}
	deadline := time.Now().Add(wait)
	for {
		answer, err := s.Read(deadline)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return Exchange{Ended: "silence", Mask: s.mask}
		case err != nil:
			s.Close()
			return Exchange{Ended: "closed", Mask: s.mask}
		case answer.isAnswer() && answer.Opaque == r.Opaque:
			return Exchange{Answer: answer, Mask: s.mask}
		case !answer.isAnswer():
			s.pushed = append(s.pushed, answer)
		}
	}
}

// Write sends bytes, over a new connection if there is none.
func (s *Side) Write(b []byte) error {
	if s.conn == nil {
		conn, err := net.DialTimeout("tcp", s.addr, answerTime)
		if err != nil {
			return err
		}
		s.conn = conn
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(answerTime)); err != nil {
		return err
	}
	_, err := s.conn.Write(b)
	return err
}

// Read returns the next frame.
func (s *Side) Read(deadline time.Time) (*Answer, error) {
	if err := s.conn.SetReadDeadline(deadline); err != nil {
		return nil, err
	}
	var prefix [bytesLength]byte
	if _, err := io.ReadFull(s.conn, prefix[:]); err != nil {
		return nil, err
	}
	const most = 16 << 20
	size := binary.BigEndian.Uint32(prefix[:])
	if size > most {
		return nil, fmt.Errorf("a frame of %d bytes", size)
	}
	frame := make([]byte, size)
	if _, err := io.ReadFull(s.conn, frame); err != nil {
		return nil, err
	}
	return ParseAnswer(frame)
}

// Close ends the connection; the next request makes a new one.
func (s *Side) Close() {
	if s.conn != nil {
		_ = s.conn.Close()
		s.conn = nil
	}
}
