// SPDX-License-Identifier: Apache-2.0

// config.go: the keys of the server and of the client. Java: NettyServerConfig, NettyClientConfig. Keys that Java has
// keep their names; the limits that only we have are named server…/client… likewise.
package remoting

import (
	"errors"
	"fmt"
	"time"

	"rocketd/protocol"
)

// DefaultCallTimeout bounds a Call whose context has no deadline; Java's synchronous calls wait as long.
const DefaultCallTimeout = 3 * time.Second

// ServerConfig is read once, by NewServer.
type ServerConfig struct {
	// MaxIdleSeconds closes a connection that neither sent nor received anything for so long.
	MaxIdleSeconds int32 `conf:"serverChannelMaxIdleTimeSeconds,static"`
	// SndBufBytes and RcvBufBytes set the socket buffers; 0 leaves them to the system.
	SndBufBytes int32 `conf:"serverSocketSndBufSize,static"`
	RcvBufBytes int32 `conf:"serverSocketRcvBufSize,static"`
	// GracefulShutdown answers GO_AWAY to newer clients for up to ShutdownWaitSeconds before the server stops reading.
	GracefulShutdown    bool  `conf:"enableShutdownGracefully,static"`
	ShutdownWaitSeconds int32 `conf:"shutdownWaitTimeSeconds,static"`

	// MaxConnections is the limit of open connections over all listeners; a further one is closed at once.
	MaxConnections int32 `conf:"serverMaxConnections,static"`
	// MaxFrameBytes counts the length prefix; a longer frame closes the connection.
	MaxFrameBytes int32 `conf:"serverMaxFrameBytes,static"`
	// MaxLongFrameBytes is the limit of bytes that all connections together hold of frames above 64 KiB that are not
	// whole yet. The connection that would pass it is closed.
	MaxLongFrameBytes int64 `conf:"serverMaxLongFrameBytes,static"`
	// FrameTimeoutSeconds, plus a second for each 64 KiB announced, is the time a begun frame has to arrive.
	FrameTimeoutSeconds int32 `conf:"serverFrameTimeoutSeconds,static"`
	// WriteTimeoutSeconds is the time a peer has to take the next 256 KiB of what we write.
	WriteTimeoutSeconds int32 `conf:"serverWriteTimeoutSeconds,static"`
	// MaxPendingBytes is the limit of bytes held for one connection (answers that wait for the socket, requests in
	// work). Beyond it the connection is not read. The headers of parked requests have the same limit for themselves;
	// beyond it a request is not parked but refused.
	MaxPendingBytes int64 `conf:"serverMaxPendingBytesPerConnection,static"`
	// MaxParked is the limit of calls of one connection that wait for their answer without a goroutine.
	MaxParked int32 `conf:"serverMaxParkedPerConnection,static"`
	// DrainTimeoutMs is how long Serve waits for requests in work before it closes the connections.
	DrainTimeoutMs int32 `conf:"serverDrainTimeoutMillis,static"`

	// Serialize is the header form of everything the server writes. Not a key: Java reads it from the environment.
	Serialize protocol.SerializeType
}

// DefaultServerConfig returns Java's defaults where Java has the key.
func DefaultServerConfig() ServerConfig {
	return ServerConfig{
		MaxIdleSeconds:      120,
		ShutdownWaitSeconds: 30,
		MaxConnections:      65536,
		MaxFrameBytes:       protocol.MaxFrameBytes,
		MaxLongFrameBytes:   1 << 30,
		FrameTimeoutSeconds: 60,
		WriteTimeoutSeconds: 60,
		MaxPendingBytes:     64 << 20,
		MaxParked:           20000,
		DrainTimeoutMs:      5000,
	}
}

