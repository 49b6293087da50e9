// SPDX-License-Identifier: Apache-2.0

// Package report collects the verdicts of the conformance tests. docs/compatibility.md is made of them.
package report

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unicode"
)

// DirVariable names the environment variable with the folder that verdicts are written to. Where it is not set, tests
// run as always and nothing is collected.
const DirVariable = "ROCKETD_REPORT_DIR"

// The tables of docs/compatibility.md.
const (
	Features = "features" // rows: what a client does; columns: client and target, as in "go on binary"
	Codes    = "codes"    // rows: request codes; columns: "namesrv" and "broker"
	Commands = "commands" // rows: mqadmin commands; columns: targets
)

// Entry is one cell of a table.
type Entry struct {
	Table, Row, Column string
	Verdict            string // Passed, Failed, LeftOut, or a test's own word such as "same"
	Ledger             string `json:",omitempty"` // the ledger lines that allow a weaker verdict, with commas between
	Note               string `json:",omitempty"` // why there is no better verdict, where no line of the ledger says so
}

// The verdicts that a test's own end gives.
const (
	Passed  = "passed"
	Failed  = "failed"
	LeftOut = "left out"
)

// The verdicts of comparisons with the original.
const (
	Same         = "same"
	Differs      = "differs" // as the ledger says
	PartlyServed = "partly served"
	NotServed    = "not served"
	NotCompared  = "not compared"
)

var mu sync.Mutex

// Test enters the test's outcome when it ends.
func Test(t testing.TB, table, row, column string) {
	t.Helper()
	t.Cleanup(func() {
		verdict := Passed
		switch {
		case t.Failed():
			verdict = Failed
		case t.Skipped():
			verdict = LeftOut
		}
		if err := Add(Entry{Table: table, Row: row, Column: column, Verdict: verdict}); err != nil {
			t.Error(err)
		}
	})
}

// Add enters one cell.
func Add(e Entry) error {
	dir := os.Getenv(DirVariable)
	if dir == "" {
		return nil
	}
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	// A file a process: several test processes run side by side.
	file, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("%d.jsonl", os.Getpid())), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := file.Write(append(line, '\n')); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}

// Words turns a test's name such as SendOneWay into the row "send one way".
func Words(name string) string {
	var words strings.Builder
	before := 'A'
	for _, r := range name {
		if unicode.IsUpper(r) && unicode.IsLower(before) {
			words.WriteByte(' ')
		}
		words.WriteRune(unicode.ToLower(r))
		before = r
	}
	return words.String()
}
