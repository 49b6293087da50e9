// SPDX-License-Identifier: Apache-2.0

// Package namesrv is the NameServer: brokers register what they serve, clients ask where a topic is.
// It keeps the routes in memory only; each broker repeats its registration every 30 seconds.
//
// namesrv.go: a server's parts and its life. The requests are listed in requests.go.
package namesrv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"rocketd/internal/run"
	"rocketd/protocol"
	"rocketd/remoting"
)

// Deps are the parts of the world that a server uses.
type Deps struct {
	FS      FS
	Clock   clockwork.Clock
	Log     zerolog.Logger
	Metrics prometheus.Registerer // may be nil
	Listen  func(network, addr string) (net.Listener, error)
}

// Server is one NameServer.
type Server struct {
	fs     FS
	clock  clockwork.Clock
	log    zerolog.Logger
	listen func(network, addr string) (net.Listener, error)

	cfg         atomic.Pointer[Config] // replaced as a whole by updateConfig
	configuring sync.Mutex             // one update at a time, its file included

	registry *registry
	kv       *kvStore
	mux      *remoting.Mux
	started  time.Time

	addr  string // where Run listens; written before ready is closed
	ready chan struct{}
}

// New checks the settings and loads kvConfig.json. It starts nothing.
func New(cfg Config, deps Deps) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Server{
		fs:       deps.FS,
		clock:    deps.Clock,
		log:      deps.Log.With().Str("part", "namesrv").Logger(),
		listen:   deps.Listen,
		registry: newRegistry(),
		started:  deps.Clock.Now(),
		ready:    make(chan struct{}),
	}
	s.cfg.Store(&cfg)
	kv, err := openKV(deps.FS, cfg.KVConfigPath, s.nowMs(), s.log)
	if err != nil {
		return nil, err
	}
	s.kv = kv
	if err := registerMetrics(deps.Metrics, s.registry); err != nil {
		return nil, err
	}
	s.mux = s.requests()
	return s, nil
}

// Run serves until ctx ends, and returns nil then.
func (s *Server) Run(ctx context.Context) error {
	cfg := s.config()
	addr := net.JoinHostPort(remoting.BareHost(cfg.BindAddress), strconv.Itoa(int(cfg.ListenPort)))
	l, err := s.listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("the address %s is already in use: is another name server running?", addr)
	}
	if err != nil {
		return fmt.Errorf("listen on %s: %w", addr, err)
	}
	server := remoting.NewServer(cfg.ServerConfig, s.mux, s.log, remoting.Hooks{OnClose: s.peerClosed})
	g := run.NewGroup(ctx)
	g.Go(0, "namesrv.server", func(ctx context.Context) error { return server.Serve(ctx, l) })
	g.Go(1, "namesrv.expire", s.expireSilent)
	s.addr = l.Addr().String()
	close(s.ready)
	return g.Wait()
}

// Ready is closed when the port answers.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Addr is where the server listens. It is known once Ready is closed.
func (s *Server) Addr() string { return s.addr }

// Handle serves one request without a connection. peer may be nil.
func (s *Server) Handle(ctx context.Context, peer remoting.Peer, cmd *protocol.Command) (*protocol.Command, error) {
	return s.mux.Handle(ctx, peer, cmd)
}

// config returns the settings of this moment. They must not be changed.
func (s *Server) config() *Config { return s.cfg.Load() }

func (s *Server) nowMs() int64 { return s.clock.Now().UnixMilli() }

// remoteAddr names the sender of a request for the log.
func remoteAddr(c *remoting.Call) string {
	if c.Peer() == nil {
		return ""
	}
	return c.Peer().RemoteAddr()
}
