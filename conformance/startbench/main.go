// SPDX-License-Identifier: Apache-2.0

// Command startbench measures how long a Broker takes from its start to the first send that it accepts, and to end, ours
// and Java 5.5.0 taking turns: with much in the log, and with many queues. Both have the same messages: Java gets a copy
// of the directory that ours made. It writes its table into docs/benchmarks.md. `make bench-start` builds everything and
// runs it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"rocketd/internal/yardstick/rounds"
)

var (
	bin      = flag.String("bin", "build", "folder with rocketd and mqtools")
	count    = flag.Int("rounds", 2, "rounds that count")
	only     = flag.String("only", "", "parts to run, with commas between: log, topics; empty: both")
	sizeMiB  = flag.Int("size", 2048, "log: MiB of message bodies")
	freshMiB = flag.Int("fresh", 128, "log: MiB of message bodies that are sent right before the kill")
	topics   = flag.Int("topics", 10_000, "topics: how many")
	queues   = flag.Int("queues", 8, "topics: queues of each")
	sends    = flag.Int("n", 150_000, "topics: messages of 1 KiB to send to all topics, and to one")
	withJava = flag.Bool("java", true, "measure Java, too")
	heap     = flag.String("heap", "4g", "Java's heap")
	dir      = flag.String("dir", "", "where the directories lie, which take three times the log; empty: the system's place for temporary files")
	doc      = flag.String("doc", "docs/benchmarks.md", "file that the table goes into; empty: only print it")
)

// bodyBytes is the size of a message.
const bodyBytes = 1024

// row is a line of the table: one figure of both sides.
type row struct{ ours, java rounds.Values }

// part is a directory with something in it, and how a round treats it.
type part struct {
	name  string
	title string
	fill  func(s *side) error
	fresh func(s *side) error // nil, or sends right before the kill
	goals map[string]string   // by the name of the row
	files int                 // of queues, all of which Java opens
}

// table is the rows of one part.
type table struct {
	part *part
	rows map[string]*row
	java bool  // it is measured
	left error // why it is not, where it could be wanted
}

func newTable(p *part) *table {
	t := &table{part: p, rows: map[string]*row{}, java: *withJava}
	if t.java && p.files > 0 {
		t.left = permitFiles(p.files)
		t.java = t.left == nil
	}
	return t
}

func (t *table) add(s *side, name string, value float64) {
	r := t.rows[name]
	if r == nil {
		r = &row{}
		t.rows[name] = r
	}
	if s.java {
		r.java = append(r.java, value)
	} else {
		r.ours = append(r.ours, value)
	}
}

func main() {
	flag.Parse()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "startbench:", err)
		os.Exit(1)
	}
}

var began = time.Now()

// tell says how far it is, and when.
func tell(format string, args ...any) {
	fmt.Printf("%4.0f s  "+format+"\n", append([]any{time.Since(began).Seconds()}, args...)...)
}

func chosen(part string) bool {
	return *only == "" || strings.Contains(","+*only+",", ","+part+",")
}

func run() error {
	var text strings.Builder
	fmt.Fprintf(&text, "Medians of %d rounds (least to greatest in brackets), ratio of the medians; Java with %s of heap.\n", *count, *heap)
	for _, p := range parts() {
		if !chosen(p.name) {
			continue
		}
		home, err := os.MkdirTemp(*dir, "startbench")
		if err != nil {
			return err
		}
		t := newTable(p)
		if err := errors.Join(measure(t, home), os.RemoveAll(home)); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		t.print(&text)
		tell("%s: done", p.name)
	}
	fmt.Print(text.String())
	if *doc == "" || *only != "" || !*withJava {
		return nil
	}
	return rounds.Insert(*doc, "bench-start", text.String())
}

func (t *table) print(b *strings.Builder) {
	fmt.Fprintf(b, "\n**%s**\n\n", t.part.title)
	if t.left != nil {
		fmt.Fprintf(b, "Java is left out: %v.\n\n", t.left)
	}
	fmt.Fprintf(b, "| | ours | Java 5.5.0 | ours / Java | goal |\n|---|---|---|---|---|\n")
	for _, name := range order {
		r := t.rows[name]
		if r == nil {
			continue
		}
		ratio := ""
		if len(r.ours) > 0 && len(r.java) > 0 {
			ratio = rounds.Ratio(r.ours.Median(), r.java.Median())
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", name, r.ours.Spread(), r.java.Spread(), ratio, t.part.goals[name])
	}
}

func parts() []*part {
	return []*part{
		{
			name:  "log",
			title: fmt.Sprintf("%d MiB of messages; %d MiB more right before each kill", *sizeMiB, *freshMiB),
			fill: func(s *side) error {
				return s.send("batch", "-w", "8", "-n", strconv.Itoa(*sizeMiB<<20/bodyBytes), "-t", oneTopic)
			},
			fresh: func(s *side) error {
				return s.send("batch", "-w", "8", "-n", strconv.Itoa(*freshMiB<<20/bodyBytes), "-t", oneTopic)
			},
			goals: map[string]string{startClosed: "<= 0.20", startKilled: "<= 1.10", stopped: "<= 1.00"},
		},
		{
			name:  "topics",
			title: fmt.Sprintf("%d topics of %d queues, a message in each queue", *topics, *queues),
			fill: func(s *side) error {
				return s.send("send", "-s", "100", "-n", strconv.Itoa(*topics**queues), "-q", strconv.Itoa(*queues), "--topics", strconv.Itoa(*topics), "-t", manyTopics)
			},
			files: *topics * *queues,
			goals: map[string]string{startClosed: "<= 1.00", startKilled: "<= 1.00", startUnlisted: "<= 1.00", residentMB: "<= 150", spreadSends: ">= 0.80"},
		},
	}
}

// measure fills a directory, gives Java a copy, and lets the sides take turns.
func measure(t *table, home string) (err error) {
	ours, err := newSide(false, filepath.Join(home, "ours"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ours.close()) }()
	if err := errors.Join(t.part.fill(ours), ours.stop()); err != nil {
		return err
	}
	tell("%s: filled", t.part.name)
	sides := []*side{ours}
	if t.java {
		java, err := convert(ours.cluster.StoreDir(), filepath.Join(home, "java"))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, java.close()) }()
		sides = append(sides, java)
		tell("%s: copied and opened by Java", t.part.name)
	}
	for n := range *count {
		for _, s := range sides {
			if err := round(t, s); err != nil {
				return fmt.Errorf("round %d: %w", n+1, err)
			}
		}
		tell("%s: round %d", t.part.name, n+1)
	}
	return nil
}

// convert has Java open a copy of a store once.
func convert(store, home string) (*side, error) {
	if err := copyStore(store, home); err != nil {
		return nil, err
	}
	java, err := newSide(true, home)
	if err != nil {
		return nil, err
	}
	if err := java.stop(); err != nil {
		return nil, errors.Join(err, java.close())
	}
	return java, nil
}
