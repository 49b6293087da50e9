// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// meter counts what several goroutines do. Each takes a tally of its own.
type meter struct {
	pid    int
	before usage
	start  time.Time

	mu    sync.Mutex
	total tally
}

// tally is one goroutine's share: messages, bytes, errors, latencies in microseconds.
type tally struct {
	messages, bytes, errors int64
	latency                 *hdrhistogram.Histogram
}

// maxLatency is the longest that is told from longer ones.
const maxLatency = 10 * time.Minute

func newTally() *tally {
	return &tally{latency: hdrhistogram.New(1, maxLatency.Microseconds(), 3)}
}

func (t *tally) took(d time.Duration) {
	_ = t.latency.RecordValue(min(max(d.Microseconds(), 1), maxLatency.Microseconds())) // it is in range
}

func newMeter(pid int) *meter {
	return &meter{pid: pid, before: usageOf(pid), start: time.Now(), total: *newTally()}
}

func (m *meter) add(t *tally) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.total.messages += t.messages
	m.total.bytes += t.bytes
	m.total.errors += t.errors
	m.total.latency.Merge(t.latency)
}

func (m *meter) result(load string) *Result {
	elapsed, after := time.Since(m.start), usageOf(m.pid)
	ms := func(q float64) float64 { return float64(m.total.latency.ValueAtQuantile(q)) / 1000 }
	r := &Result{
		Load: load, Messages: m.total.messages, Errors: m.total.errors, Seconds: elapsed.Seconds(),
		PerSecond: float64(m.total.messages) / elapsed.Seconds(), MBPerSecond: float64(m.total.bytes) / elapsed.Seconds() / 1e6,
		P50Ms: ms(50), P99Ms: ms(99), P999Ms: ms(99.9), MaxMs: float64(m.total.latency.Max()) / 1000,
		CPUPercent: 100 * (after.cpu - m.before.cpu).Seconds() / elapsed.Seconds(),
		RSSMB:      float64(after.rss) / 1e6, RSSAnonMB: float64(after.anon) / 1e6,
	}
	if r.Messages > 0 {
		r.CPUMicros = float64((after.cpu - m.before.cpu).Microseconds()) / float64(r.Messages)
	}
	return r
}

// usage is what a process has spent so far, and the memory that it holds.
type usage struct {
	cpu       time.Duration
	rss, anon int64
}

// ticksPerSecond is the unit of processor time in /proc, the same on every Linux.
const ticksPerSecond = 100

// usageOf reads /proc; all zero where there is none, and for pid 0.
func usageOf(pid int) (u usage) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return usage{}
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	const userTicks, systemTicks = 11, 12
	if len(fields) <= systemTicks {
		return usage{}
	}
	for _, i := range []int{userTicks, systemTicks} {
		ticks, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return usage{}
		}
		u.cpu += time.Duration(ticks) * time.Second / ticksPerSecond
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return usage{}
	}
	u.rss, u.anon = kilobytes(string(status), "VmRSS:"), kilobytes(string(status), "RssAnon:")
	return u
}

func kilobytes(status, name string) int64 {
	_, rest, ok := strings.Cut(status, name)
	if !ok {
		return 0
	}
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	n, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return 0
	}
	return n << 10
}
