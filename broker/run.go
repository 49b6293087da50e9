// SPDX-License-Identifier: Apache-2.0

// run.go: start and staged end of a broker. Java: BrokerController.initialize, start, shutdown.

package broker

import (
	"context"
	"errors"
	"net"
	"strconv"

	"rocketd/broker/delay"
	"rocketd/broker/stats"
	"rocketd/internal/run"
	"rocketd/protocol/message"
	"rocketd/remoting"
	"rocketd/store"
)

// The stages in which a broker ends: each is over before the next begins.
const (
	stageRegistration = iota // the name servers hear of the end first
	stageServing             // no new connections; parked calls are answered; requests in work end
	stageBehaviour           // delayed delivery, expiry of sessions
	stageTables              // the tables' last save, after everything that changes them
	stageStore               // queues catch up with the log, everything is flushed
)

// Run opens the store, serves until ctx ends or a part fails, and closes
// everything in order. It can be called once.
func (b *Broker) Run(ctx context.Context) (err error) {
	if err := b.open(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.store.Close()) }()
	defer b.client.Close()
	if err := b.loadTables(); err != nil {
		return err
	}
	if b.timer != nil {
		defer func() { err = errors.Join(err, b.timer.Close()) }()
		if err := b.timer.Open(); err != nil {
			return err
		}
	}
	listeners, err := b.listen()
	if err != nil {
		return err
	}
	b.opened.Store(true)
	server := remoting.NewServer(b.cfg.Load().ServerConfig, b.mux, b.deps.Log.With().Str("part", "remoting").Logger(),
		remoting.Hooks{OnClose: b.peerClosed})
	b.registerMetrics(server)
	defer b.metrics.unregister()

	g := run.NewGroup(ctx)
	g.Go(stageStore, "store", b.store.Run)
	g.Go(stageTables, "meta", b.runTables)
	g.Go(stageBehaviour, "delay", b.levels.Run)
	if b.timer != nil {
		g.Go(stageBehaviour, "timer", b.timer.Run)
	}
	g.Go(stageBehaviour, "transactions", b.transactions.Run)
	g.Go(stageBehaviour, "sessions", b.runSessions)
	g.Go(stageBehaviour, "broadcasts", b.runBroadcasts)
	g.Go(stageBehaviour, "stats", b.stats.Run)
	g.Go(stageServing, "longpoll", b.parked.Run)
	for _, l := range listeners {
		g.Go(stageServing, "server", func(ctx context.Context) error { return server.Serve(ctx, l) })
	}
	b.readyOnce.Do(func() { close(b.ready) })
	g.Go(stageRegistration, "registration", b.runRegistration)
	return g.Wait()
}

func (b *Broker) open() error {
	cfg := b.cfg.Load()
	opened, err := store.Open(cfg.Config, store.Deps{
		FS: b.fs, Clock: b.clock, Metrics: b.deps.Metrics,
		Log:      b.deps.Log.With().Str("part", "store").Logger(),
		Host:     store.Host{PID: b.deps.Host.PID},
		OnArrive: b.arrived,
		OnFlush:  b.durable.Flushed,

		FilterBits: b.filterBits,
	})
	if err != nil {
		return err
	}
	b.store = opened
	delays, err := cfg.DelayLevels()
	if err != nil {
		return errors.Join(err, opened.Close())
	}
	b.levels = delay.New(delays, countedStore{opened, b.stats}, b.delays, b.clock, b.deps.Log.With().Str("part", "delay").Logger())
	b.timer = b.newTimer(cfg, opened)
	b.transactions = b.newTransactions()
	return nil
}

// countedStore lets delivered delayed messages count as put, as in Java.
type countedStore struct {
	*store.Store
	stats *stats.Stats
}

func (s countedStore) Put(m *message.Message) (store.Receipt, error) {
	receipt, err := s.Store.Put(m)
	if err == nil {
		s.stats.Put(m.Topic, 1, int64(receipt.Size))
	}
	return receipt, err
}

// delayProgress saves the progress of the delay levels as far as it is durable.
type delayProgress struct{ b *Broker }

func (p delayProgress) Dirty() bool { return p.b.levels.Unsettled() || p.b.delays.Dirty() }

func (p delayProgress) Save() error {
	if !p.Dirty() {
		return nil
	}
	end := p.b.store.Marks().Appended
	if err := p.b.store.AwaitFlush(context.Background(), end); err != nil {
		return err
	}
	p.b.levels.Settle(end)
	return p.b.delays.Save()
}

// loadTables reads the JSON tables, only now: the store's lock file keeps a
// second broker from the same directory.
func (b *Broker) loadTables() error {
	for _, load := range []func() error{b.topics.Load, b.groups.Load, b.offsets.Load, b.delays.Load, b.filters.Load} {
		if err := load(); err != nil {
			return err
		}
	}
	return b.createSystemTables()
}

// listen opens listenPort and, two below it, the port of the VIP channel. Both
// serve the same table. Port 0, for tests, takes any port and has no second.
func (b *Broker) listen() ([]net.Listener, error) {
	cfg := b.cfg.Load()
	ports := []int32{cfg.ListenPort}
	if cfg.ListenPort > 2 {
		ports = append(ports, cfg.ListenPort-2)
	}
	var open []net.Listener
	for i, port := range ports {
		addr := net.JoinHostPort(remoting.BareHost(cfg.BindAddress), strconv.Itoa(int(port)))
		l, err := b.deps.Listen("tcp", addr)
		if err != nil {
			for _, earlier := range open {
				err = errors.Join(err, earlier.Close())
			}
			return nil, listenError([]string{"listenPort", "listenPort-2 (the VIP channel)"}[i], addr, err)
		}
		open = append(open, l)
	}
	if tcp, ok := open[0].Addr().(*net.TCPAddr); ok {
		b.addr.Store(tcp)
	}
	return open, nil
}

// peerClosed forgets what a connection had here.
func (b *Broker) peerClosed(p remoting.Peer) {
	b.parked.Drop(p.ID())
	b.sessionsClosed(p)
}
