// SPDX-License-Identifier: Apache-2.0

// Package javaclient lets the published Java clients work with ours, and with the Java original. The programs in
// src/rocketd carry the client into a process that a test commands; what is sent, demanded and compared stands here.
package javaclient

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rocketd/conformance/report"
	"rocketd/conformance/target"
)

// shared holds the clusters for all tests that do not end servers.
var shared target.Pool

// The releases that scenarios run with. A scenario whose requests differ in their headers runs in the binary form too.
var (
	releases = []release{{version: "4.9.8"}, {version: "5.5.0"}}
	forms    = append(releases[:2:2], release{version: "5.5.0", form: "ROCKETMQ"})
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Clients wait for most of the time, so many at once finish sooner.
	if f := flag.Lookup("test.parallel"); f != nil && f.Value.String() == f.DefValue {
		_ = f.Value.Set("8")
	}
	code := m.Run()
	for _, err := range []error{closeJVMs(code != 0), shared.Close(code != 0)} {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// each runs test with every release against the shared cluster of every chosen kind.
func each(t *testing.T, with []release, test func(t *testing.T, j *client)) {
	run(t, with, nil, func(t *testing.T, kind target.Kind) *target.Cluster { return shared.Get(t, kind) }, test)
}

// eachAlone runs test against clusters of its own, which it may change and end: ours only, because Java takes half a
// minute for each end.
func eachAlone(t *testing.T, with []release, o target.Options, test func(t *testing.T, j *client)) {
	run(t, with, []target.Kind{target.InProc, target.Binary}, func(t *testing.T, kind target.Kind) *target.Cluster {
		return target.New(t, kind, o)
	}, test)
}

func run(t *testing.T, with []release, only []target.Kind, cluster func(*testing.T, target.Kind) *target.Cluster, test func(*testing.T, *client)) {
	chosen, err := target.Chosen()
	require.NoError(t, err)
	t.Parallel()
	for _, kind := range chosen {
		if only != nil && !slices.Contains(only, kind) {
			continue
		}
		for _, r := range with {
			t.Run(fmt.Sprintf("%s on %s", r, kind), func(t *testing.T) {
				t.Parallel()
				name, _, _ := strings.Cut(strings.TrimPrefix(t.Name(), "Test"), "/")
				report.Test(t, report.Features, report.Words(name), fmt.Sprintf("%s on %s", r, kind))
				requireJDK(t)
				test(t, &client{jvm: shareJVM(t, r), t: t, c: cluster(t, kind), topics: map[string]bool{}})
			})
		}
	}
}

var names atomic.Int64

// unique returns a name that no other test uses, also no other process with the same Java original.
func (j *client) unique(what string) string {
	test, _, _ := strings.Cut(j.t.Name(), "/")
	return fmt.Sprintf("java_%s_%s_%d_%d", test, what, os.Getpid(), names.Add(1))
}

func (j *client) newTopic(queues int32) string {
	j.t.Helper()
	topic := j.unique("topic")
	require.NoError(j.t, j.c.CreateTopic(topic, queues))
	j.topics[topic] = true
	return topic
}

// eventually waits for what a client does in its own time.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	require.Eventually(t, cond, target.Patience, 10*time.Millisecond, what)
}

// stored waits until a topic holds at least count messages and reads all that it holds.
func (j *client) stored(topic string, count int) []target.Record {
	j.t.Helper()
	require.NoError(j.t, j.c.WaitStored(topic, int64(count)))
	records, err := j.c.Read(topic)
	require.NoError(j.t, err)
	return records
}

// mustHoldOnce demands count different bodies in a topic, each of them once.
func (j *client) mustHoldOnce(topic string, count int) {
	j.t.Helper()
	times := map[string]int{}
	for _, r := range j.stored(topic, count) {
		times[string(r.Body)]++
	}
	require.Equal(j.t, count, len(times), "different bodies") //nolint:testifylint // Len prints all of them
	for body, n := range times {
		require.Equal(j.t, 1, n, body)
	}
}
