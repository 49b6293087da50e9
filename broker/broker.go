// SPDX-License-Identifier: Apache-2.0

// Package broker is a RocketMQ broker: it stores messages and hands them out,
// keeps the tables of topics, groups and offsets, and registers at the name
// servers. requests.go lists every request it answers and where.
//
// broker.go: what a broker is made of, how it starts and how it ends. Java: BrokerController, BrokerStartup.
package broker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"rocketd/broker/delay"
	"rocketd/broker/durable"
	"rocketd/broker/filter"
	"rocketd/broker/longpoll"
	"rocketd/broker/meta"
	"rocketd/broker/session"
	"rocketd/broker/stats"
	"rocketd/broker/txn"
	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/remoting"
	"rocketd/store"
	"rocketd/store/vfs"
)

// Host is the machine as the broker is told to see it.
type Host struct {
	Name string
	PID  int
	IP   string // the address that other machines reach this one by
}

// Deps is the world around a broker. What is left nil is the real one.
type Deps struct {
	FS      vfs.FS
	Clock   clockwork.Clock
	Log     zerolog.Logger
	Metrics prometheus.Registerer
	Rand    *rand.Rand
	Host    Host
	Listen  func(network, addr string) (net.Listener, error)
	Dial    func(ctx context.Context, network, addr string) (net.Conn, error)

	// ConfigFile is the file that changes at run time are written to; empty: they last until the end.
	ConfigFile string
}

// Broker is one master broker.
type Broker struct {
	cfg   atomic.Pointer[Config] // a change swaps the whole value; readers load it once per request
	deps  Deps
	fs    vfs.FS
	clock clockwork.Clock
	log   zerolog.Logger

	store        *store.Store // set by Run before the first request can come
	topics       *meta.Topics
	groups       *meta.Groups
	offsets      *meta.Offsets
	delays       *meta.Delays
	filters      *meta.Filters
	producers    *session.Producers
	consumers    *session.Consumers
	heartbeats   *session.Heartbeats
	broadcasts   *session.Broadcasts
	locks        *session.QueueLock
	notify       *session.Notify
	registration *registration
	live         liveConfig
	client       *remoting.Client // to the name servers

	mux     *remoting.Mux
	lanes   lanes
	parked  *longpoll.Table
	durable *durable.Sends
	levels  *delay.Levels
	timer   *delay.Timer // nil: timerWheelEnable=false

	transactions *txn.Service
	stats        *stats.Stats
	metrics      *metrics
	uniq         *uniqIDs

	storeHost netip.AddrPort // brokerIP1:listenPort, stored with every message
	ownProps  [2]string      // what every stored message gets, with TRACE_ON false and true
	bootMs    int64
	addr      atomic.Pointer[net.TCPAddr]

	randMu sync.Mutex
	rand   *rand.Rand // under randMu

	opened    atomic.Bool // store and tables may be used
	ready     chan struct{}
	readyOnce sync.Once
}

// New checks the configuration and builds a broker. It touches neither disk
// nor network; Run does.
func New(cfg Config, deps Deps) (*Broker, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	deps = deps.filled()
	cfg = cfg.withHost(deps.Host)
	bloom, err := filter.NewBloom(cfg.MaxErrorRateOfBloomFilter, cfg.ExpectConsumerNumUseFilter)
	if err != nil {
		return nil, err
	}
	cfg.ConsumeQueueExtBits = int(bloom.Bits) // as in Java, whatever the file says
	b := &Broker{
		deps: deps, fs: deps.FS, clock: deps.Clock, rand: deps.Rand,
		log:   deps.Log.With().Str("part", "broker").Logger(),
		ready: make(chan struct{}),
	}
	b.cfg.Store(&cfg)
	b.storeHost = storeHost(&cfg, deps.Host)
	b.bootMs = b.nowMs()

	b.ownProps = brokerProps(&cfg)
	b.stats = stats.New(b.clock, b.isSystemTopic)
	b.uniq = newUniqIDs(b.storeHost.Addr(), deps.Host.PID, b.rand.Uint32(), b.clock)
	b.parked = longpoll.New(b.clock, int(cfg.PullThreadPoolQueueCapacity))
	b.durable = durable.New(b.clock, int(cfg.SendThreadPoolQueueCapacity), func() time.Duration {
		return time.Duration(b.cfg.Load().SyncFlushTimeout) * time.Millisecond
	})
	b.newTables(&cfg, bloom)
	b.newSessions(&cfg)
	b.registration = newRegistration(cfg.NamesrvAddr)
	b.live.version.TimestampMs = b.bootMs

	b.lanes = newLanes(&cfg)
	b.metrics = b.newMetrics(deps.Metrics)
	b.mux = b.requests()
	b.client = remoting.NewClient(remoting.DefaultClientConfig(), nil, b.log, deps.Dial)
	return b, nil
}

