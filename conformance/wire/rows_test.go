// SPDX-License-Identifier: Apache-2.0

// rows_test.go: runs the rows, judges the answers, and enters the weakest verb of each code into the tables of verdicts.

package wire

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rocketd/conformance/report"
)

var families = slices.Concat(sendRows, replyRows, pullRows, offsetRows, offsetAdminRows, clientRows, groupRows, adminRows, routeRows, registerRows, recallRows)

// verdict is the weakest verb that a code needed so far.
type verdict struct {
	weakest Allowance
	failed  bool
}

func TestRows(t *testing.T) {
	verdicts := map[*family]*verdict{}
	each(t, func(t *testing.T, p *pair) {
		for _, f := range families {
			t.Run(f.String(), func(t *testing.T) { f.runFor(t, p, verdicts) })
		}
	})
	enter(t, verdicts)
	if len(verdicts) == len(families) && !t.Failed() {
		mustBeNeeded(t, append(families, &family{allow: everyRule}))
	}
}

// runFor runs the family's rows as a test.
func (f *family) runFor(t *testing.T, p *pair, verdicts map[*family]*verdict) {
	if verdicts[f] == nil {
		verdicts[f] = &verdict{}
	}
	f.run(p.with(t), verdicts[f])
}

// enter puts the verdicts into the compatibility tables.
func enter(t *testing.T, verdicts map[*family]*verdict) {
	for f, v := range verdicts {
		entry := report.Entry{Table: report.Codes, Row: f.String(), Column: string(f.to), Verdict: v.weakest.Verb.String(), Ledger: v.weakest.Ledger}
		if v.failed {
			entry.Verdict = report.Failed
		}
		require.NoError(t, report.Add(entry))
	}
}

// mustBeNeeded fails for rules that no row made use of: the verb could be a stricter one.
func mustBeNeeded(t *testing.T, families []*family) {
	for _, f := range families {
		for _, r := range f.allow {
			if !r.used && !r.alone {
				t.Errorf("%v: nothing needs the rule for %q that %s allows", f, r.rows, r.Ledger)
			}
		}
	}
}

func (f *family) run(p *pair, v *verdict) {
	n := newNames()
	if f.prepare != nil {
		f.prepare(p, n)
	}
	for _, r := range f.all() {
		if f.each != nil {
			f.each(p, n)
		}
		switch weakest := f.check(p, n, &r, v); {
		case weakest == Differs && f.after != nil && f.prepare != nil:
			n = newNames() // what the two hold differs now
			f.prepare(p, n)
		case weakest != Differs && !r.unprobed && !r.shared:
			f.probe(p, n, &r, v)
		}
	}
	v.failed = v.failed || p.t.Failed()
}

// probe compares what a row has left behind.
func (f *family) probe(p *pair, n *names, r *row, v *verdict) {
	patience := settling
	if p.t.Failed() {
		patience = 0 // the state may differ for good
	}
	rules := slices.DeleteFunc(f.rules(r.name), func(r *rule) bool { return r.Verb == Differs })
	for _, probe := range f.after {
		q := family{code: probe.code, to: probe.to, own: f.own, allow: f.allow}
		q.compare(p, n, r.name+", then "+q.String(), rules, n.requests(q.code, pairs(probe.fields), ""), patience, v)
	}
}

// check runs one row and returns the weakest verb that it needed.
func (f *family) check(p *pair, n *names, r *row, v *verdict) Verb {
	rules, patience := f.rules(r.name), time.Duration(0)
	if at := slices.IndexFunc(rules, func(r *rule) bool { return r.alone }); at >= 0 {
		f.askAlone(p, n, r, rules[at])
		return Differs
	}
	if r.settles {
		patience = settling
	}
	scoped := *f
	if r.shared {
		scoped.varies = cmp.Or(f.varies, never) + `|^ext\.queueOffset$`
	}
	return scoped.compare(p, n, r.name, rules, f.request(r, n), patience, v)
}

// askAlone asks ours only.
func (f *family) askAlone(p *pair, n *names, r *row, allowed *rule) {
	answer := p.sides[f.to][ours].Ask(f.request(r, n)[ours], p.form, answerTime)
	if answer.Answer == nil || answer.Answer.Code != allowed.ours {
		p.t.Errorf("%s: should be answer %d, as %s says, and is %s", r.name, allowed.ours, allowed.Ledger, answer.describe())
	}
}

// settling bounds the wait for what Java does in the background.
const settling = 5 * time.Second

// compare asks both and judges, again and again as long as patience lasts and the answers differ.
func (f *family) compare(p *pair, n *names, name string, rules []*rule, requests [2]Request, patience time.Duration, v *verdict) Verb {
	allowed := make([]Allowance, len(rules), len(rules)+1)
	for i, r := range rules {
		allowed[i] = r.Allowance
	}
	var answers [2]Exchange
	var rest []Difference
	var used []Allowance
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		answers = p.ask(f.to, requests, answerTime)
		may := allowed
		if answers[java].threw() {
			may = append(may, Allowance{SameCode, "panic-text", ""})
		}
		rest, used = Judge(Compare(answers[java], answers[ours], f.scope(n)), may)
		if len(rest) == 0 || time.Now().After(deadline) {
			break
		}
	}
	for _, d := range rest {
		p.t.Errorf("%s: %v", name, d)
	}
	if len(rest) > 0 {
		p.t.Logf("%s: Java: %s, ours: %s", name, answers[java].describe(), answers[ours].describe())
	}
	return f.settle(p, name, rules, used, answers, v)
}

// settle notes which rules were needed, and that ours is what they say.
func (f *family) settle(p *pair, name string, rules []*rule, used []Allowance, answers [2]Exchange, v *verdict) (weakest Verb) {
	for _, a := range used {
		for _, r := range rules {
			if r.Allowance != a {
				continue
			}
			r.used = true
			if code := answers[ours].code(); a.Verb == Differs && code != r.ours {
				p.t.Errorf("%s: %s lets ours be answer %d, but it is %s", name, a.Ledger, r.ours, answers[ours].describe())
			}
		}
		weakest = max(weakest, a.Verb)
		if a.Verb > v.weakest.Verb {
			v.weakest = a
		}
	}
	return weakest
}
