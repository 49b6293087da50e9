// SPDX-License-Identifier: Apache-2.0

// Package mqadmin lets the original's admin tool work on each target and compares what it prints line by line, and
// compares what our own tool prints with it.
package mqadmin

import (
	"crypto/rand"
	"encoding/hex"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/admin"
	"rocketd/conformance/report"
	"rocketd/conformance/target"
)

var shared target.Pool

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

func TestSameAsJava(t *testing.T) {
	target.Require(t, target.Java)
	chosen, err := target.Chosen()
	require.NoError(t, err)
	// The original is what the others are compared with, whether it was chosen or not.
	kinds := append([]target.Kind{target.Java}, slices.DeleteFunc(chosen, func(k target.Kind) bool { return k == target.Java })...)
	random := make([]byte, 4)
	_, _ = rand.Read(random)
	tool := newDriver(t)
	runs := make([]*run, len(kinds))
	for i, kind := range kinds {
		runs[i] = newRun(t, kind, tool, "Mq"+hex.EncodeToString(random))
		runs[i].all(t)
	}
	for _, r := range runs[1:] {
		t.Run(string(r.cluster.Kind), func(t *testing.T) { compareServers(t, runs[0], r) })
	}
	t.Run("tool", func(t *testing.T) { compareTools(t, runs) })
}

// compareServers looks at what Java's tool printed of both.
func compareServers(t *testing.T, java, ours *run) {
	rows := rows{}
	for i, s := range script {
		theirs, own := java.servers[i], ours.servers[i]
		if s.common {
			theirs, own = commonLines(theirs, own)
		}
		rows.of(s).judge(t, s, s.lacking(), theirs, own)
	}
	for _, name := range admin.Names() {
		if why := notCompared[name]; why != "" {
			require.NoError(t, report.Add(report.Entry{Table: report.Commands, Row: name, Column: string(ours.cluster.Kind), Verdict: report.NotCompared, Note: why}))
			continue
		}
		require.NoError(t, report.Add(rows.entry(t, name, string(ours.cluster.Kind))))
	}
}

// compareTools looks at what both tools printed of the same server, whichever it is.
func compareTools(t *testing.T, runs []*run) {
	rows := rows{}
	for _, r := range runs {
		for i, s := range script {
			if s.tool {
				rows.of(s).judge(t, s, r.unservedOption(i), r.tools[i].java, r.tools[i].ours)
			}
		}
	}
	for _, name := range admin.Names() {
		e := report.Entry{Table: report.Commands, Row: name, Column: "rocketd admin", Verdict: report.NotServed, Ledger: toolLedger}
		if _, served := rows[name]; served {
			e = rows.entry(t, name, "rocketd admin")
		} else if out := runTool(name); !strings.Contains(out.err, "The sub command "+name+" is not served yet.") {
			t.Errorf("%s is served, and no line of the script compares it:\n%s%s", name, out.out, out.err)
		}
		require.NoError(t, report.Add(e))
	}
}

// Every command is compared, or it is said why not.
func TestEveryCommand(t *testing.T) {
	compared := map[string]bool{}
	for _, s := range script {
		compared[s.command()] = true
	}
	for _, name := range admin.Names() {
		if compared[name] == (notCompared[name] != "") {
			t.Errorf("%s must be in the script or in notCompared, and not in both", name)
		}
		delete(compared, name)
	}
	require.Empty(t, compared, "unknown commands in the script")
}
