// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rocketd/admin"
	"rocketd/compat"
	"rocketd/protocol"
)

// Read returns the entries of all test processes that wrote to a folder. There must be some.
func Read(folder string) ([]Entry, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.jsonl"))
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		lines := bufio.NewScanner(bytes.NewReader(text))
		for lines.Scan() {
			var e Entry
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			entries = append(entries, e)
		}
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("%s: there are no verdicts", folder)
	}
	return entries, nil
}

const intro = `# Compatibility

Made by ` + "`make compatibility`" + ` from the verdicts of a run of the conformance tests; do not edit. The names in
brackets are lines of [LEDGER.md](../LEDGER.md), which say what differs and why.

`

// Markdown returns the text of docs/compatibility.md. The same verdicts give the same text, in whatever order they came.
func Markdown(entries []Entry) string {
	var out strings.Builder
	out.WriteString(intro)
	out.WriteString("## What clients do\n\n`go` is the official Go client, the others are releases of the Java client. `java` is Apache RocketMQ 5.5.0 itself.\n\n")
	features := tableOf(Features, entries)
	features.write(&out, "feature", slices.Sorted(maps.Keys(features.cells)))

	out.WriteString("\n## Request codes\n\nEach is sent to ours and to Java in many forms, and the answers are compared.\n\n")
	codes := tableOf(Codes, entries)
	rows := addUnserved(codes)
	codes.write(&out, "code", rows)

	out.WriteString("\n## Commands of mqadmin\n\nJava's mqadmin against ours and against Java: what it prints is compared line by line. `rocketd admin` is our own\n" +
		"tool: what it prints is compared with what Java's prints of the same server.\n\n")
	commands := tableOf(Commands, entries)
	commands.write(&out, "command", admin.Names())
	return out.String()
}

// table holds a table's cells by row and column.
type table struct {
	cells   map[string]map[string]Entry
	columns []string
}

func tableOf(name string, entries []Entry) *table {
	t := &table{cells: map[string]map[string]Entry{}}
	for _, e := range entries {
		if e.Table == name {
			t.add(e)
		}
	}
	slices.SortFunc(t.columns, compareColumns)
	return t
}

// add enters a cell; of several verdicts the weakest stands.
func (t *table) add(e Entry) {
	row := t.cells[e.Row]
	if row == nil {
		row = map[string]Entry{}
		t.cells[e.Row] = row
	}
	if old, ok := row[e.Column]; !ok || weaker(e, old) {
		row[e.Column] = e
	}
	if !slices.Contains(t.columns, e.Column) {
		t.columns = append(t.columns, e.Column)
	}
}

func weaker(a, b Entry) bool {
	rank := func(e Entry) int {
		switch e.Verdict {
		case Passed, Same:
			return 0
		case LeftOut:
			return 2
		case Failed:
			return 3
		default:
			return 1
		}
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a.String(), b.String())) > 0
}

// String is what stands in the cell.
func (e Entry) String() string {
	text := e.Verdict
	if e.Ledger != "" {
		text += " (" + e.Ledger + ")"
	}
	if e.Note != "" {
		text += ": " + e.Note
	}
	return strings.ReplaceAll(text, "|", `\|`)
}

// places is the order of the words that columns end with.
var places = []string{"inproc", "binary", "java", "namesrv", "broker", "rocketd admin"}

// compareColumns puts clients in order, and their targets.
func compareColumns(a, b string) int {
	split := func(column string) (client string, place int) {
		client, last, two := strings.Cut(column, " on ")
		if !two {
			client, last = "", column
		}
		return client, slices.Index(places, last)
	}
	clientA, placeA := split(a)
	clientB, placeB := split(b)
	return cmp.Or(strings.Compare(clientA, clientB), cmp.Compare(placeA, placeB), strings.Compare(a, b))
}

func (t *table) write(out *strings.Builder, first string, rows []string) {
	out.WriteString("| " + first + " | " + strings.Join(t.columns, " | ") + " |\n|---" + strings.Repeat("|---", len(t.columns)) + "|\n")
	for _, row := range rows {
		out.WriteString("| " + row + " |")
		for _, column := range t.columns {
			text := "–"
			if e, ok := t.cells[row][column]; ok {
				text = e.String()
			}
			out.WriteString(" " + text + " |")
		}
		out.WriteString("\n")
	}
}

// addUnserved gives the codes that are not served a row with their line of the ledger, and returns all rows by number.
func addUnserved(t *table) []string {
	if len(t.columns) == 0 {
		t.columns = []string{"broker"}
	}
	numbers := map[string]int32{}
	protocol.RequestCodes(func(code int32, name string) { numbers[name] = code })
	for name, code := range numbers {
		for _, line := range compat.Ledger {
			if slices.Contains(line.Codes, code) && t.cells[name] == nil {
				for _, column := range t.columns {
					t.add(Entry{Table: Codes, Row: name, Column: column, Verdict: NotServed, Ledger: line.ID})
				}
			}
		}
	}
	return slices.SortedFunc(maps.Keys(t.cells), func(a, b string) int {
		return cmp.Or(cmp.Compare(numbers[a], numbers[b]), strings.Compare(a, b))
	})
}

// Difference names the lines that only one of two pages has.
func Difference(committed, run string) string {
	if committed == run {
		return ""
	}
	var out strings.Builder
	a, b := strings.Split(committed, "\n"), strings.Split(run, "\n")
	for _, line := range a {
		if !slices.Contains(b, line) {
			out.WriteString("- " + line + "\n")
		}
	}
	for _, line := range b {
		if !slices.Contains(a, line) {
			out.WriteString("+ " + line + "\n")
		}
	}
	if out.Len() == 0 {
		return "the same lines in another order\n"
	}
	return out.String()
}
