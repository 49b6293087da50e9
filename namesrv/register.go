// SPDX-License-Identifier: Apache-2.0

// register.go: REGISTER_BROKER(103), UNREGISTER_BROKER(104), QUERY_DATA_VERSION(322), BROKER_HEARTBEAT(904),
// GET_BROKER_MEMBER_GROUP(901). Sent by brokers. Java: DefaultRequestProcessor, RouteInfoManager.registerBroker.
// Outcomes: Success, also for a registration that is ignored because a newer one holds its id; SystemError for a
// checksum mismatch, an unreadable body, a broker id not yet known that announces exactly one topic, a name that
// cannot be routed, and a full registry.
// Deviations: a refused registration leaves no trace (Java keeps an empty broker name); topics with impossible names
// or queue numbers are left out; 104 has taken effect when it is answered (Java queues it).

package namesrv

import (
	"context"
	"maps"
	"strings"
	"unicode/utf8"

	"rocketd/compat/fastjson"
	"rocketd/protocol"
	"rocketd/remoting"
)

const (
	maxNameBytes     = 255
	maxQueueNums     = 1 << 16 // a client makes an object of each queue of a route
	maxFilterServers = 64
)

// registration is what a broker says about itself.
type registration struct {
	endpoint
	name         string
	id           int64
	haAddr       string
	zone         string
	expiryMs     int64
	actingMaster *bool // nil: a broker that knows nothing of acting masters
	topics       map[string]*protocol.TopicConfig
	mappings     map[string]fastjson.Raw // of static topics
	version      protocol.DataVersion
	filters      []string // nil: not mentioned
	peer         remoting.Peer
	nowMs        int64
}

func (s *Server) registerBroker(_ context.Context, c *remoting.Call, h *protocol.RegisterBrokerHeader) (*protocol.RegisterBrokerResult, error) {
	answer := &protocol.RegisterBrokerResult{}
	reg, err := decodeRegistration(c.Request(), h)
	if err != nil {
		return answer, err
	}
	reg.peer, reg.nowMs = c.Peer(), s.nowMs()
	cfg := s.config()
	outcome, err := s.registry.register(reg, cfg)
	if err != nil {
		s.log.Warn().Str("broker", reg.name).Str("addr", reg.addr).Int64("id", reg.id).Err(err).Msg("registration refused")
		return answer, err
	}
	s.logRegistration(reg, outcome)
	if outcome.masterAddr != "" {
		answer.MasterAddr, answer.HAServerAddr = &outcome.masterAddr, &outcome.masterHAAddr
	}
	if cfg.ReturnOrderTopicConfigToBroker {
		if order := s.kv.list(protocol.NamespaceOrderTopic); order != nil {
			return answer, setJSON(c, protocol.KVTable{Table: order})
		}
	}
	return answer, nil
}

func (s *Server) logRegistration(reg *registration, o registered) {
	switch {
	case o.stale:
		s.log.Warn().Str("broker", reg.name).Str("addr", reg.addr).Int64("id", reg.id).Int64("stateVersion", reg.version.StateVersion).
			Msg("registration ignored: another address holds the id with a newer state version")
	case o.first:
		s.log.Info().Str("cluster", reg.cluster).Str("broker", reg.name).Str("addr", reg.addr).Int64("id", reg.id).
			Int("topics", len(reg.topics)).Msg("broker registered")
	}
	if o.skipped > 0 {
		s.log.Warn().Str("broker", reg.name).Str("addr", reg.addr).Int("topics", o.skipped).Msg("topics with impossible names or queue numbers left out")
	}
}

// decodeRegistration reads a 103 in any of its body forms.
func decodeRegistration(cmd *protocol.Command, h *protocol.RegisterBrokerHeader) (*registration, error) {
	if h.BodyCRC32 != 0 && protocol.BodyCRC32(cmd.Body) != h.BodyCRC32 {
		return nil, protocol.Errorf(protocol.SystemError, "crc32 not match")
	}
	zone, _ := cmd.Field(protocol.ExtZoneName)
	reg := &registration{
		endpoint:     endpoint{h.ClusterName, h.BrokerAddr},
		name:         h.BrokerName,
		id:           h.BrokerID,
		haAddr:       h.HAServerAddr,
		zone:         zone,
		expiryMs:     defaultExpiryMs,
		actingMaster: h.EnableActingMaster,
	}
	if h.HeartbeatTimeoutMs != nil {
		reg.expiryMs = *h.HeartbeatTimeoutMs
	}
	for _, name := range []string{reg.cluster, reg.addr, reg.name} {
		if !validName(name) {
			return nil, protocol.Errorf(protocol.SystemError, "register broker failed: %q is not a name", clip(name))
		}
	}
	for _, name := range []string{reg.haAddr, reg.zone} {
		if name != "" && !validName(name) {
			return nil, protocol.Errorf(protocol.SystemError, "register broker failed: %q is not a name", clip(name))
		}
	}
	if len(cmd.Body) == 0 {
		return reg, nil
	}
	body, err := protocol.DecodeRegisterBrokerBody(cmd.Body, h.Compressed, cmd.Version)
	if err != nil {
		return nil, protocol.Errorf(protocol.SystemError, "Failed to decode RegisterBrokerBody: %v", err)
	}
	reg.topics = body.TopicConfigSerializeWrapper.TopicConfigTable
	reg.version = body.TopicConfigSerializeWrapper.DataVersion
	reg.mappings = body.TopicConfigSerializeWrapper.TopicQueueMappingInfoMap
	reg.filters = body.FilterServerList
	return reg, nil
}

