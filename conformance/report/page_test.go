// SPDX-License-Identifier: Apache-2.0

package report

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func someEntries() []Entry {
	return []Entry{
		{Table: Features, Row: "send", Column: "go on java", Verdict: Passed},
		{Table: Features, Row: "send", Column: "go on inproc", Verdict: Passed},
		{Table: Features, Row: "send", Column: "5.5.0 on binary", Verdict: Passed},
		{Table: Features, Row: "pull", Column: "go on inproc", Verdict: Failed},
		{Table: Features, Row: "pull", Column: "go on inproc", Verdict: Passed},
		{Table: Codes, Row: "PULL_MESSAGE", Column: "broker", Verdict: Same},
		{Table: Codes, Row: "SEND_MESSAGE", Column: "broker", Verdict: Differs, Ledger: "send-malformed"},
		{Table: Commands, Row: "topicList", Column: "binary", Verdict: Same},
		{Table: Commands, Row: "startMonitoring", Column: "binary", Verdict: NotCompared, Note: "never ends"},
	}
}

func TestMarkdown(t *testing.T) {
	text := Markdown(someEntries())
	for _, want := range []string{
		"| feature | 5.5.0 on binary | go on inproc | go on java |\n|---|---|---|---|\n",
		"| pull | – | failed | – |\n| send | passed | passed | passed |\n", // the weaker of two verdicts
		"| SEND_MESSAGE | differs (send-malformed) |\n| PULL_MESSAGE | same |\n",
		"| QUERY_BROKER_OFFSET | not served (code-unused) |\n",
		"| topicList | same |\n",
		"| startMonitoring | not compared: never ends |\n",
		"| clusterList | – |\n",
	} {
		require.Contains(t, text, want)
	}
	shuffled := someEntries()
	slices.Reverse(shuffled)
	require.Equal(t, text, Markdown(shuffled), "the order of the entries must not matter")
}

func TestRead(t *testing.T) {
	folder := t.TempDir()
	t.Setenv(DirVariable, folder)
	for _, e := range someEntries() {
		require.NoError(t, Add(e))
	}
	read, err := Read(folder)
	require.NoError(t, err)
	require.Equal(t, someEntries(), read)

	require.NoError(t, os.WriteFile(filepath.Join(folder, "torn.jsonl"), []byte(`{"Table":`), 0o644))
	_, err = Read(folder)
	require.ErrorContains(t, err, "torn.jsonl")
	_, err = Read(t.TempDir())
	require.ErrorContains(t, err, "there are no verdicts")
}

func TestDifference(t *testing.T) {
	text := Markdown(someEntries())
	require.Empty(t, Difference(text, text))
	changed := strings.Replace(text, "| topicList | same |", "| topicList | failed |", 1)
	require.Equal(t, "- | topicList | same |\n+ | topicList | failed |\n", Difference(text, changed))
	require.Equal(t, "the same lines in another order\n", Difference("a\nb", "b\na"))
}
