// SPDX-License-Identifier: Apache-2.0

// REGISTER_BROKER(103), UNREGISTER_BROKER(104), sent to every name server: at the start, 10 s
// later, then in registerNameServerPeriod, and at once when topics change.
// Java: BrokerController.registerBrokerAll, BrokerOuterAPI.
// Deviations: a registration that failed is tried again after 5 s; each name server is served by a goroutine of its own, so that a slow one holds up
// nobody; changes that come during a registration share the next one.

package broker

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"rocketd/compat/fastjson"
	"rocketd/internal/run"
	"rocketd/protocol"
	"rocketd/remoting"
)

const (
	secondRegistrationAfter = 10 * time.Second
	retryRegistrationAfter  = 5 * time.Second
	unregisterTimeout       = 3 * time.Second
	// announceTimeout is how long the creation of a topic waits for name servers to know it.
	announceTimeout = 3 * time.Second
)

// registration is what the goroutines of the name servers share.
type registration struct {
	mu       sync.Mutex
	changed  uint64        // topic changes so far
	progress chan struct{} // closed and replaced whenever a name server's state changes
	servers  []*nameServer
}

// nameServer is one name server as the broker sees it. The fields below wake are under registration.mu.
type nameServer struct {
	addr string
	wake chan struct{}

	known    uint64 // topic changes that it has been told of
	answered bool   // it took the last registration
}

func newRegistration(addrs string) *registration {
	r := &registration{progress: make(chan struct{})}
	for addr := range strings.SplitSeq(addrs, ";") {
		if addr = strings.TrimSpace(addr); addr != "" {
			r.servers = append(r.servers, &nameServer{addr: addr, wake: make(chan struct{}, 1)})
		}
	}
	return r
}

// topicsChanged has every name server told soon. It does not wait.
func (b *Broker) topicsChanged() uint64 {
	r := b.registration
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changed++
	for _, ns := range r.servers {
		select {
		case ns.wake <- struct{}{}:
		default:
		}
	}
	return r.changed
}

// announceTopics has every name server told of changed topics and waits for those that answered
// last time, so that a tool finds the route of the topic that it has just created.
func (b *Broker) announceTopics(ctx context.Context) {
	change := b.topicsChanged()
	ctx, cancel := clockwork.WithTimeout(ctx, b.clock, announceTimeout)
	defer cancel()
	for {
		told, progress := b.registration.told(change)
		if told {
			return
		}
		select {
		case <-progress:
		case <-ctx.Done():
			return
		}
	}
}

func (r *registration) told(change uint64) (bool, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, ns := range r.servers {
		if ns.answered && ns.known < change {
			return false, r.progress
		}
	}
	return true, r.progress
}

// settle notes how a registration ended that had the given number of changes in it, and reports
// whether the name server's state differs from before.
func (r *registration) settle(ns *nameServer, changes uint64, answered bool) (news bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	news = ns.answered != answered
	ns.answered = answered
	if answered {
		ns.known = max(ns.known, changes)
	}
	close(r.progress)
	r.progress = make(chan struct{})
	return news
}

func (r *registration) changes() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

func (b *Broker) runRegistration(ctx context.Context) error {
	g := run.NewGroup(ctx)
	for _, ns := range b.registration.servers {
		g.Go(0, "registration "+ns.addr, func(ctx context.Context) error {
			b.keepRegistered(ctx, ns)
			return nil
		})
	}
	return g.Wait()
}

// keepRegistered registers until ctx ends, and then unregisters. Periods count from the start of
// one registration to that of the next.
func (b *Broker) keepRegistered(ctx context.Context, ns *nameServer) {
	pause := secondRegistrationAfter
	registered := false
	for first := true; ; first = false {
		timer := b.clock.NewTimer(pause)
		answered := b.tryRegister(ctx, ns, first)
		registered = answered || registered && ctx.Err() != nil
		if !registered {
			timer.Reset(min(pause, retryRegistrationAfter))
		}
		select {
		case <-ctx.Done():
			timer.Stop()
			if registered {
				b.unregister(context.WithoutCancel(ctx), ns)
			}
			return
		case <-ns.wake:
			timer.Stop()
		case <-timer.Chan():
			pause = b.cfg.Load().registerPeriod()
		}
	}
}