// clip shortens a text from the wire for a message.
func clip(text string) string { return text[:min(len(text), 64)] }

// validName reports whether a name from the wire may appear in routes: some clients cut those by hand at quotes,
// braces and commas.
func validName(name string) bool {
	if name == "" || len(name) > maxNameBytes {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return r < ' ' || r == 0x7f || r == utf8.RuneError || strings.ContainsRune(`"'\{},;`, r)
	})
}

// validTopic is wider than what brokers allow their clients, because brokers make topics of host and cluster names.
func validTopic(name string) bool { return validName(name) && !strings.Contains(name, "/") }

// registered says what came of a registration.
type registered struct {
	first        bool // the broker was not known under this id and address
	stale        bool
	skipped      int
	masterAddr   string // told to slaves
	masterHAAddr string
}

// register stores what a broker announces.
func (r *registry) register(reg *registration, cfg *Config) (registered, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.brokers[reg.name]
	if g == nil {
		g = &brokerGroup{cluster: reg.cluster, addrs: map[int64]string{}}
	}
	if r.holdsNewer(reg, g) {
		delete(r.live, reg.endpoint)
		return registered{stale: true}, nil
	}
	if _, known := g.addrs[reg.id]; !known && len(reg.topics) == 1 {
		// An incremental registration came before the full one: the broker repeats the full one soon.
		return registered{}, protocol.Errorf(protocol.SystemError, "register broker failed")
	}
	if r.live[reg.endpoint] == nil && len(r.live) >= int(cfg.MaxRegisteredBrokers) {
		return registered{}, protocol.Errorf(protocol.SystemError, "register broker failed: maxRegisteredBrokers %d reached", cfg.MaxRegisteredBrokers)
	}

	if r.clusters[reg.cluster] == nil {
		r.clusters[reg.cluster] = map[string]struct{}{}
	}
	r.clusters[reg.cluster][reg.name] = struct{}{}
	r.brokers[reg.name] = g
	g.actingMaster = reg.actingMaster != nil && *reg.actingMaster
	g.zone = reg.zone
	// A slave that becomes master keeps its address and changes its id.
	maps.DeleteFunc(g.addrs, func(id int64, addr string) bool { return addr == reg.addr && id != reg.id })
	_, idKnown := g.addrs[reg.id]
	g.addrs[reg.id] = reg.addr

	out := registered{first: r.live[reg.endpoint] == nil}
	master := reg.id == masterID
	primeSlave := !master && reg.actingMaster != nil && reg.id == g.minID()
	if master || primeSlave {
		out.skipped = r.takeTopics(reg, cfg, !idKnown, primeSlave && g.actingMaster)
	}
	r.live[reg.endpoint] = &liveBroker{
		name: reg.name, id: reg.id, lastMs: reg.nowMs, expiryMs: reg.expiryMs,
		version: reg.version, haAddr: reg.haAddr, peer: reg.peer,
	}
	r.takeFilters(reg)
	if !master {
		if addr, ok := g.addrs[masterID]; ok {
			if m := r.live[endpoint{reg.cluster, addr}]; m != nil {
				out.masterAddr, out.masterHAAddr = addr, m.haAddr
			}
		}
	}
	return out, nil
}

// holdsNewer reports whether another address registered the same broker id with a higher state version: then the new
// one is a left-over of a past election.
func (r *registry) holdsNewer(reg *registration, g *brokerGroup) bool {
	old := g.addrs[reg.id]
	if old == "" || old == reg.addr {
		return false
	}
	holder := r.live[endpoint{reg.cluster, old}]
	return holder != nil && holder.version.StateVersion > reg.version.StateVersion
}

