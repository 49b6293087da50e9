// SPDX-License-Identifier: Apache-2.0

// server.go: accepts connections and ends them. Java: NettyRemotingServer.
package remoting

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// Server serves one mux on any number of listeners.
type Server struct {
	*shared
	cfg  ServerConfig
	open atomic.Int64 // connections over all listeners
}

// NewServer returns a server that Serve starts.
func NewServer(cfg ServerConfig, mux *Mux, log zerolog.Logger, hooks Hooks) *Server {
	s := &Server{cfg: cfg}
	s.shared = &shared{
		mux:    mux,
		log:    log.Sample(&zerolog.BurstSampler{Burst: 20, Period: time.Second}),
		limits: cfg.limits(),
		sniff:  true,
		hooks: Hooks{
			OnOpen: hooks.OnOpen,
			OnClose: func(p Peer) {
				s.open.Add(-1)
				if hooks.OnClose != nil {
					hooks.OnClose(p)
				}
			},
		},
	}
	return s
}

// Connections is the number of connections that are open now.
func (s *Server) Connections() int { return int(s.open.Load()) }

// Serve accepts connections from l until ctx ends or l fails, then answers the requests in work and closes the
// connections that came from l. It owns l and returns nil when ctx ended it.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	w := newWatch()
	go w.run(s.limits)
	defer w.halt()
	unhook := context.AfterFunc(ctx, func() { _ = l.Close() }) // only to end Accept
	err := s.accept(ctx, l, w)
	unhook()
	_ = l.Close() // it may be closed already
	s.windDown(w)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// accept runs until the listener fails.
func (s *Server) accept(ctx context.Context, l net.Listener, w *watch) error {
	const longestPause = time.Second
	pause := time.Duration(0)
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			s.admit(nc, w)
			continue
		case ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept on %s: %w", addrText(l.Addr()), err)
		}
		// Out of descriptors, or a connection that was gone before we took it: both pass.
		pause = min(max(5*time.Millisecond, 2*pause), longestPause)
		s.log.Warn().Err(err).Stringer("listener", l.Addr()).Dur("pause", pause).Msg("accept failed")
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// admit starts a connection, or closes it when there are too many.
func (s *Server) admit(nc net.Conn, w *watch) {
	if n := s.open.Add(1); n > int64(s.cfg.MaxConnections) {
		s.open.Add(-1)
		s.counts.turnedAway.Add(1)
		s.log.Warn().Str("peer", addrText(nc.RemoteAddr())).Int32("limit", s.cfg.MaxConnections).Msg("closing connection: too many")
		_ = nc.Close() // nothing was said yet
		return
	}
	c := newConn(s.shared, nc, w)
	if c == nil { // accepted while the door was being shut
		s.open.Add(-1)
		_ = nc.Close() // as above
		return
	}
	go c.run()
}

// windDown ends the connections of one listener: newer clients are sent away, then nothing more is read, what is in
// work is answered, and what is not answered in time is dropped.
func (s *Server) windDown(w *watch) {
	w.shutDoor()
	if s.cfg.GracefulShutdown {
		s.goAway.Store(true)
		w.awaitEmpty(time.Duration(s.cfg.ShutdownWaitSeconds) * time.Second)
	}
	for _, c := range w.all() {
		c.drain()
	}
	grace := time.Duration(s.cfg.DrainTimeoutMs) * time.Millisecond
	if w.awaitEmpty(grace) {
		return
	}
	left := w.all()
	s.log.Warn().Int("connections", len(left)).Dur("waited", grace).Msg("closing connections with unanswered requests")
	for _, c := range left {
		c.shut()
	}
	// Handlers see their context end; one that does not heed it is left behind.
	if !w.awaitEmpty(max(grace, time.Second)) {
		s.log.Error().Int("connections", len(w.all())).Msg("handlers still run after their connections have closed")
	}
}
