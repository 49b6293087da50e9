// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"rocketd/cmd/mqtools/bench"
	"rocketd/conformance/benchrun"
	"rocketd/conformance/target"
	"rocketd/protocol"
	"rocketd/remoting"
)

// process is a Broker that runs.
type process interface {
	Stop() error
	Kill() error
	PID() int
}

// side is one of the two Brokers, started and ended again and again on one directory.
type side struct {
	java    bool
	cluster *target.Cluster
	broker  process // nil: it does not run
}

func (s *side) name() string {
	if s.java {
		return "Java"
	}
	return "ours"
}

// newSide starts a cluster on a folder, which may have a store already.
func newSide(java bool, home string) (*side, error) {
	kind, options := target.Binary, target.Options{Home: home}
	if java {
		kind, options.JVM = target.Java, []string{"-Xms" + *heap, "-Xmx" + *heap, "-XX:MaxDirectMemorySize=1g"}
	}
	c, err := target.Start(kind, options)
	if err != nil {
		return nil, err
	}
	return &side{java: java, cluster: c, broker: c.Broker}, nil
}

// close ends what runs, whatever state it is in; the folder stays.
func (s *side) close() error {
	var err error
	if s.broker != nil {
		err = s.broker.Kill()
	}
	return errors.Join(err, s.cluster.Names.Stop())
}

func (s *side) stop() error {
	broker := s.broker
	s.broker = nil
	return broker.Stop()
}

// start runs the Broker and returns the seconds until it accepted a send. No launcher is in between, on either side.
func (s *side) start() (float64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	accepted := make(chan error, 1)
	began := time.Now()
	var at time.Time
	go func() {
		err := firstSend(ctx, s.cluster.Broker.Addr)
		at = time.Now()
		accepted <- err
	}()
	if err := s.launch(); err != nil {
		cancel()
		return 0, errors.Join(err, <-accepted)
	}
	err := <-accepted
	return at.Sub(began).Seconds(), err
}

func (s *side) launch() error {
	if s.java {
		s.broker = s.cluster.Broker
		return s.cluster.Broker.Start()
	}
	home := s.cluster.Home
	program, err := filepath.Abs(filepath.Join(*bin, "rocketd"))
	if err != nil {
		return err
	}
	cmd := exec.Command(program, "broker", "-c", filepath.Join(home, "broker.conf"))
	cmd.Dir, cmd.Env = home, append(os.Environ(), "HOME="+home)
	p, err := target.Spawn(cmd, filepath.Join(home, "broker.out"))
	if err != nil {
		return err
	}
	s.broker = p
	return nil
}

// firstSend sends a message over and over until it is stored.
func firstSend(ctx context.Context, addr string) error {
	header := protocol.SendHeader{
		ProducerGroup: "startbench", Topic: oneTopic, DefaultTopic: "TBW102", DefaultTopicQueueNums: 8, BornTimestampMs: time.Now().UnixMilli(),
	}
	req := &protocol.Command{
		Code: protocol.SendMessageV2, Language: protocol.LangJava, Version: 513, Body: []byte("first"),
		Fields: protocol.CodecOf[protocol.SendHeader]("v2").Append(nil, &header),
	}
	for {
		answer, err := try(ctx, addr, req)
		if err == nil && answer.Code == protocol.Success {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("no send was accepted: %w", err)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func try(ctx context.Context, addr string, req *protocol.Command) (*protocol.Command, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	client := remoting.NewClient(remoting.DefaultClientConfig(), nil, zerolog.Nop(), new(net.Dialer).DialContext)
	defer client.Close()
	return client.Call(ctx, addr, req)
}

// load runs a load of `mqtools bench` on the Broker, in a process of its own.
func (s *side) load(args ...string) (*bench.Result, error) {
	r, err := benchrun.ResultOf(benchrun.Process(filepath.Join(*bin, "mqtools"), benchrun.Server{Addr: s.cluster.Broker.Addr, PID: s.broker.PID()}, args...))
	if err != nil {
		return nil, err
	}
	if r.Errors > 0 {
		return nil, fmt.Errorf("%d answers of %d were no success", r.Errors, r.Messages+r.Errors)
	}
	return r, nil
}

func (s *side) send(args ...string) error {
	_, err := s.load(args...)
	return err
}

// memory is what the Broker has in memory, with mapped files and without.
func (s *side) memory() (all, anonymous float64, err error) {
	r, err := s.load("send", "-n", "1", "-c", "1", "-w", "1", "-t", oneTopic)
	if err != nil {
		return 0, 0, err
	}
	return r.RSSMB, r.RSSAnonMB, nil
}

// dropCaches takes the contents of the store's files out of memory; no process may map them. What the system knows of
// names and inodes stays.
func (s *side) dropCaches() error {
	store, err := os.Open(s.cluster.StoreDir())
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()                 // it was only read
	if err := unix.Syncfs(int(store.Fd())); err != nil { // only clean pages go
		return err
	}
	return filepath.WalkDir(s.cluster.StoreDir(), func(name string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		return errors.Join(unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED), f.Close())
	})
}

// copyStore copies a store with its holes into a home.
func copyStore(store, home string) error {
	if err := os.MkdirAll(home, 0o755); err != nil {
		return err
	}
	if out, err := exec.Command("cp", "-a", "--sparse=always", store, home).CombinedOutput(); err != nil {
		return fmt.Errorf("cp: %w: %s", err, out)
	}
	return nil
}
