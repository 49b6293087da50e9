// SPDX-License-Identifier: Apache-2.0

// registry.go: who serves what. Java: RouteInfoManager's tables.
// One lock guards all maps; it is a leaf: nothing outside this package is called while it is held.

package namesrv

import (
	"maps"
	"slices"
	"sync"

	"rocketd/protocol"
	"rocketd/remoting"
)

const (
	masterID        = 0
	defaultExpiryMs = 120_000 // of a broker that names no heartbeatTimeoutMillis
)

// endpoint identifies one broker process.
type endpoint struct{ cluster, addr string }

// liveBroker is a broker process that has registered and not fallen silent.
type liveBroker struct {
	name     string
	id       int64
	lastMs   int64 // of the last registration or heartbeat
	expiryMs int64
	version  protocol.DataVersion
	haAddr   string
	peer     remoting.Peer // the connection it registered over; its end unregisters the broker
}

// brokerGroup is a master and its slaves: one broker name.
type brokerGroup struct {
	cluster      string
	addrs        map[int64]string // by broker id
	actingMaster bool
	zone         string
}

func (g *brokerGroup) minID() int64 {
	lowest, found := int64(0), false
	for id := range g.addrs {
		if !found || id < lowest {
			lowest, found = id, true
		}
	}
	return lowest
}

// registry is the routing state. Values reachable from its maps are replaced, never changed, except under mu.
type registry struct {
	mu       sync.RWMutex
	topics   map[string]map[string]protocol.QueueData // topic, broker name
	brokers  map[string]*brokerGroup                  // broker name
	clusters map[string]map[string]struct{}           // cluster, broker name
	live     map[endpoint]*liveBroker
	filters  map[endpoint][]string                             // filter servers, which only old brokers announce
	pairs    int                                               // entries of all inner maps of topics
	mappings map[string]map[string]*protocol.TopicQueueMapping // of static topics: topic, broker name
	mapped   int                                               // queues in all mappings
}

func newRegistry() *registry {
	return &registry{
		topics:   map[string]map[string]protocol.QueueData{},
		brokers:  map[string]*brokerGroup{},
		clusters: map[string]map[string]struct{}{},
		live:     map[endpoint]*liveBroker{},
		filters:  map[endpoint][]string{},
		mappings: map[string]map[string]*protocol.TopicQueueMapping{},
	}
}

// setQueues stores what one broker name serves of a topic. The caller holds mu.
func (r *registry) setQueues(topic string, q protocol.QueueData) {
	byBroker := r.topics[topic]
	if byBroker == nil {
		byBroker = map[string]protocol.QueueData{}
		r.topics[topic] = byBroker
	}
	if _, known := byBroker[q.BrokerName]; !known {
		r.pairs++
	}
	byBroker[q.BrokerName] = q
}

// dropQueues forgets what one broker name serves of a topic. The caller holds mu.
func (r *registry) dropQueues(topic, brokerName string) {
	r.dropMapping(topic, brokerName)
	byBroker := r.topics[topic]
	if _, known := byBroker[brokerName]; known {
		delete(byBroker, brokerName)
		r.pairs--
	}
	if byBroker != nil && len(byBroker) == 0 {
		delete(r.topics, topic)
	}
}

// remove forgets one broker process and, with the last of its broker name, the name's topics.
func (r *registry) remove(at endpoint, brokerName string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.removeLocked(at, brokerName)
}

func (r *registry) removeLocked(at endpoint, brokerName string) {
	delete(r.live, at)
	delete(r.filters, at)
	g := r.brokers[brokerName]
	if g == nil {
		return
	}
	maps.DeleteFunc(g.addrs, func(_ int64, addr string) bool { return addr == at.addr })
	if len(g.addrs) > 0 {
		if g.actingMaster && g.minID() > masterID {
			r.makeReadOnly(brokerName)
		}
		return
	}
	delete(r.brokers, brokerName)
	// Its members may have named different clusters.
	for cluster, names := range r.clusters {
		delete(names, brokerName)
		if len(names) == 0 {
			delete(r.clusters, cluster)
		}
	}
	for topic := range r.topics {
		r.dropQueues(topic, brokerName)
	}
}

// makeReadOnly takes the write permission from all topics of a broker name that lost its master while slaves may
// act for it. The caller holds mu.
func (r *registry) makeReadOnly(brokerName string) {
	for _, byBroker := range r.topics {
		if q, ok := byBroker[brokerName]; ok {
			q.Perm &^= protocol.PermWrite
			byBroker[brokerName] = q
		}
	}
}

// dropPeer forgets the brokers that registered over a connection that has ended.
func (r *registry) dropPeer(peer remoting.Peer) []endpoint {
	r.mu.Lock()
	defer r.mu.Unlock()
	var gone []endpoint
	for at, b := range r.live {
		if b.peer != nil && b.peer.ID() == peer.ID() {
			gone = append(gone, at)
		}
	}
	for _, at := range gone {
		r.removeLocked(at, r.live[at].name)
	}
	return gone
}

// expired is a broker that fell silent.
type expired struct {
	endpoint
	silentMs int64
	peer     remoting.Peer
}

// expire forgets the brokers whose time has run out at nowMs.
func (r *registry) expire(nowMs int64) []expired {
	r.mu.Lock()
	defer r.mu.Unlock()
	var gone []expired
	for at, b := range r.live {
		// A subtraction, because the timeout comes from the wire and a sum could overflow.
		if silent := nowMs - b.lastMs; silent > b.expiryMs {
			gone = append(gone, expired{at, silent, b.peer})
		}
	}
	for _, e := range gone {
		r.removeLocked(e.endpoint, r.live[e.endpoint].name)
	}
	return gone
}

// touch notes a sign of life.
func (r *registry) touch(at endpoint, nowMs int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b := r.live[at]; b != nil {
		b.lastMs = nowMs
	}
}

// version returns the data version that a broker last registered.
func (r *registry) version(at endpoint) (protocol.DataVersion, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if b := r.live[at]; b != nil {
		return b.version, true
	}
	return protocol.DataVersion{}, false
}

// sizes returns how many brokers and topics are known.
func (r *registry) sizes() (brokers, topics int) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.live), len(r.topics)
}

// brokerData returns a broker group in its wire form. The caller holds mu.
func (r *registry) brokerData(name string) protocol.BrokerData {
	g := r.brokers[name]
	return protocol.BrokerData{
		Cluster:            g.cluster,
		BrokerName:         name,
		BrokerAddrs:        maps.Clone(g.addrs),
		EnableActingMaster: g.actingMaster,
		ZoneName:           g.zone,
	}
}

// clusterInfo returns all clusters and their brokers.
func (r *registry) clusterInfo() *protocol.ClusterInfo {
	r.mu.RLock()
	defer r.mu.RUnlock()
	info := &protocol.ClusterInfo{
		BrokerAddrTable:  make(map[string]protocol.BrokerData, len(r.brokers)),
		ClusterAddrTable: make(map[string][]string, len(r.clusters)),
	}
	for name := range r.brokers {
		info.BrokerAddrTable[name] = r.brokerData(name)
	}
	for cluster, names := range r.clusters {
		info.ClusterAddrTable[cluster] = slices.Sorted(maps.Keys(names))
	}
	return info
}
