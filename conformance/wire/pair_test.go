// SPDX-License-Identifier: Apache-2.0

// pair_test.go: Java and ours side by side, brought to the same state by the same requests.

package wire

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
	"rocketd/protocol"
)

// shared holds the clusters of all tests.
var shared target.Pool

// TestMain lets as many tests run at once as the most waiting one has subtests: they wait for servers, not for a processor.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	os.Exit(shared.Run(m))
}

// server says which of a cluster's servers is asked. It is a column of the compatibility tables.
type server string

const (
	toBroker server = "broker"
	toNames  server = "namesrv"
)

// The two sides of a pair.
const (
	java = iota
	ours
)

// pair asks both clusters the same, over connections of its own.
type pair struct {
	t     *testing.T
	form  Form
	sides map[server][2]*Side
	kinds [2]target.Kind
}

// each runs test against Java and every chosen kind of ours, in both header forms.
func each(t *testing.T, test func(t *testing.T, p *pair)) {
	chosen, err := target.Chosen()
	require.NoError(t, err)
	for _, kind := range chosen {
		if kind == target.Java {
			continue // it would be compared with itself
		}
		for _, form := range []Form{JSON, Binary} {
			t.Run(string(kind)+" "+form.String(), func(t *testing.T) {
				test(t, newPair(t, kind, form))
			})
		}
	}
}

// eachAtOnce is each for a test that mostly waits, and whose subtests have names and connections of their own: all forms
// and kinds wait at the same time.
func eachAtOnce(t *testing.T, test func(t *testing.T, p *pair)) {
	each(t, func(t *testing.T, p *pair) {
		t.Parallel()
		test(t, p)
	})
}

func newPair(t *testing.T, kind target.Kind, form Form) *pair {
	return pairOf(t, form, [2]*target.Cluster{java: shared.Get(t, target.Java), ours: shared.Get(t, kind)})
}

func pairOf(t *testing.T, form Form, clusters [2]*target.Cluster) *pair {
	p := &pair{t: t, form: form, sides: map[server][2]*Side{}, kinds: [2]target.Kind{clusters[java].Kind, clusters[ours].Kind}}
	p.sides[toBroker] = [2]*Side{NewSide(clusters[java], clusters[java].Broker.Addr), NewSide(clusters[ours], clusters[ours].Broker.Addr)}
	p.sides[toNames] = [2]*Side{NewSide(clusters[java], clusters[java].Names.Addr), NewSide(clusters[ours], clusters[ours].Names.Addr)}
	t.Cleanup(p.close)
	// Once a NameServer has had an order configuration, it answers registrations with a table, even an empty one. The
	// shared Java peer may have had some.
	n, order := newNames(), []string{"namespace", "ORDER_TOPIC_CONFIG", "key", "{topic}"}
	p.must(toNames, protocol.PutKVConfig, n, "", append(order, "value", "broker-a:1")...)
	p.must(toNames, protocol.DeleteKVConfig, n, "", order...)
	return p
}

// with returns the pair for a subtest.
func (p *pair) with(t *testing.T) *pair {
	q := *p
	q.t = t
	return &q
}

func (p *pair) close() {
	for _, sides := range p.sides {
		sides[java].Close()
		sides[ours].Close()
	}
}

// ask sends each side its request and waits for both answers.
func (p *pair) ask(to server, requests [2]Request, wait time.Duration) (answers [2]Exchange) {
	var both sync.WaitGroup
	for i, side := range p.sides[to] {
		both.Add(1)
		go func() {
			defer both.Done()
			answers[i] = side.Ask(requests[i], p.form, wait)
		}()
	}
	both.Wait()
	return answers
}

// must asks both and demands success of both.
func (p *pair) must(to server, code int32, n *names, body string, fields ...string) [2]*Answer {
	p.t.Helper()
	exchanges := p.ask(to, n.requests(code, pairs(fields), body), answerTime)
	for i, e := range exchanges {
		require.NotNil(p.t, e.Answer, "%s on %s: %s", protocol.RequestName(code), p.kinds[i], e.Ended)
		require.Zero(p.t, e.Answer.Code, "%s on %s: %v", protocol.RequestName(code), p.kinds[i], e.describe())
	}
	return [2]*Answer{exchanges[java].Answer, exchanges[ours].Answer}
}

// until repeats a request until both sides' answers fulfil cond: what Java does in the background takes its time.
func (p *pair) until(what string, to server, code int32, n *names, cond func(*Answer) bool, fields ...string) {
	p.t.Helper()
	require.Eventually(p.t, func() bool {
		for _, e := range p.ask(to, n.requests(code, pairs(fields), ""), answerTime) {
			if e.Answer == nil || !cond(e.Answer) {
				return false
			}
		}
		return true
	}, 30*time.Second, 2*time.Millisecond, what)
}

// pairs makes fields of name, value, name, value.
func pairs(list []string) []KV {
	fields := []KV{}
	for i := 0; i < len(list); i += 2 {
		fields = append(fields, KV{list[i], list[i+1]})
	}
	return fields
}

// run tells the names of this process from those of others that use the same Java.
var run = strconv.FormatUint(uint64(rand.Uint32()), 36)

var namesMade atomic.Int64

// names are what a row calls things by. Fields and bodies say {topic}; what stands for it is the same on both sides but
// for places in the store.
type names struct {
	own     string // part of every name: lists are filtered by it
	renewed int
	values  [2]map[string]string
}

func newNames() *names {
	n := &names{own: fmt.Sprintf("w%s_%d_", run, namesMade.Add(1))}
	for i := range n.values {
		n.values[i] = map[string]string{}
	}
	n.put("own", n.own, n.own)
	n.renew("topic", "group", "client", "broker", "cluster", "key", "ns")
	return n
}

// renew makes these names new ones, for a row that must not meet what an earlier one left.
func (n *names) renew(what ...string) {
	n.renewed++
	for _, name := range what {
		fresh := fmt.Sprintf("%s%s%d", n.own, name, n.renewed)
		n.put(name, fresh, fresh)
	}
}

func (n *names) put(name, javas, our string) {
	n.values[java]["{"+name+"}"], n.values[ours]["{"+name+"}"] = javas, our
}

func (n *names) expand(side int, s string) string {
	if !strings.Contains(s, "{") {
		return s
	}
	for name, value := range n.values[side] {
		s = strings.ReplaceAll(s, name, value)
	}
	return s
}

// requests makes a request for each side.
func (n *names) requests(code int32, fields []KV, body string) (r [2]Request) {
	for side := range r {
		r[side] = Request{Code: code, Body: []byte(n.expand(side, body))}
		if fields != nil {
			r[side].Fields = []KV{}
		}
		for _, f := range fields {
			r[side].Fields = append(r[side].Fields, KV{f.Key, n.expand(side, f.Value)})
		}
	}
	return r
}
