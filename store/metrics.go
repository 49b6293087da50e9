// SPDX-License-Identifier: Apache-2.0

// Numbers for operators. Counters are read when they are scraped; the hot path
// only adds to atomics.

package store

import "github.com/prometheus/client_golang/prometheus"

// Stats is what the runtime information of a broker shows of its store.
type Stats struct {
	StartMs, EarliestStoreMs int64
	PutCount, PutBytes       int64
	GetFound, GetMiss        int64
	GetMessages              int64
	CommitLogUsedRatio       float64
}

// Stats returns the counters since Open.
func (s *Store) Stats() Stats {
	st := Stats{
		StartMs: s.startMs, EarliestStoreMs: s.EarliestStoreTime(),
		PutCount: s.puts.count.Load(), PutBytes: s.puts.bytes.Load(),
		GetFound: s.gets.found.Load(), GetMiss: s.gets.miss.Load(), GetMessages: s.gets.messages.Load(),
	}
	if usage, _, err := s.log.paths.usage(s.deps.FS); err == nil {
		st.CommitLogUsedRatio = usage.UsedRatio()
	}
	return st
}

func (s *Store) metrics() []prometheus.Collector {
	counter := func(name, help string, read func() int64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(read()) })
	}
	gauge := func(name, help string, read func() int64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(read()) })
	}
	return []prometheus.Collector{
		counter("rocketd_store_put_messages_total", "Messages appended.", s.puts.count.Load),
		counter("rocketd_store_put_bytes_total", "Bytes of records appended.", s.puts.bytes.Load),
		counter("rocketd_store_get_found_total", "Reads that found messages.", s.gets.found.Load),
		counter("rocketd_store_get_miss_total", "Reads that found none.", s.gets.miss.Load),
		counter("rocketd_store_get_messages_total", "Messages read.", s.gets.messages.Load),
		gauge("rocketd_store_min_offset_bytes", "Begin of the commit log.", s.log.minOffset),
		counter("rocketd_store_deleted_files_total", "Commit-log files deleted for their age or for room.", s.deletedFiles.Load),
		gauge("rocketd_store_appended_offset_bytes", "End of the commit log.", s.log.appended.Load),
		gauge("rocketd_store_flushed_offset_bytes", "End of the durable part of the commit log.", s.log.flushed.Load),
		gauge("rocketd_store_dispatch_behind_bytes", "Log not yet in queue files and index.", s.DispatchBehind),
		gauge("rocketd_store_tail_units", "Queue units only in memory.", s.pending.Load),
	}
}

func (s *Store) register(r prometheus.Registerer) {
	if r == nil {
		return
	}
	s.collectors = s.metrics()
	for _, c := range s.collectors {
		if err := r.Register(c); err != nil {
			s.deps.Log.Warn().Err(err).Msg("a metric of the store is not registered")
		}
	}
}

func (s *Store) unregister(r prometheus.Registerer) {
	for _, c := range s.collectors {
		r.Unregister(c)
	}
}
