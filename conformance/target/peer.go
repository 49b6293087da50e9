// SPDX-License-Identifier: Apache-2.0

// The clusters that several tests share: one of each kind in a test process, and one Java original for all test
// processes of a run, because a JVM takes seconds to start and twenty to end.

package target

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// PeerVariable names the environment variable with the file that `go run ./conformance/javapeer` writes. Where it is not
// set, a test process that wants the Java original starts its own.
const PeerVariable = "ROCKETD_JAVA_PEER"

// Address is how to reach a cluster that another process runs.
type Address struct{ Home, Names, Broker string }

// Address of the cluster.
func (c *Cluster) Address() Address { return Address{c.Home, c.Names.Addr, c.Broker.Addr} }

// Attach returns a cluster that somebody else runs: Close leaves it alone.
func Attach(kind Kind, file string) (*Cluster, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var a Address
	if err := json.Unmarshal(text, &a); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return &Cluster{Kind: kind, Home: a.Home, attached: true, Names: &Server{Addr: a.Names}, Broker: &Server{Addr: a.Broker}}, nil
}

// Pool holds the shared clusters of a test process. The zero value is ready.
type Pool struct {
	mu       sync.Mutex
	clusters map[Kind]*Cluster
	errors   map[Kind]error
}

// Get returns the cluster of a kind, which it starts if this is the first call.
func (p *Pool) Get(t testing.TB, kind Kind) *Cluster {
	t.Helper()
	Require(t, kind)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.clusters[kind] == nil && p.errors[kind] == nil {
		if p.clusters == nil {
			p.clusters, p.errors = map[Kind]*Cluster{}, map[Kind]error{}
		}
		p.clusters[kind], p.errors[kind] = share(kind)
	}
	if err := p.errors[kind]; err != nil {
		t.Fatal(err)
	}
	return p.clusters[kind]
}

func share(kind Kind) (*Cluster, error) {
	if file := os.Getenv(PeerVariable); file != "" && kind == Java {
		return Attach(kind, file)
	}
	return Start(kind, Options{})
}

// Close ends what Get started. The servers' folders stay if keep is set, and their places are in the error.
func (p *Pool) Close(keep bool) (err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var kept []string
	for _, c := range p.clusters {
		if c == nil {
			continue
		}
		err = errors.Join(err, c.Close(keep))
		kept = append(kept, c.Home)
	}
	if keep && len(kept) > 0 {
		err = errors.Join(err, fmt.Errorf("the servers' logs and stores stay in %s", strings.Join(kept, ", ")))
	}
	return err
}

// Run runs the tests of m and then ends what they started. What it returns is for os.Exit.
func (p *Pool) Run(m *testing.M) int {
	code := m.Run()
	if err := p.Close(code != 0); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	return code
}

// Publish writes the address for Attach. The file is whole as soon as it has its name.
func (c *Cluster) Publish(file string) error {
	text, err := json.Marshal(c.Address())
	if err != nil {
		return err
	}
	part := filepath.Join(filepath.Dir(file), "."+filepath.Base(file))
	return errors.Join(os.WriteFile(part, text, 0o644), os.Rename(part, file))
}
