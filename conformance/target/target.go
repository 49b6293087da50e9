// SPDX-License-Identifier: Apache-2.0

// Package target runs the servers that the conformance tests judge: ours in this process, ours as built, or the Java
// original. A test asks for a cluster of one NameServer and one Broker and does not see which it got.
package target

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Kind says whose servers run, and how.
type Kind string

const (
	InProc Kind = "inproc" // ours, in this process
	Binary Kind = "binary" // ours, started by the launchers in bin/
	Java   Kind = "java"   // the original, from its published artifacts
)

// Chosen reads TARGET: kinds with commas between, inproc where it is not set.
func Chosen() ([]Kind, error) {
	text := os.Getenv("TARGET")
	if text == "" {
		return []Kind{InProc}, nil
	}
	var kinds []Kind
	for name := range strings.SplitSeq(text, ",") {
		kind := Kind(strings.TrimSpace(name))
		if !slices.Contains([]Kind{InProc, Binary, Java}, kind) {
			return nil, fmt.Errorf("TARGET=%s: %q is none of inproc, binary, java", text, kind)
		}
		kinds = append(kinds, kind)
	}
	return kinds, nil
}

// Require ends the test where this machine lacks what kind needs: a skip that says so, in CI a failure.
func Require(t testing.TB, kind Kind) {
	t.Helper()
	if kind != Java {
		return
	}
	for _, program := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("%s is not on the PATH", program)
			}
			t.Skipf("left out: %s is not on the PATH", program)
		}
	}
}

// Cluster is a NameServer and a Broker with a home folder that nobody else uses.
type Cluster struct {
	Kind   Kind
	Home   string // what HOME is to the servers: logs, configuration and the store stand below
	Names  *Server
	Broker *Server

	attached bool // another process runs it
}

// Options vary a cluster. The zero value is what a newcomer has, apart from addresses and quick retries.
type Options struct {
	Broker    map[string]string // more lines for broker.conf
	Names     map[string]string // more lines for namesrv.conf
	NamesPort int               // the NameServer's, for programs that hold an address; 0: a free one
	Home      string            // a folder that outlives the cluster; empty: a new one, removed by Close
	JVM       []string          // flags for the JVMs of a Java cluster, in place of those that make tests start fast
}

// retryLevels are the delay levels of a test's Broker: Java's first are 10 s and more apart for retries.
const retryLevels = "1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s"

// Start runs a new cluster and waits until the NameServer knows the Broker.
func Start(kind Kind, o Options) (*Cluster, error) {
	c := &Cluster{Kind: kind, Home: o.Home}
	if c.Home == "" {
		home, err := os.MkdirTemp("", "rocketd-"+string(kind)+"-")
		if err != nil {
			return nil, err
		}
		c.Home = home
	}
	namesPort := o.NamesPort
	var err error
	if namesPort == 0 {
		if namesPort, err = FreePort(); err != nil {
			return nil, err
		}
	}
	brokerPort, err := FreePort()
	if err != nil {
		return nil, err
	}
	c.Names = &Server{Addr: fmt.Sprintf("127.0.0.1:%d", namesPort)}
	c.Broker = &Server{Addr: fmt.Sprintf("127.0.0.1:%d", brokerPort)}
	if err := c.configure(namesPort, brokerPort, o); err != nil {
		return nil, err
	}
	names, broker := filepath.Join(c.Home, "namesrv.conf"), filepath.Join(c.Home, "broker.conf")
	switch kind {
	case InProc:
		c.Names.launch = func() (running, error) { return inprocNames(names) }
		c.Broker.launch = func() (running, error) { return inprocBroker(broker) }
	case Binary:
		c.Names.launch = func() (running, error) { return binary(c.Home, "mqnamesrv", "-c", names) }
		c.Broker.launch = func() (running, error) { return binary(c.Home, "mqbroker", "-c", broker) }
	case Java:
		c.Names.launch = func() (running, error) { return javaNames(c.Home, names, o.JVM) }
		c.Broker.launch = func() (running, error) { return javaBroker(c.Home, broker, o.JVM) }
	}
	for _, begin := range []func() error{c.Names.Start, c.Broker.Start, c.WaitRegistered} {
		if err := begin(); err != nil {
			return nil, errors.Join(err, c.Close(true))
		}
	}
	return c, nil
}

