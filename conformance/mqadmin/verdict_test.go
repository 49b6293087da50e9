// SPDX-License-Identifier: Apache-2.0

package mqadmin

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"rocketd/admin"
	"rocketd/compat"
	"rocketd/conformance/report"
)

// toolLedger is the line of the ledger about the commands that our tool does not serve.
const toolLedger = "admin-commands"

// row is how the lines of one command came out.
type row struct {
	same, differ, unserved, failed int
	ledger                         map[string]bool
}

// rows are the commands by name.
type rows map[string]*row

// command is the name, as the list of commands spells it.
func (s step) command() string {
	words := strings.Fields(s.line)
	if words[0] == "help" {
		return words[1]
	}
	for _, name := range admin.Names() {
		if strings.EqualFold(name, words[0]) {
			return name
		}
	}
	return words[0]
}

func (r rows) of(s step) *row {
	if r[s.command()] == nil {
		r[s.command()] = &row{ledger: map[string]bool{}}
	}
	return r[s.command()]
}

// lacking are the ledger's lines about request codes that the line needs and that are not served.
func (s step) lacking() []string {
	var ids []string
	for _, e := range compat.Ledger {
		for _, code := range s.needs {
			if slices.Contains(e.Codes, code) && !slices.Contains(ids, e.ID) {
				ids = append(ids, e.ID)
			}
		}
	}
	return ids
}

// unsupported is what Java's tool makes of the answer REQUEST_CODE_NOT_SUPPORTED.
var unsupported = regexp.MustCompile(`CODE: 3 +DESC: request type (\d+) not supported`)

// judge compares one line's outputs. Where something that it needs is lacking, ours must say what.
func (r *row) judge(t *testing.T, s step, lacking []string, java, ours printed) {
	for _, id := range lacking {
		r.ledger[id] = true
	}
	text := ours.out + "\n" + ours.err
	switch {
	case len(lacking) > 0:
		r.unserved++
		if says := unsupported.FindStringSubmatch(text); says != nil {
			if code, err := strconv.Atoi(says[1]); err != nil || !slices.Contains(s.needs, int32(code)) {
				t.Errorf("%s: needs %d, but ours says:\n%s", s.line, s.needs, text)
			}
		} else if !s.quiet && !strings.Contains(text, "not served yet.") {
			r.fail(t, s, "ours must say which request code is not supported", java, ours)
		}
	case s.ours != "":
		r.ledger[s.ledger] = true
		r.differ++
		if !regexp.MustCompile(s.ours).MatchString(text) {
			r.fail(t, s, "ours must print "+s.ours, java, ours)
		}
	case java != ours:
		r.fail(t, s, "ours must print what Java prints", java, ours)
	case s.ledger != "":
		r.ledger[s.ledger] = true
		r.differ++
	default:
		r.same++
	}
}

func (r *row) fail(t *testing.T, s step, what string, java, ours printed) {
	t.Errorf("%s: %s:\n%s", s.line, what, difference(java, ours))
	r.failed++
}

// entry sums up a command.
func (r rows) entry(t *testing.T, name, column string) report.Entry {
	t.Helper()
	e := report.Entry{Table: report.Commands, Row: name, Column: column, Verdict: report.Same}
	row := r[name]
	if row == nil {
		t.Errorf("no line of the script is about %s", name)
		return e
	}
	e.Ledger = strings.Join(slices.Sorted(maps.Keys(row.ledger)), ", ")
	for id := range row.ledger {
		if !slices.ContainsFunc(compat.Ledger, func(l compat.Entry) bool { return l.ID == id }) {
			t.Errorf("%s: the ledger has no line %q", name, id)
		}
	}
	switch {
	case row.failed > 0:
		e.Verdict = report.Failed
	case row.unserved > 0 && row.same+row.differ == 0:
		e.Verdict = report.NotServed
	case row.unserved > 0:
		e.Verdict = report.PartlyServed
	case row.differ > 0:
		e.Verdict = report.Differs
	}
	return e
}