func (d Deps) filled() Deps {
	if d.FS == nil {
		d.FS = vfs.OS
	}
	if d.Clock == nil {
		d.Clock = clockwork.NewRealClock()
	}
	if d.Metrics == nil {
		d.Metrics = prometheus.NewRegistry()
	}
	if d.Rand == nil {
		d.Rand = rand.New(rand.NewPCG(uint64(d.Clock.Now().UnixNano()), uint64(d.Host.PID)))
	}
	if d.Listen == nil {
		d.Listen = net.Listen
	}
	if d.Dial == nil {
		d.Dial = new(net.Dialer).DialContext
	}
	return d
}

// storeHost is the address written into each stored message and into offset
// message ids. A brokerIP1 that is a host name cannot stand there.
func storeHost(cfg *Config, host Host) netip.AddrPort {
	ip, err := netip.ParseAddr(remoting.BareHost(cfg.BrokerIP1))
	if err != nil {
		ip, err = netip.ParseAddr(host.IP)
	}
	if err != nil {
		ip = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.AddrPortFrom(ip.Unmap(), uint16(cfg.ListenPort))
}

func (b *Broker) newTables(cfg *Config, bloom filter.Bloom) {
	dir := filepath.Join(cfg.StorePathRootDir, "config")
	log := b.deps.Log.With().Str("part", "meta").Logger()
	b.topics = meta.NewTopics(filepath.Join(dir, "topics.json"), b.fs, b.clock, log)
	b.groups = meta.NewGroups(filepath.Join(dir, "subscriptionGroup.json"), b.fs, b.clock, log)
	b.offsets = meta.NewOffsets(filepath.Join(dir, "consumerOffset.json"), b.fs, b.clock, log)
	b.filters = meta.NewFilters(filepath.Join(dir, "consumerFilter.json"), b.fs, b.clock, log, filterKit(bloom))
	b.delays = meta.NewDelays(filepath.Join(dir, "delayOffset.json"), b.fs, b.clock, log)
}

// Ready is closed once the ports answer.
func (b *Broker) Ready() <-chan struct{} { return b.ready }

// Addr is the address that listenPort ended up on; nil before Ready.
func (b *Broker) Addr() net.Addr {
	if a := b.addr.Load(); a != nil {
		return a
	}
	return nil
}

// Config is the configuration in force. It must not be changed.
func (b *Broker) Config() *Config { return b.cfg.Load() }

// Handle runs one request without a connection, as if peer had sent it.
func (b *Broker) Handle(ctx context.Context, peer remoting.Peer, cmd *protocol.Command) (*protocol.Command, error) {
	if !b.opened.Load() {
		return nil, errors.New("the broker is not running")
	}
	return b.mux.Handle(ctx, peer, cmd)
}

// arrived runs on the appender's goroutine for every stored message.
func (b *Broker) arrived(a store.Arrival) {
	switch a.Topic {
	case message.ScheduleTopic:
		b.levels.Arrive(a.QueueID)
	case message.TimerTopic:
		if b.timer != nil {
			b.timer.Arrive()
		}
	}
	b.parked.Arrive(a)
}

func (b *Broker) nowMs() int64 { return b.clock.Now().UnixMilli() }

// pick returns a random number below n.
func (b *Broker) pick(n int32) int32 {
	if n <= 1 {
		return 0
	}
	b.randMu.Lock()
	defer b.randMu.Unlock()
	return b.rand.Int32N(n)
}

// serveAddr is the address that clients and name servers are told.
func (b *Broker) serveAddr() string {
	cfg := b.cfg.Load()
	return net.JoinHostPort(remoting.BareHost(cfg.BrokerIP1), strconv.Itoa(int(cfg.ListenPort)))
}

func listenError(key string, addr string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s: the address %s is already in use: is another broker running?", key, addr)
	}
	return fmt.Errorf("%s: cannot listen on %s: %w", key, addr, err)
}
