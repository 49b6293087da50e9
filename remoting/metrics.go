// SPDX-License-Identifier: Apache-2.0

// metrics.go: what server, client, mux and lanes count, for prometheus. Everything is counted where it happens with
// atomic integers; the collector reads them when asked.
package remoting

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// counts are the events of all connections of one server or client.
type counts struct {
	opened     atomic.Uint64
	closed     atomic.Uint64
	turnedAway atomic.Uint64 // over the connection limit
	refused    atomic.Uint64 // closed for a bad frame or a foreign protocol
	expired    atomic.Uint64 // closed as idle, slow or stuck
	stalls     atomic.Uint64 // the reader had to wait for room
	unmatched  atomic.Uint64 // responses that nobody waited for
}

var (
	connectionsDesc = describe("connections", "Connections that are open.")
	openedDesc      = describe("connections_opened_total", "Connections accepted.")
	turnedAwayDesc  = describe("connections_turned_away_total", "Connections closed because there were too many.")
	refusedDesc     = describe("bad_frames_total", "Connections closed for a frame that cannot be served.")
	expiredDesc     = describe("connections_expired_total", "Connections closed as idle, slow or stuck.")
	stallsDesc      = describe("read_stalls_total", "Times that a connection was not read because too much waited for it.")
	requestsDesc    = describe("requests_total", "Requests served.", "code", "request")
	unknownDesc     = describe("requests_unknown_total", "Requests with a code that is not served.")
	failuresDesc    = describe("request_failures_total", "Requests that failed unexpectedly.")
	panicsDesc      = describe("handler_panics_total", "Handlers that panicked.")
	busyDesc        = describe("lane_busy", "Requests in work.", "lane")
	overloadDesc    = describe("lane_refused_total", "Requests refused because their lane was full.", "lane")
)

func describe(name, what string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("rocketd_remoting_"+name, what, labels, nil)
}

// Describe makes the server a prometheus.Collector, with the figures of its mux and lanes.
func (s *Server) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		connectionsDesc, openedDesc, turnedAwayDesc, refusedDesc, expiredDesc, stallsDesc,
		requestsDesc, unknownDesc, failuresDesc, panicsDesc, busyDesc, overloadDesc,
	} {
		out <- d
	}
}

// Collect reads the counters.
func (s *Server) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	count := func(d *prometheus.Desc, v *atomic.Uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v.Load()), labels...)
	}
	gauge(connectionsDesc, float64(s.open.Load()))
	count(openedDesc, &s.counts.opened)
	count(turnedAwayDesc, &s.counts.turnedAway)
	count(refusedDesc, &s.counts.refused)
	count(expiredDesc, &s.counts.expired)
	count(stallsDesc, &s.counts.stalls)
	count(unknownDesc, &s.mux.unknown)
	count(failuresDesc, &s.mux.failures)
	count(panicsDesc, &s.mux.panics)
	lanes := make(map[string]*Lane)
	for _, code := range s.mux.Codes() {
		r := s.mux.lookup(code)
		count(requestsDesc, &r.served, r.label, r.name)
		lanes[r.lane.name] = r.lane
	}
	for name, l := range lanes {
		gauge(busyDesc, float64(l.Busy()), name)
		count(overloadDesc, &l.refused, name)
	}
}
