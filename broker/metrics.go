// SPDX-License-Identifier: Apache-2.0

// metrics.go: what a broker shows to Prometheus, beside its store. Everything
// is read when it is asked for; counting costs nothing more than stats does.

package broker

import (
	"github.com/prometheus/client_golang/prometheus"

	"rocketd/broker/stats"
	"rocketd/remoting"
)

// metrics are registered while the broker runs.
type metrics struct {
	registry   prometheus.Registerer
	collectors []prometheus.Collector
}

func (b *Broker) newMetrics(registry prometheus.Registerer) *metrics {
	m := &metrics{registry: registry}
	meter := func(name, help string, count *stats.Meter) {
		m.collectors = append(m.collectors, prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help},
			func() float64 { return float64(count.Total()) }))
	}
	meter("rocketd_messages_in_total", "Messages stored for clients.", b.stats.PutMessages)
	meter("rocketd_messages_in_bytes_total", "Bytes of records stored for clients.", b.stats.PutBytes)
	meter("rocketd_messages_in_failed_total", "Messages that could not be stored.", b.stats.PutFailed)
	meter("rocketd_messages_out_total", "Messages handed to consumers.", b.stats.GetMessages)
	meter("rocketd_messages_out_bytes_total", "Bytes of records handed to consumers.", b.stats.GetBytes)
	meter("rocketd_pulls_found_total", "Pulls that found messages.", b.stats.GetFound)
	meter("rocketd_pulls_missed_total", "Pulls that found none.", b.stats.GetMiss)
	gauge := func(name, help string, value func() float64) {
		m.collectors = append(m.collectors, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	gauge("rocketd_parked_requests", "Requests that wait for a message.", func() float64 { return float64(b.parked.Len()) })
	gauge("rocketd_timer_messages", "Messages that wait for a time of their own.", func() float64 { return float64(b.timerState().Waiting) })
	gauge("rocketd_timer_late_seconds", "How late such messages are delivered.", func() float64 { return b.timerState().Late.Seconds() })
	return m
}

// registerMetrics adds the server's own figures: connections, requests, lanes, panics.
func (b *Broker) registerMetrics(server *remoting.Server) {
	b.metrics.collectors = append(b.metrics.collectors, server)
	for _, c := range b.metrics.collectors {
		if err := b.metrics.registry.Register(c); err != nil {
			b.log.Warn().Err(err).Msg("a metric of the broker is not registered")
		}
	}
}

func (m *metrics) unregister() {
	for _, c := range m.collectors {
		m.registry.Unregister(c)
	}
}
