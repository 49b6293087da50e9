// SPDX-License-Identifier: Apache-2.0

// Command versus measures ours beside Java 5.5.0 and, for sends, the floor: the loads of `mqtools bench`, one side after
// the other in each round, so that whatever else the machine does weighs on all. Java is warmed up first. It writes its
// table into docs/benchmarks.md. `make bench-vs-java` builds everything and runs it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"rocketd/cmd/mqtools/bench"
	"rocketd/conformance/benchrun"
	"rocketd/conformance/target"
	"rocketd/internal/yardstick/rounds"
)

var (
	bin    = flag.String("bin", "build", "folder with mqtools and floor")
	count  = flag.Int("rounds", 5, "rounds that count")
	warmUp = flag.Duration("warm-up", time.Minute, "load on the Java Broker before the first round")
	only   = flag.String("only", "", "run the loads whose names contain this; the table is then only printed")
	doc    = flag.String("doc", "docs/benchmarks.md", "file that the table goes into; empty: only print it")
)

// side is one of the servers that are compared.
type side struct {
	name string
	benchrun.Server
}

// load is one part of the table.
type load struct {
	name  string
	args  []string
	floor bool // the floor can take it as well
}

var loads = []load{
	{"send, 4 x 32 in flight, 1 KiB", []string{"send", "-n", "200000", "-t", "versus_send"}, true},
	{"send, one at a time, 1 KiB", []string{"send", "-c", "1", "-w", "1", "-n", "20000", "-t", "versus_one"}, true},
	{"batches of 32, 4 x 8 in flight, 1 KiB", []string{"batch", "-w", "8", "-n", "400000", "-t", "versus_batch"}, false},
	{"pull, 8 queues, what the batches stored", []string{"pull", "-t", "versus_batch"}, false},
	{"send to arrival, 2,000 messages a second", []string{"e2e", "-r", "2000", "-d", "10s", "-t", "versus_e2e"}, false},
	{"send to arrival, ten groups that each get 500 messages a second", []string{"e2e", "-r", "500", "--groups", "10", "-d", "10s", "-t", "versus_ten"}, false},
	{"for a time 3 s after the send, 2,000 messages a second, latency from that time", []string{"e2e", "-r", "2000", "--delay", "3s", "-d", "10s", "-t", "versus_timer"}, false},
	{"heartbeats of 1,000 groups with 10 subscriptions each, 1,000 a second", []string{"heartbeat", "--groups", "1000", "-d", "10s", "-t", "versus_beat"}, false},
	{"idle, 200 connections with a waiting pull each", []string{"idle", "-c", "200", "-d", "10s", "-t", "versus_idle"}, false},
}

func main() {
	flag.Parse()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "versus:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	sides, stop, err := start()
	defer func() { err = errors.Join(err, stop()) }()
	if err != nil {
		return err
	}
	if err := warm(sides[1]); err != nil {
		return err
	}
	t := newTable()
	for round := range *count {
		for _, l := range loads {
			if !strings.Contains(l.name, *only) {
				continue
			}
			for _, s := range sides {
				if s.name == floorName && !l.floor {
					continue
				}
				rounds.TouchMemory(touched)
				r, err := measure(s, l.args)
				if err != nil {
					return fmt.Errorf("%s on %s: %w", l.name, s.name, err)
				}
				t.add(l.name, s.name, r)
			}
			fmt.Printf("round %d: %s\n", round+1, l.name)
		}
	}
	text := t.markdown(*count, *warmUp)
	fmt.Print(text)
	if *doc == "" || *only != "" {
		return nil
	}
	return rounds.Insert(*doc, "bench-vs-java", text)
}

// touched is several times what any load makes a server write: what was freed last is not what the kernel takes first.
const touched = 4 << 30

func warm(java side) error {
	fmt.Printf("warming the Java Broker up for %v\n", *warmUp)
	for _, name := range []string{"send", "batch", "e2e"} {
		if _, err := measure(java, []string{name, "-t", "versus_warm", "-d", (*warmUp / 3).String()}); err != nil {
			return err
		}
	}
	return nil
}

// start runs the three servers. stop ends what was started, also after an error.
func start() (sides []side, stop func() error, err error) {
	var ends []func() error
	stop = func() (err error) {
		for _, end := range ends {
			err = errors.Join(err, end())
		}
		return err
	}
	for _, of := range []struct {
		name string
		kind target.Kind
	}{{oursName, target.Binary}, {javaName, target.Java}} {
		c, err := target.Start(of.kind, target.Options{JVM: []string{"-Xms4g", "-Xmx4g", "-XX:MaxDirectMemorySize=1g"}})
		if err != nil {
			return nil, stop, err
		}
		ends = append(ends, func() error { return c.Close(false) })
		sides = append(sides, side{of.name, benchrun.Server{Addr: c.Broker.Addr, PID: c.Broker.PID()}})
	}
	floor, end, err := benchrun.StartFloor(*bin)
	if err != nil {
		return nil, stop, err
	}
	ends = append(ends, end)
	return append(sides, side{floorName, floor}), stop, nil
}

// measure runs one load on one side, in a process of its own.
func measure(s side, args []string) (*bench.Result, error) {
	return benchrun.ResultOf(benchrun.Process(filepath.Join(*bin, "mqtools"), s.Server, args...))
}
