// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"time"

	"rocketd/cmd/mqtools/bench"
	"rocketd/internal/yardstick/rounds"
)

const (
	oursName  = "ours"
	javaName  = "Java"
	floorName = "floor"
)

// figure is a row of the table.
type figure struct {
	name string
	of   func(*bench.Result) float64
}

var figures = []figure{
	{"messages/s", func(r *bench.Result) float64 { return r.PerSecond }},
	{"server CPU us a message", func(r *bench.Result) float64 { return r.CPUMicros }},
	{"server CPU %", func(r *bench.Result) float64 { return r.CPUPercent }},
	{"p50 ms", func(r *bench.Result) float64 { return r.P50Ms }},
	{"p99 ms", func(r *bench.Result) float64 { return r.P99Ms }},
	{"p99.9 ms", func(r *bench.Result) float64 { return r.P999Ms }},
	{"max ms", func(r *bench.Result) float64 { return r.MaxMs }},
	{"RSS MB", func(r *bench.Result) float64 { return r.RSSMB }},
	{"RSS without mapped files, MB", func(r *bench.Result) float64 { return r.RSSAnonMB }},
	{"errors", func(r *bench.Result) float64 { return float64(r.Errors) }},
}

type table struct {
	loads   []string // in the order of their first result
	results map[string]map[string][]*bench.Result
}

func newTable() *table { return &table{results: map[string]map[string][]*bench.Result{}} }

func (t *table) add(load, side string, r *bench.Result) {
	if t.results[load] == nil {
		t.loads = append(t.loads, load)
		t.results[load] = map[string][]*bench.Result{}
	}
	t.results[load][side] = append(t.results[load][side], r)
}

// markdown prints medians with the spread, and the ratios of the medians.
func (t *table) markdown(count int, warmUp time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Medians of %d rounds (least to greatest in brackets); Java with 4 GiB of heap after %v of load.\n", count, warmUp)
	for _, load := range t.loads {
		fmt.Fprintf(&b, "\n**%s**\n\n| | ours | Java 5.5.0 | floor | ours / Java | ours / floor |\n|---|---|---|---|---|---|\n", load)
		for _, f := range figures {
			ours, java, floor := t.values(load, oursName, f), t.values(load, javaName, f), t.values(load, floorName, f)
			if ours.Median() == 0 && java.Median() == 0 {
				continue
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", f.name, ours.Spread(), java.Spread(), floor.Spread(),
				rounds.Ratio(ours.Median(), java.Median()), rounds.Ratio(ours.Median(), floor.Median()))
		}
	}
	return b.String()
}

func (t *table) values(load, side string, f figure) (values rounds.Values) {
	for _, r := range t.results[load][side] {
		values = append(values, f.of(r))
	}
	return values
}
