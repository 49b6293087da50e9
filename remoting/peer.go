// SPDX-License-Identifier: Apache-2.0

// Package remoting moves protocol commands over connections: the server, the client, and the mux that gives each
// request to its handler. It knows no request code's meaning.
//
// peer.go: what the rest of the project sees of a connection. Java: Channel, NettyRemotingAbstract.
package remoting

import (
	"context"
	"errors"

	"rocketd/protocol"
)

// Peer is the other end of a connection, as handlers and sessions know it. All methods may be called by any goroutine,
// at any time, also after the connection has closed.
type Peer interface {
	// ID is unique among all peers of this process and never used again.
	ID() uint64
	// RemoteAddr is "ip:port" of the other side.
	RemoteAddr() string
	// LocalAddr is "ip:port" of our side.
	LocalAddr() string
	// Call sends a request and waits for its answer; DefaultCallTimeout applies when ctx has no deadline.
	// req is not changed and may be shared by several calls at the same time.
	Call(ctx context.Context, req *protocol.Command) (*protocol.Command, error)
	// Oneway sends a request that wants no answer. It never blocks on the peer.
	Oneway(req *protocol.Command) error
	// Close ends the connection; calls that wait fail with ErrClosed.
	Close() error
}

// Attachment is a response body that is written straight from the memory of its owner, such as pinned log segments.
type Attachment interface {
	// Buffers are the pieces of the body, in order. They must not change until Release.
	Buffers() [][]byte
	// Release is called exactly once: after the write, or when the answer cannot be written.
	Release()
}

var (
	// ErrClosed means that the connection closed before the answer came, or before the request left.
	ErrClosed = errors.New("remoting: connection closed")
	// ErrClientClosed means that the client was closed.
	ErrClientClosed = errors.New("remoting: client closed")
	// ErrTooManyPending means that the peer does not read: the bytes that wait for it are at their limit.
	ErrTooManyPending = errors.New("remoting: too many bytes pending for the peer")
)
