// SPDX-License-Identifier: Apache-2.0

// Command storebench measures the store against the least that its work can cost, the sides taking turns in each round:
// appends against a write to one file, waiting for the disk against a bare sync, and sends while tables are saved or a
// cold log is read against sends alone. It writes its table into docs/benchmarks.md. `make bench-store` builds everything
// and runs it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"rocketd/internal/yardstick/rounds"
)

var (
	bin      = flag.String("bin", "build", "folder with mqtools, dropcache and floor")
	count    = flag.Int("rounds", 4, "rounds that count")
	only     = flag.String("only", "", "parts to run, with commas between: append, sync, offsets, cold; empty: all")
	appends  = flag.Int("n", 300_000, "messages of a round of append")
	syncs    = flag.Int("syncs", 2000, "messages of a round of sync with one waiter; 20 times as many with 128")
	pace     = flag.Int("rate", 5000, "sends a second while tables are saved and while the log is read")
	sendFor  = flag.Duration("send", 5*time.Second, "how long a round sends while tables are saved")
	coldMiB  = flag.Int("cold", 4096, "MiB of message bodies to read cold")
	doc      = flag.String("doc", "docs/benchmarks.md", "file that the table goes into; empty: only print it")
	profiles = flag.String("cpuprofile", "", "file for a profile of append and sync, which run in this process")
)

// row is a line of the table: one figure of ours and of what it is held against.
type row struct {
	name, unit  string
	goal        string
	ours, floor rounds.Values
}

func (r *row) add(ours, floor float64) {
	r.ours, r.floor = append(r.ours, ours), append(r.floor, floor)
}

// part measures some rows; dir is an empty folder of its own.
type part struct {
	name string
	run  func(dir string) ([]*row, error)
}

var parts = []part{{"append", measureAppend}, {"sync", measureSync}, {"offsets", measureOffsets}, {"cold", measureCold}}

func main() {
	flag.Parse()
	stop, err := profile(*profiles)
	if err == nil {
		err = errors.Join(run(), stop())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "storebench:", err)
		os.Exit(1)
	}
}

func run() error {
	var rows []*row
	for _, p := range parts {
		if *only != "" && !strings.Contains(","+*only+",", ","+p.name+",") {
			continue
		}
		began := time.Now()
		dir, err := os.MkdirTemp("", "storebench")
		if err != nil {
			return err
		}
		found, err := p.run(dir)
		if err = errors.Join(err, os.RemoveAll(dir)); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		rows = append(rows, found...)
		fmt.Printf("%s: %.0f s\n", p.name, time.Since(began).Seconds())
	}
	text := table(rows)
	fmt.Print(text)
	if *doc == "" || *only != "" {
		return nil
	}
	return rounds.Insert(*doc, "bench-store", text)
}

func table(rows []*row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Medians of %d rounds (least to greatest in brackets), ratio of the medians.\n\n", *count)
	fmt.Fprintf(&b, "| | ours | floor | ours / floor | goal |\n|---|---|---|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s, %s | %s | %s | %s | %s |\n", r.name, r.unit, r.ours.Spread(), r.floor.Spread(),
			rounds.Ratio(r.ours.Median(), r.floor.Median()), r.goal)
	}
	return b.String()
}
