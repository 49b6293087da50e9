// SPDX-License-Identifier: Apache-2.0

package crash

import (
	"flag"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
	"rocketd/internal/testkit"
)

var (
	rounds = flag.Int("crash.rounds", 13, "how often each flush mode's Broker is killed")
	seed   = flag.Int64("seed", 1, "what the harms and the moments of the kills are drawn with")
	report = flag.String("crash.report", "", "a document to write the result into")
)

// Small files make log, queues and index roll, and the kill falls into every phase of that.
var small = map[string]string{
	"mappedFileSizeCommitLog": "1048576", "mappedFileSizeConsumeQueue": "20000", "maxHashSlotNum": "1000", "maxIndexNum": "4000",
}

func TestCrashKill(t *testing.T) {
	for _, mode := range []string{"ASYNC_FLUSH", "SYNC_FLUSH"} {
		t.Run(mode, func(t *testing.T) { killRounds(t, mode) })
	}
}

func killRounds(t *testing.T, mode string) {
	began := time.Now()
	options := target.Options{Broker: map[string]string{"flushDiskType": mode}}
	for key, value := range small {
		options.Broker[key] = value
	}
	c := target.New(t, target.Binary, options)
	require.NoError(t, c.CreateTopic(topic, queues))
	rng := rand.New(rand.NewSource(*seed))
	order := rng.Perm(len(harms)) // the two modes share the harms of a short run between them
	if mode == "SYNC_FLUSH" {
		slices.Reverse(order)
	}
	h := newHistory()
	slowest := time.Duration(0)
	for round := range *rounds {
		what := harms[order[round%len(order)]]
		for n := range int32(2) { // file and backup are written anew, whatever befell them before
			require.NoError(t, c.CreateTopic("Other", 1+n))
		}
		l := startLoad(h, c.Broker.Addr, round)
		enough := h.count() + 200 + rng.Intn(600)
		testkit.Eventually(t, func() bool { return h.count() >= enough }, "acknowledged messages")
		require.NoError(t, c.Broker.Kill())
		l.end()
		require.NoError(t, what.do(store{c.StoreDir(), rng}), what.name)
		from := time.Now()
		require.NoError(t, c.Broker.Start(), "round %d, seed %d: after %s", round, *seed, what.name)
		slowest = max(slowest, time.Since(from))
		require.NoError(t, c.WaitRoute(topic), "round %d, seed %d: after %s", round, *seed, what.name)
		require.NoError(t, h.verify(c), "round %d, seed %d: after %s", round, *seed, what.name)
	}
	// And a clean stop keeps it all.
	require.NoError(t, c.Broker.Stop())
	require.NoError(t, c.Broker.Start())
	require.NoError(t, c.WaitRoute(topic))
	require.NoError(t, h.verify(c))
	result := fmt.Sprintf("%d kills, %d acknowledged messages, none lost, none twice, slowest start %d ms", *rounds, h.count(), slowest.Milliseconds())
	t.Log(result)
	if *report != "" {
		require.NoError(t, testkit.WriteRow(*report, "kill -9, "+mode, result, fmt.Sprintf("%.0f s", time.Since(began).Seconds())))
	}
}

// With a table of which neither copy can be read the start is refused, and the refusal names the file. Nothing is
// changed by that: the file brought back, all is there.
func TestCrashWithoutAnyTable(t *testing.T) {
	c := target.New(t, target.Binary, target.Options{Broker: small})
	require.NoError(t, c.CreateTopic(topic, queues))
	h := newHistory()
	l := startLoad(h, c.Broker.Addr, 0)
	testkit.Eventually(t, func() bool { return h.count() >= 100 }, "acknowledged messages")
	require.NoError(t, c.Broker.Kill())
	l.end()
	name := filepath.Join(c.StoreDir(), "config", "topics.json")
	was := map[string][]byte{}
	for _, copyName := range []string{name, name + ".bak"} {
		text, err := os.ReadFile(copyName)
		require.NoError(t, err)
		was[copyName] = text
		require.NoError(t, os.WriteFile(copyName, []byte(`{"topicConfigTable":{"a`), 0o644))
	}
	err := c.Broker.Start()
	require.ErrorContains(t, err, name)
	for copyName, text := range was {
		require.NoError(t, os.WriteFile(copyName, text, 0o644))
	}
	require.NoError(t, c.Broker.Start())
	require.NoError(t, c.WaitRoute(topic))
	require.NoError(t, h.verify(c))
}