// New starts a cluster for one test, which ends it. The folder of a failed test stays.
func New(t testing.TB, kind Kind, o Options) *Cluster {
	t.Helper()
	Require(t, kind)
	c, err := Start(kind, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(t.Failed()); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log("the servers' logs and store stay in " + c.Home)
		}
	})
	return c
}

func (c *Cluster) configure(namesPort, brokerPort int, o Options) error {
	keys := map[string]string{
		"brokerClusterName": "DefaultCluster", "brokerName": "broker-a", "brokerId": "0",
		"brokerIP1": "127.0.0.1", "brokerIP2": "127.0.0.1", "listenPort": fmt.Sprint(brokerPort),
		"namesrvAddr":      c.Names.Addr,
		"storePathRootDir": c.StoreDir(), "storePathCommitLog": filepath.Join(c.StoreDir(), "commitlog"),
		"diskMaxUsedSpaceRatio": "95", "messageDelayLevel": retryLevels, "registerNameServerPeriod": "10000",
		"enablePropertyFilter":    "true",
		"brokerFastFailureEnable": "false", // a cold JVM on a busy machine would refuse an ordinary load
	}
	maps.Copy(keys, o.Broker)
	names := map[string]string{"listenPort": fmt.Sprint(namesPort), "kvConfigPath": filepath.Join(c.Home, "kvConfig.json")}
	maps.Copy(names, o.Names)
	return errors.Join(os.MkdirAll(c.Home, 0o755),
		os.WriteFile(filepath.Join(c.Home, "broker.conf"), propertiesText(keys), 0o644),
		os.WriteFile(filepath.Join(c.Home, "namesrv.conf"), propertiesText(names), 0o644))
}

func propertiesText(keys map[string]string) []byte {
	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		text.WriteString(key + "=" + keys[key] + "\n")
	}
	return []byte(text.String())
}

// StoreDir is the Broker's storePathRootDir.
func (c *Cluster) StoreDir() string { return filepath.Join(c.Home, "store") }

// Close ends both servers, and removes their folder unless it is to be kept.
func (c *Cluster) Close(keep bool) error {
	if c.attached {
		return nil
	}
	err := errors.Join(c.Broker.Stop(), c.Names.Stop())
	if !keep {
		err = errors.Join(err, os.RemoveAll(c.Home))
	}
	return err
}

// Patience bounds a wait for what servers and clients do in their own time. A Java Broker takes over 20 s to end on a busy
// machine; a heartbeat that it handles after the connection has closed makes a member that holds queues for two minutes.
const Patience = 5 * time.Minute

// running is a server that has been started and answers.
type running interface {
	Stop() error // in order, and waited for
	Kill() error // as SIGKILL
}

// Server is one server that can be ended and started again with the same address and files.
type Server struct {
	Addr    string
	launch  func() (running, error)
	running running
}

// Start runs the server and waits until it answers.
func (s *Server) Start() error {
	r, err := s.launch()
	if err != nil {
		return err // and no server that could be stopped
	}
	s.running = r
	return nil
}

// PID is the server's process, 0 for one in this process.
func (s *Server) PID() int {
	if p, ok := s.running.(*Process); ok {
		return p.PID()
	}
	return 0
}

// Stop ends the server as an operator does. A server that is not running is left alone.
func (s *Server) Stop() error { return s.end(running.Stop) }

// Kill ends the server as a power cut of its process does.
func (s *Server) Kill() error { return s.end(running.Kill) }

func (s *Server) end(how func(running) error) error {
	if s.running == nil {
		return nil
	}
	r := s.running
	s.running = nil
	return how(r)
}
