// SPDX-License-Identifier: Apache-2.0

// Command sendratio says how many times as much processor time a send costs the Broker as it costs the floor, the
// least that a broker can do. Both run at the same time, and the load goes to one and to the other in turns, so that
// whatever else the machine does weighs on both. `make bench-send` builds everything and runs it.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

var (
	bin    = flag.String("bin", "build", "folder with rocketd, floor and rmqload")
	rounds = flag.Int("rounds", 7, "rounds that count; one more comes before them")
	count  = flag.Int("n", 100000, "messages a round and side")
	size   = flag.Int("size", 1024, "body bytes")
	warm   = flag.Bool("warm", true, "touch memory before each round")
	flush  = flag.String("flush", "ASYNC_FLUSH", "flushDiskType of the Broker; SYNC_FLUSH makes the floor sync too")
)

// warmMemory touches memory and gives it back. A virtual machine's host lends memory at the first touch, which can cost
// more than everything else that a server does for a message; which of the two would have to pay that is chance.
func warmMemory(n int) error {
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return fmt.Errorf("mmap: %w", err)
	}
	_ = unix.Madvise(b, unix.MADV_HUGEPAGE) // a wish
	for i := 0; i < n; i += os.Getpagesize() {
		b[i] = 1
	}
	return unix.Munmap(b)
}

// side is one of the two servers.
type side struct {
	name string
	addr string
	cmd  *exec.Cmd
	us   []float64 // processor time a message, by round
	rate []float64 // messages a second, by round
}

func main() {
	flag.Parse()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "sendratio:", err)
		os.Exit(1)
	}
}

func run() error {
	dir, err := os.MkdirTemp("", "sendratio")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ours, err := startBroker(dir)
	if err != nil {
		return err
	}
	defer ours.stop()
	floor, err := startFloor(dir)
	if err != nil {
		return err
	}
	defer floor.stop()
	for round := range *rounds + 1 {
		for _, s := range []*side{ours, floor} {
			if *warm {
				if err := warmMemory(*count * (*size + 1024)); err != nil {
					return err
				}
			}
			us, rate, err := s.load()
			if err != nil {
				return fmt.Errorf("load on %s: %w", s.name, err)
			}
			if round > 0 {
				s.us, s.rate = append(s.us, us), append(s.rate, rate)
			}
		}
	}
	fmt.Printf("server CPU per send, us: %s, %d bytes, 4 connections x 32 in flight, %d messages a round\n", *flush, *size, *count)
	ours.print()
	floor.print()
	fmt.Printf("ratio of the medians: %.2f\n", median(ours.us)/median(floor.us))
	return nil
}

func (s *side) print() {
	fmt.Printf("%-6s", s.name)
	for _, us := range s.us {
		fmt.Printf(" %6.2f", us)
	}
	fmt.Printf("   median %.2f, from %.2f to %.2f; median of %.0f messages a second\n",
		median(s.us), slices.Min(s.us), slices.Max(s.us), median(s.rate))
}

func median(v []float64) float64 {
	sorted := slices.Sorted(slices.Values(v))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// startBroker starts the Broker with its defaults, apart from where it lives.
func startBroker(dir string) (*side, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "broker.conf")
	text := fmt.Sprintf("listenPort=%d\nbrokerIP1=127.0.0.1\nstorePathRootDir=%s\nflushDiskType=%s\n", port, filepath.Join(dir, "store"), *flush)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return start("ours", port, dir, "rocketd", "broker", "-c", conf)
}

func startFloor(dir string) (*side, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	args := []string{"-addr", address(port), "-file", filepath.Join(dir, "floor.dat")}
	if *flush == "SYNC_FLUSH" {
		args = append(args, "-fsync")
	}
	return start("floor", port, dir, "floor", args...)
}

// start runs a program with dir as its user's home and waits until its port answers.
func start(name string, port int, dir, program string, args ...string) (*side, error) {
	s := &side{name: name, addr: address(port)}
	s.cmd = exec.Command(filepath.Join(*bin, program), args...)
	s.cmd.Env = append(slices.DeleteFunc(os.Environ(), func(e string) bool {
		return len(e) >= 13 && e[:13] == "NAMESRV_ADDR="
	}), "HOME="+dir)
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if c, err := net.Dial("tcp", s.addr); err == nil {
			return s, c.Close()
		}
	}
	s.stop()
	return nil, fmt.Errorf("%s does not answer on %s", name, s.addr)
}

// stop ends the server and waits for it. Its data is thrown away, so how it ends does not matter.
func (s *side) stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// load runs one round.
func (s *side) load() (us, rate float64, err error) {
	out, err := exec.Command(filepath.Join(*bin, "rmqload"), "send", "-addr", s.addr, "-pid", strconv.Itoa(s.cmd.Process.Pid),
		"-conns", "4", "-inflight", "32", "-size", strconv.Itoa(*size), "-n", strconv.Itoa(*count)).Output()
	if err != nil {
		return 0, 0, err
	}
	var r struct {
		Errors                  int
		CPUusPerMsg, MsgsPerSec float64
	}
	if err := json.Unmarshal(out, &r); err != nil {
		return 0, 0, err
	}
	if r.Errors > 0 {
		return 0, 0, fmt.Errorf("%d sends failed", r.Errors)
	}
	return r.CPUusPerMsg, r.MsgsPerSec, nil
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// freePort returns a port that nobody listens on, also not on the one two below, which the Broker takes as well.
func freePort() (int, error) {
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		port := l.Addr().(*net.TCPAddr).Port
		below, err := net.Listen("tcp", address(port-2))
		l.Close()
		if err == nil {
			below.Close()
			return port, nil
		}
	}
}