// Validate reports the keys whose values cannot work.
func (c *ServerConfig) Validate() error {
	var errs []error
	positive := func(key string, v int64) {
		if v <= 0 {
			errs = append(errs, fmt.Errorf("%s must be positive, not %d", key, v))
		}
	}
	positive("serverChannelMaxIdleTimeSeconds", int64(c.MaxIdleSeconds))
	positive("serverMaxConnections", int64(c.MaxConnections))
	positive("serverFrameTimeoutSeconds", int64(c.FrameTimeoutSeconds))
	positive("serverWriteTimeoutSeconds", int64(c.WriteTimeoutSeconds))
	positive("serverMaxLongFrameBytes", c.MaxLongFrameBytes)
	positive("serverMaxPendingBytesPerConnection", c.MaxPendingBytes)
	positive("serverMaxParkedPerConnection", int64(c.MaxParked))
	if c.MaxFrameBytes < 1024 || c.MaxFrameBytes > protocol.MaxFrameBytes {
		errs = append(errs, fmt.Errorf("serverMaxFrameBytes must be from 1024 to %d, not %d", protocol.MaxFrameBytes, c.MaxFrameBytes))
	}
	if c.DrainTimeoutMs < 0 || c.ShutdownWaitSeconds < 0 {
		errs = append(errs, errors.New("serverDrainTimeoutMillis and shutdownWaitTimeSeconds must not be negative"))
	}
	return errors.Join(errs...)
}

// ClientConfig is read once, by NewClient.
type ClientConfig struct {
	ConnectTimeoutMs int32 `conf:"connectTimeoutMillis,static"`
	MaxIdleSeconds   int32 `conf:"clientChannelMaxIdleTimeSeconds,static"`
	SndBufBytes      int32 `conf:"clientSocketSndBufSize,static"`
	RcvBufBytes      int32 `conf:"clientSocketRcvBufSize,static"`
	// MaxFrameBytes bounds what a server may send in one frame.
	MaxFrameBytes int32 `conf:"clientMaxFrameBytes,static"`
	// MaxPendingBytes is the limit of bytes held for one connection, as on the server.
	MaxPendingBytes int64 `conf:"clientMaxPendingBytesPerConnection,static"`

	// Serialize is the header form of everything the client writes.
	Serialize protocol.SerializeType
}

// DefaultClientConfig returns Java's defaults where Java has the key.
func DefaultClientConfig() ClientConfig {
	return ClientConfig{
		ConnectTimeoutMs: 3000,
		MaxIdleSeconds:   120,
		MaxFrameBytes:    protocol.MaxFrameBytes,
		MaxPendingBytes:  64 << 20,
	}
}

// limits are the bounds of one connection, in the units the code works with.
type limits struct {
	idle         time.Duration
	frameTimeout time.Duration
	writeTimeout time.Duration
	sweep        time.Duration // how often connections are looked at; the error of the timeouts above
	maxFrame     int
	maxPending   int64
	maxParked    int64
	maxLong      int64
	sndBuf       int
	rcvBuf       int
	serialize    protocol.SerializeType
}

const sweepEvery = time.Second

func (c *ServerConfig) limits() limits {
	return limits{
		idle:         time.Duration(c.MaxIdleSeconds) * time.Second,
		frameTimeout: time.Duration(c.FrameTimeoutSeconds) * time.Second,
		writeTimeout: time.Duration(c.WriteTimeoutSeconds) * time.Second,
		sweep:        sweepEvery,
		maxFrame:     int(c.MaxFrameBytes),
		maxPending:   c.MaxPendingBytes,
		maxParked:    int64(c.MaxParked),
		maxLong:      c.MaxLongFrameBytes,
		sndBuf:       int(c.SndBufBytes),
		rcvBuf:       int(c.RcvBufBytes),
		serialize:    c.Serialize,
	}
}

func (c *ClientConfig) limits() limits {
	s := DefaultServerConfig()
	l := s.limits()
	l.idle = time.Duration(c.MaxIdleSeconds) * time.Second
	l.maxFrame = int(c.MaxFrameBytes)
	l.maxPending = c.MaxPendingBytes
	l.sndBuf, l.rcvBuf = int(c.SndBufBytes), int(c.RcvBufBytes)
	l.serialize = c.Serialize
	return l
}