// tryRegister registers once. Only a change of fortune is logged, not each failure.
func (b *Broker) tryRegister(ctx context.Context, ns *nameServer, first bool) (registered bool) {
	changes := b.registration.changes()
	timeout := time.Duration(b.cfg.Load().RegisterBrokerTimeoutMills) * time.Millisecond
	bounded, cancel := clockwork.WithTimeout(ctx, b.clock, timeout)
	defer cancel()
	err := b.register(bounded, ns)
	if ctx.Err() != nil {
		return err == nil
	}
	news := b.registration.settle(ns, changes, err == nil)
	switch {
	case err != nil && (news || first):
		b.log.Warn().Err(err).Str("namesrv", ns.addr).Msg("registration failed, will be tried again")
	case err == nil && (news || first):
		b.log.Info().Str("namesrv", ns.addr).Msg("registered")
	}
	return err == nil
}

func (b *Broker) register(ctx context.Context, ns *nameServer) error {
	cfg := b.cfg.Load()
	body, err := b.registerBody(cfg).Encode(cfg.CompressedRegister)
	if err != nil {
		return err
	}
	acting := false
	req := protocol.NewRequest(protocol.RegisterBroker, &protocol.RegisterBrokerHeader{
		BrokerName: cfg.BrokerName, BrokerAddr: b.serveAddr(), ClusterName: cfg.BrokerClusterName, BrokerID: cfg.BrokerID,
		HAServerAddr:       net.JoinHostPort(remoting.BareHost(cfg.BrokerIP2), strconv.Itoa(int(cfg.HAListenPort))),
		EnableActingMaster: &acting,
		Compressed:         cfg.CompressedRegister,
		BodyCRC32:          protocol.BodyCRC32(body),
	})
	req.Body = body
	resp, err := b.client.Call(ctx, ns.addr, req)
	if err != nil {
		return err
	}
	if resp.Code != protocol.Success {
		return fmt.Errorf("answered with code %d: %s", resp.Code, resp.Remark)
	}
	return b.takeOrderTopics(resp.Body)
}

// registerBody is all topics as this broker may serve them: its own permission masks theirs.
func (b *Broker) registerBody(cfg *Config) *protocol.RegisterBrokerBody {
	topics, version := b.topics.All()
	const both = protocol.PermRead | protocol.PermWrite
	if cfg.BrokerPermission&both != both {
		for name, topic := range topics {
			masked := *topic
			masked.Perm &= cfg.BrokerPermission
			topics[name] = &masked
		}
	}
	return &protocol.RegisterBrokerBody{
		FilterServerList: []string{},
		TopicConfigSerializeWrapper: protocol.TopicConfigTable{
			DataVersion:                version,
			MappingDataVersion:         protocol.DataVersion{TimestampMs: b.bootMs},
			TopicConfigTable:           topics,
			TopicQueueMappingDetailMap: noMappings,
			TopicQueueMappingInfoMap:   noMappings,
		},
	}
}

// takeOrderTopics marks the topics as ordered for which the name server has an order. Like Java it
// never takes the mark away.
func (b *Broker) takeOrderTopics(body []byte) error {
	if len(body) == 0 {
		return nil
	}
	var order protocol.KVTable
	if err := fastjson.Unmarshal(body, &order); err != nil {
		return fmt.Errorf("answer cannot be read: %w", err)
	}
	var marked []*protocol.TopicConfig
	for name := range order.Table {
		if topic, ok := b.topics.Get(name); ok && !topic.Order {
			ordered := *topic
			ordered.Order = true
			marked = append(marked, &ordered)
		}
	}
	return b.topics.PutAll(marked)
}

func (b *Broker) unregister(ctx context.Context, ns *nameServer) {
	cfg := b.cfg.Load()
	ctx, cancel := clockwork.WithTimeout(ctx, b.clock, unregisterTimeout)
	defer cancel()
	req := protocol.NewRequest(protocol.UnregisterBroker, &protocol.UnregisterBrokerHeader{
		BrokerName: cfg.BrokerName, BrokerAddr: b.serveAddr(), ClusterName: cfg.BrokerClusterName, BrokerID: cfg.BrokerID,
	})
	if _, err := b.client.Call(ctx, ns.addr, req); err != nil {
		b.log.Warn().Err(err).Str("namesrv", ns.addr).Msg("unregistration failed, the name server will notice by itself")
	}
}
