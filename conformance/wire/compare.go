// SPDX-License-Identifier: Apache-2.0

// compare.go: what differs between two answers, and which of it a row may allow.

package wire

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Aspect says what about two answers differs.
type Aspect string

// The aspects of an answer.
const (
	Envelope Aspect = "envelope" // form, flag, language, version, order of header members, or no answer at all
	Code     Aspect = "code"
	Presence Aspect = "presence" // something is there in one only, or is of another type
	Value    Aspect = "value"
	Order    Aspect = "order"
	Quoting  Aspect = "quoting" // integer keys of JSON with quotes or without
	Blank    Aspect = "blank"   // a remark without text, which Java writes
)

// Difference is one thing that differs.
type Difference struct {
	Aspect     Aspect
	Path       string // such as remark, ext.offset, body.queueDatas[0].perm
	Java, Ours string
}

func (d Difference) String() string {
	return fmt.Sprintf("%s of %s: Java has %s, ours %s", d.Aspect, d.Path, shorten(d.Java), shorten(d.Ours))
}

func shorten(s string) string {
	const most = 300
	if len(s) > most {
		return fmt.Sprintf("%q... (%d bytes)", s[:most], len(s))
	}
	return fmt.Sprintf("%q", s)
}

// Verb says how alike answers have to be.
type Verb int

// The verbs, from the strictest to the weakest. All but Same need a line of the ledger.
const (
	Same      Verb = iota // everything
	SameSet               // but for the order, the quotes around integer keys, and a remark without text
	SameShape             // but for values
	SameCode              // but for everything behind the code
	Differs               // not even that; ours must then be what the row says
)

func (v Verb) String() string {
	return [...]string{"same", "same set", "same shape", "same code", "differs"}[v]
}

// excuses reports whether the verb allows a difference of that aspect.
func (v Verb) excuses(a Aspect) bool {
	switch v {
	case SameSet:
		return a == Order || a == Quoting || a == Blank
	case SameShape:
		return a == Order || a == Quoting || a == Blank || a == Value
	case SameCode:
		return a != Code && a != Envelope
	case Differs:
		return true
	}
	return false
}

// Allowance lets a row be weaker than Same, for one reason, at the paths that the expression matches (all if empty).
type Allowance struct {
	Verb   Verb
	Ledger string
	Path   string
}

func (a Allowance) excuses(d Difference) bool {
	return a.Verb.excuses(d.Aspect) && (a.Path == "" || regexp.MustCompile(a.Path).MatchString(d.Path))
}

// Judge splits differences into those that no allowance excuses and the allowances that the others needed.
func Judge(found []Difference, allowed []Allowance) (rest []Difference, used []Allowance) {
	for _, d := range found {
		at := -1 // the strictest that excuses it
		for i, a := range allowed {
			if a.excuses(d) && (at < 0 || a.Verb < allowed[at].Verb) {
				at = i
			}
		}
		switch {
		case at < 0:
			rest = append(rest, d)
		case !slices.Contains(used, allowed[at]):
			used = append(used, allowed[at])
		}
	}
	return rest, used
}

// Exchange is an answer with what is known of its side: what to mask, and what of its lists to look at.
type Exchange struct {
	Answer *Answer // nil: none came
	Ended  string  // how the wait ended without an answer
	Mask   func(string) string
}

// Scope says what of two answers is compared. The zero value is everything.
type Scope struct {
	Keep   func(path, name string) bool // chooses members of the body
	Varies *regexp.Regexp               // paths whose values depend on what else a server holds, and are not compared
	// Unordered are paths in Java's order of a hash map, under names that each run makes anew. That two orders are alike
	// there is chance, so it never counts as the same order: a verdict must not depend on the names.
	Unordered *regexp.Regexp
}

// Compare lists what differs.
func Compare(java, ours Exchange, scope Scope) []Difference {
	if java.Answer == nil || ours.Answer == nil {
		if java.Answer == ours.Answer && java.Ended == ours.Ended {
			return nil
		}
		return []Difference{{Envelope, "answer", java.describe(), ours.describe()}}
	}
	j, o := java.Answer, ours.Answer
	c := comparison{scope: scope}
	c.same(Envelope, "form", j.Form.String(), o.Form.String())
	c.same(Code, "code", fmt.Sprint(j.Code), fmt.Sprint(o.Code))
	c.same(Envelope, "flag", fmt.Sprint(j.Flag), fmt.Sprint(o.Flag))
	c.same(Envelope, "language", j.Language, o.Language)
	c.same(Envelope, "version", fmt.Sprint(j.Version), fmt.Sprint(o.Version))
	c.members(j, o)
	c.remark(j.Remark, o.Remark, java.Mask, ours.Mask)
	c.fields(j, o, java.Mask, ours.Mask)
	c.body(java, ours)
	return c.found
}

// code is that of the answer; there is no code -1.
func (e Exchange) code() int32 {
	if e.Answer == nil {
		return -1
	}
	return e.Answer.Code
}

func (e Exchange) describe() string {
	if e.Answer == nil {
		return e.Ended
	}
	remark := ""
	if e.Answer.Remark != nil {
		remark = " " + *e.Answer.Remark
	}
	return fmt.Sprintf("answer %d%s", e.Answer.Code, remark)
}

// exceptionText is how remarks begin that are the text of a Java exception.
var exceptionText = regexp.MustCompile(`^(java\.|com\.alibaba\.|org\.apache\.rocketmq\.[\w.]+Exception|Cannot invoke|Cannot read|Illegal )`)

