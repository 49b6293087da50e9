// SPDX-License-Identifier: Apache-2.0

// table_test.go: what a row is. A family holds those of one request code: the good request, what every parameter may be
// instead, and requests that only this code has. rows_test.go runs them in both header forms.

package wire

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"rocketd/protocol"
)

// family is the rows of one code.
type family struct {
	code    int32
	to      server
	params  []param
	body    string
	prepare func(p *pair, n *names) // once: brings both sides to the state that the rows expect
	each    func(p *pair, n *names) // the same before every row, because the request changes state
	after   []probe                 // what else must be the same after a row
	own     string                  // expression: of the members at these paths of a body only those with our names count
	hidden  string                  // expression: members of a body that are not compared, for the same reason as with varies
	varies  string                  // expression: values at these paths depend on what else a server holds
	rows    []row
	allow   []*rule
}

// param is one field of a good request. Its kind says what takes the place of the good value.
type param struct{ name, kind, good string }

func text(name, good string) param    { return param{name, "text", good} }
func int32s(name, good string) param  { return param{name, "int32", good} }
func int64s(name, good string) param  { return param{name, "int64", good} }
func boolean(name, good string) param { return param{name, "bool", good} }
func queue(name, good string) param   { return param{name, "queue", good} } // an int32 whose negative values mean any queue
func place(name, good string) param   { return param{name, "place", good} } // an int64 that is an offset in the log

// row is one request.
type row struct {
	name     string
	set      []string // fields that are different from those of the good request: name, value, ...
	drop     []string // fields that are not there
	bare     bool     // there is no extFields member
	body     *string  // instead of the family's
	settles  bool     // Java comes to its answer in the background
	unprobed bool     // no probes after this one
	shared   bool     // it goes into a queue that others use too, so its offset there depends on them; no probes after this one
}

// rule lets the rows whose names match be weaker than Same.
type rule struct {
	rows string
	Allowance
	ours int32 // with Differs: the code that ours answers
	// alone: Java is not asked, because the request does harm there that others who use it would meet.
	alone bool
	used  bool
}

// probe is a request whose answer shows what a row has changed.
type probe struct {
	to     server
	code   int32
	fields []string
}

var everyRule = []*rule{
	{rows: `malformed$`, Allowance: Allowance{Differs, "malformed-number", ""}, ours: protocol.SystemError},
	{Allowance: Allowance{SameSet, "hash-order", `^ext$|` + unordered}},
	{Allowance: Allowance{SameSet, "json-quoted-keys", `^body$`}},
	{Allowance: Allowance{SameSet, "remark-empty", `^remark$`}},
	{rows: ` (long|huge)$`, Allowance: Allowance{SameShape, "long-names", `^remark$`}},
	{rows: ` (missing|empty)$|^without extFields$`, Allowance: Allowance{SameShape, "missing-field", `^remark$`}},
}

// unordered are tables and sets of an answer's body under names that rows make.
const unordered = `(table|Table|attributes|topicList|lockOKMQSet|brokerAddrs|Assignments)$`

var long, huge = "{own}" + strings.Repeat("x", 300), "{own}" + strings.Repeat("x", 40_000)

// variants are the values that a parameter of a kind takes instead of the good one.
var variants = map[string][]KV{
	"text": {{"empty", ""}, {"long", long}, {"huge", huge}, {"odd", "{own}a b/\u00fc$"}},
	"int32": {{"empty malformed", ""}, {"x malformed", "x"}, {"overflow malformed", "2147483648"}, {"blank malformed", " 1"}, {"-1", "-1"}, {"0", "0"},
		{"+1", "+1"}, {"min", "-2147483648"}, {"max", "2147483647"}},
	"int64": {{"empty malformed", ""}, {"x malformed", "x"}, {"overflow malformed", "9223372036854775808"}, {"-1", "-1"}, {"0", "0"}, {"+1", "+1"},
		{"min", "-9223372036854775808"}, {"max", "9223372036854775807"}},
	"queue": {{"empty malformed", ""}, {"x malformed", "x"}, {"overflow malformed", "2147483648"}, {"+1", "+1"}, {"max", "2147483647"}},
	"place": {{"empty malformed", ""}, {"x malformed", "x"}, {"overflow malformed", "9223372036854775808"}, {"-1", "-1"}, {"min", "-9223372036854775808"},
		{"max", "9223372036854775807"}},
	"bool": {{"empty", ""}, {"TRUE", "TRUE"}, {"x", "x"}},
}

// all are the rows of the family: the good request, those made from the parameters, its own.
func (f *family) all() []row {
	rows := []row{{name: "good"}, {name: "without extFields", bare: true}, {name: "unknown field", set: []string{"unknown", "value"}}}
	if f.body != "" {
		none, broken := "", "{\"a\":"
		rows = append(rows, row{name: "without body", body: &none}, row{name: "broken body", body: &broken})
	}
	for _, p := range f.params {
		rows = append(rows, row{name: p.name + " missing", drop: []string{p.name}})
		for _, v := range variants[p.kind] {
			rows = append(rows, row{name: p.name + " " + v.Key, set: []string{p.name, v.Value}})
		}
	}
	return append(rows, f.rows...)
}

// fields are those of the row's request; nil for no member at all.
func (f *family) fields(r *row) []KV {
	if r.bare {
		return nil
	}
	fields := []KV{}
	for _, p := range f.params {
		if !slices.Contains(r.drop, p.name) {
			fields = append(fields, KV{p.name, p.good})
		}
	}
	for _, f := range pairs(r.set) {
		if at := slices.IndexFunc(fields, func(old KV) bool { return old.Key == f.Key }); at >= 0 {
			fields[at].Value = f.Value
		} else {
			fields = append(fields, f)
		}
	}
	return fields
}

// rules are those that a row may make use of.
func (f *family) rules(name string) []*rule {
	matching := func(r *rule) bool { return !regexp.MustCompile(r.rows).MatchString(name) }
	return slices.DeleteFunc(slices.Concat(f.allow, everyRule), matching)
}

const never = `^\b$`

// scope is what of the answers is compared.
func (f *family) scope(n *names) (s Scope) {
	own, hidden := regexp.MustCompile(cmp.Or(f.own, never)), regexp.MustCompile(cmp.Or(f.hidden, never))
	s.Keep = func(path, name string) bool {
		return (!own.MatchString(path) || strings.Contains(name, n.own)) && !hidden.MatchString(path+"."+name)
	}
	s.Unordered = regexp.MustCompile(unordered)
	if f.varies != "" {
		s.Varies = regexp.MustCompile(f.varies)
	}
	return s
}

func (f *family) String() string { return fmt.Sprintf("%s (%d)", protocol.RequestName(f.code), f.code) }

// request is that of a row, for each side.
func (f *family) request(r *row, n *names) [2]Request {
	body := *cmp.Or(r.body, &f.body)
	return n.requests(f.code, f.fields(r), body)
}
