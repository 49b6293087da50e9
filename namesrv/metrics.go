// SPDX-License-Identifier: Apache-2.0

// metrics.go: what a NameServer counts.

package namesrv

import "github.com/prometheus/client_golang/prometheus"

// registerMetrics makes the registry's sizes visible. A nil registerer means that nobody looks.
func registerMetrics(reg prometheus.Registerer, r *registry) error {
	if reg == nil {
		return nil
	}
	for _, gauge := range []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "rocketd_namesrv_brokers", Help: "Broker processes that are registered and alive.",
		}, func() float64 { brokers, _ := r.sizes(); return float64(brokers) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "rocketd_namesrv_topics", Help: "Topics that have a route.",
		}, func() float64 { _, topics := r.sizes(); return float64(topics) }),
	} {
		if err := reg.Register(gauge); err != nil {
			return err
		}
	}
	return nil
}