// threw reports whether the answer is SYSTEM_ERROR with the text of an exception.
func (e Exchange) threw() bool {
	return e.Answer != nil && e.Answer.Code == 1 && e.Answer.Remark != nil && exceptionText.MatchString(*e.Answer.Remark)
}

// comparison collects differences.
type comparison struct {
	scope Scope
	found []Difference
}

func (c *comparison) same(aspect Aspect, path, java, ours string) {
	if java != ours && (aspect != Value || c.scope.Varies == nil || !c.scope.Varies.MatchString(path)) {
		c.found = append(c.found, Difference{aspect, path, java, ours})
	}
}

// members compares the order of those members that both headers have; presence is compared member by member.
func (c *comparison) members(j, o *Answer) {
	in := func(list []string) func(string) bool {
		return func(s string) bool { return !slices.Contains(list, s) }
	}
	java := slices.DeleteFunc(slices.Clone(j.Members), in(o.Members))
	ours := slices.DeleteFunc(slices.Clone(o.Members), in(j.Members))
	c.same(Envelope, "header members", strings.Join(java, " "), strings.Join(ours, " "))
}

func (c *comparison) remark(j, o *string, maskJava, maskOurs func(string) string) {
	switch {
	case j == nil && o == nil:
	case j == nil:
		c.same(Presence, "remark", "none", *o)
	case o == nil && *j == "":
		c.same(Blank, "remark", "", "none")
	case o == nil:
		c.same(Presence, "remark", *j, "none")
	default:
		c.same(Value, "remark", maskJava(*j), maskOurs(*o))
	}
}

func (c *comparison) fields(j, o *Answer, maskJava, maskOurs func(string) string) {
	if (j.Fields == nil) != (o.Fields == nil) {
		c.same(Presence, "ext", describeFields(j.Fields), describeFields(o.Fields))
		return
	}
	java, ours := fieldNode(j.Fields), fieldNode(o.Fields)
	java.mask(maskJava)
	ours.mask(maskOurs)
	c.nodes("ext", java, ours)
}

func describeFields(fields []KV) string {
	if fields == nil {
		return "none"
	}
	return fmt.Sprint(fields)
}

func fieldNode(fields []KV) *node {
	n := &node{kind: "object"}
	for _, f := range fields {
		n.keys = append(n.keys, f.Key)
		n.nodes = append(n.nodes, &node{kind: "string", leaf: f.Value})
	}
	return n
}

func (c *comparison) body(java, ours Exchange) {
	j, o := java.Answer.Body, ours.Answer.Body
	if (len(j) == 0) != (len(o) == 0) {
		c.same(Presence, "body", string(j), string(o))
		return
	}
	left, bareLeft := parseBody(j)
	right, bareRight := parseBody(o)
	left.mask(java.Mask)
	right.mask(ours.Mask)
	if keep := c.scope.Keep; keep != nil {
		left.filter(keep, "body")
		right.filter(keep, "body")
	}
	if bareLeft != bareRight {
		c.same(Quoting, "body", fmt.Sprintf("bare integer keys: %t", bareLeft), fmt.Sprintf("bare integer keys: %t", bareRight))
	}
	c.nodes("body", left, right)
}

func (c *comparison) nodes(path string, java, ours *node) {
	switch {
	case java.kind != ours.kind:
		c.same(Presence, path, java.kind+" "+java.leaf, ours.kind+" "+ours.leaf)
	case java.kind == "object":
		c.objects(path, java, ours)
	case java.kind == "array":
		c.arrays(path, java, ours)
	default:
		c.same(Value, path, java.leaf, ours.leaf)
	}
}

func (c *comparison) objects(path string, java, ours *node) {
	var common, inOurs []string
	for i, key := range java.keys {
		at := slices.Index(ours.keys, key)
		if at < 0 {
			c.same(Presence, path+"."+key, java.nodes[i].canonical(), "none")
			continue
		}
		common = append(common, key)
		c.nodes(path+"."+key, java.nodes[i], ours.nodes[at])
	}
	for i, key := range ours.keys {
		if !slices.Contains(java.keys, key) {
			c.same(Presence, path+"."+key, "none", ours.nodes[i].canonical())
			continue
		}
		inOurs = append(inOurs, key)
	}
	c.same(Order, path, strings.Join(common, " "), strings.Join(inOurs, " "))
	c.unordered(path, len(common))
}

// unordered notes that the order of so many members, alike or not, is chance.
func (c *comparison) unordered(path string, count int) {
	if count > 1 && c.scope.Unordered != nil && c.scope.Unordered.MatchString(path) {
		c.found = append(c.found, Difference{Order, path, "the order of a hash map", "a fixed order"})
	}
}

func (c *comparison) arrays(path string, java, ours *node) {
	if len(java.nodes) != len(ours.nodes) {
		c.same(Presence, path, java.canonical(), ours.canonical())
		return
	}
	c.unordered(path, len(java.nodes))
	if java.canonical() == ours.canonical() {
		for i := range java.nodes {
			if java.nodes[i].canonical() != ours.nodes[i].canonical() {
				c.same(Order, path, fmt.Sprintf("element %d: %s", i, java.nodes[i].canonical()), ours.nodes[i].canonical())
				return
			}
		}
	}
	for i := range java.nodes {
		c.nodes(fmt.Sprintf("%s[%d]", path, i), java.nodes[i], ours.nodes[i])
	}
}
