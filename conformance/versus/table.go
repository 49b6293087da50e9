// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"rocketd/cmd/mqtools/bench"
)

const (
	oursName  = "ours"
	javaName  = "Java"
	floorName = "floor"

	beginMark = "<!-- made by make bench-vs-java: begin -->"
	endMark   = "<!-- made by make bench-vs-java: end -->"
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
func (t *table) markdown(rounds int, warmUp time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Medians of %d rounds (least to greatest in brackets); Java with 4 GiB of heap after %v of load.\n", rounds, warmUp)
	for _, load := range t.loads {
		fmt.Fprintf(&b, "\n**%s**\n\n| | ours | Java 5.5.0 | floor | ours / Java | ours / floor |\n|---|---|---|---|---|---|\n", load)
		for _, f := range figures {
			ours, java, floor := t.values(load, oursName, f), t.values(load, javaName, f), t.values(load, floorName, f)
			if median(ours) == 0 && median(java) == 0 {
				continue
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", f.name, spread(ours), spread(java), spread(floor),
				ratio(median(ours), median(java)), ratio(median(ours), median(floor)))
		}
	}
	return b.String()
}

func (t *table) values(load, side string, f figure) (values []float64) {
	for _, r := range t.results[load][side] {
		values = append(values, f.of(r))
	}
	slices.Sort(values)
	return values
}

func median(sorted []float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

func spread(sorted []float64) string {
	if len(sorted) == 0 {
		return ""
	}
	return fmt.Sprintf("%s (%s to %s)", number(median(sorted)), number(sorted[0]), number(sorted[len(sorted)-1]))
}

func number(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func ratio(a, b float64) string {
	if b == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", a/b)
}

// insert replaces what stands between the marks of a document.
func insert(file, text string) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, begun := strings.Cut(string(old), beginMark)
	_, after, ended := strings.Cut(rest, endMark)
	if !begun || !ended {
		return fmt.Errorf("%s has no place for the table: %s and %s", file, beginMark, endMark)
	}
	return os.WriteFile(file, []byte(before+beginMark+"\n\n"+text+"\n"+endMark+after), 0o644)
}