// takeTopics stores the topics that changed since the broker's last registration, and returns how many it left out.
// An unchanged data version keeps what is there, also permissions that an operator has wiped.
func (r *registry) takeTopics(reg *registration, cfg *Config, newID, readOnly bool) (skipped int) {
	if cfg.DeleteTopicWithBrokerRegistration && len(reg.mappings) == 0 {
		for topic, byBroker := range r.topics {
			if _, serves := byBroker[reg.name]; serves && reg.topics[topic] == nil {
				r.dropQueues(topic, reg.name)
			}
		}
	}
	before := r.live[reg.endpoint]
	changed := newID || before == nil || before.version != reg.version
	for _, topic := range reg.topics {
		if topic == nil || !validTopic(topic.TopicName) || !validQueueNums(topic.ReadQueueNums, topic.WriteQueueNums) {
			skipped++
			continue
		}
		_, known := r.topics[topic.TopicName][reg.name]
		if known && !changed {
			continue
		}
		if !known && r.pairs >= int(cfg.MaxRegisteredTopics) {
			skipped++
			continue
		}
		perm := topic.Perm
		if readOnly {
			perm &^= protocol.PermWrite
		}
		r.setQueues(topic.TopicName, protocol.QueueData{
			BrokerName:    reg.name,
			ReadQueueNums: topic.ReadQueueNums, WriteQueueNums: topic.WriteQueueNums,
			Perm: perm, TopicSysFlag: topic.TopicSysFlag,
		})
	}
	if changed {
		skipped += r.takeMappings(reg)
	}
	return skipped
}

func validQueueNums(read, write int32) bool {
	return read >= 0 && read <= maxQueueNums && write >= 0 && write <= maxQueueNums
}

func (r *registry) takeFilters(reg *registration) {
	switch {
	case reg.filters == nil:
	case len(reg.filters) == 0:
		delete(r.filters, reg.endpoint)
	default:
		var servers []string
		for _, addr := range reg.filters[:min(len(reg.filters), maxFilterServers)] {
			if validName(addr) {
				servers = append(servers, addr)
			}
		}
		r.filters[reg.endpoint] = servers
	}
}

func (s *Server) unregisterBroker(_ context.Context, _ *remoting.Call, h *protocol.UnregisterBrokerHeader) (*protocol.Empty, error) {
	s.registry.remove(endpoint{h.ClusterName, h.BrokerAddr}, h.BrokerName)
	s.log.Info().Str("cluster", h.ClusterName).Str("broker", h.BrokerName).Str("addr", h.BrokerAddr).Int64("id", h.BrokerID).Msg("broker unregistered")
	return nil, nil
}

func (s *Server) queryDataVersion(_ context.Context, c *remoting.Call, h *protocol.QueryDataVersionHeader) (*protocol.QueryDataVersionResult, error) {
	at := endpoint{h.ClusterName, h.BrokerAddr}
	var theirs protocol.DataVersion
	sent := len(c.Request().Body) > 0
	if sent {
		if err := fastjson.Unmarshal(c.Request().Body, &theirs); err != nil {
			return &protocol.QueryDataVersionResult{}, protocol.Errorf(protocol.SystemError, "decode DataVersion: %v", err)
		}
	}
	ours, known := s.registry.version(at)
	s.registry.touch(at, s.nowMs())
	if known {
		if err := setJSON(c, ours); err != nil {
			return nil, err
		}
	}
	return &protocol.QueryDataVersionResult{Changed: !known || !sent || ours != theirs}, nil
}

func (s *Server) heartbeat(_ context.Context, _ *remoting.Call, h *protocol.BrokerHeartbeatHeader) (*protocol.Empty, error) {
	s.registry.touch(endpoint{h.ClusterName, h.BrokerAddr}, s.nowMs())
	return nil, nil
}

func (s *Server) memberGroup(_ context.Context, c *remoting.Call, h *protocol.BrokerMemberGroupHeader) (*protocol.Empty, error) {
	group := &protocol.BrokerMemberGroup{Cluster: h.ClusterName, BrokerName: h.BrokerName, BrokerAddrs: map[int64]string{}}
	s.registry.mu.RLock()
	if g := s.registry.brokers[h.BrokerName]; g != nil {
		group.BrokerAddrs = maps.Clone(g.addrs)
	}
	s.registry.mu.RUnlock()
	c.Outcome(protocol.Success, "not set any response code") // Java's, which sets the code alone
	return nil, setJSON(c, protocol.BrokerMemberGroupBody{BrokerMemberGroup: group})
}
