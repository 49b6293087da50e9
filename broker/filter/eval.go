// SPDX-License-Identifier: Apache-2.0

// eval.go: SQL92 expressions over one message's properties, in three-valued logic. A property is always a text or
// missing; against a number it is read as a number of that literal's type, and a text that is none ends the evaluation:
// the message does not match. Nothing here allocates. Java: ComparisonExpression, LogicExpression, UnaryExpression,
// PropertyExpression.

package filter

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rocketd/compat"
)

type valueKind uint8

const (
	null valueKind = iota
	boolean
	integer // Java's Integer: -2^31 to 2^31-1
	long
	double
	text
)

// value is a result; only the field of its kind counts.
type value struct {
	kind valueKind
	b    bool
	i    int64
	f    float64
	s    string
}

func truth(b bool) value       { return value{kind: boolean, b: b} }
func (v value) isNumber() bool { return v.kind == integer || v.kind == long || v.kind == double }

func (v value) String() string {
	switch v.kind {
	case boolean:
		return strings.ToUpper(fmt.Sprint(v.b))
	case integer, long:
		return fmt.Sprint(v.i)
	case double:
		return fmt.Sprint(v.f)
	case text:
		return "'" + v.s + "'"
	}
	return "NULL"
}

// errIncomparable ends an evaluation where Java throws.
var errIncomparable = errors.New("values that cannot be compared")

// expr is a node of a compiled expression.
type expr interface {
	eval(p *properties) (value, error)
}

// outcome is what a condition says of a message.
type outcome uint8

const (
	unknown outcome = iota
	no
	yes
	failed // with errIncomparable
)

func told(is bool) outcome {
	if is {
		return yes
	}
	return no
}

// value is the outcome where a condition is an operand.
func (o outcome) value() (value, error) {
	switch o {
	case unknown:
		return value{}, nil
	case failed:
		return value{}, errIncomparable
	}
	return truth(o == yes), nil
}

// condition is a node that is a truth value.
type condition interface {
	expr
	test(p *properties) outcome
}

// literal is a constant where a condition is wanted.
type literal struct{ outcome }

func (x literal) test(*properties) outcome        { return x.outcome }
func (x literal) eval(*properties) (value, error) { return x.value() }

type constant struct{ value }

func (x constant) eval(*properties) (value, error) { return x.value, nil }

// property is the number of a property's name.
type property int

func (x property) eval(p *properties) (value, error) {
	if s := p.value(int(x)); s != "" {
		return value{kind: text, s: s}, nil
	}
	return value{}, nil
}

// cast is a property where a truth value is wanted. As properties are texts, it is false or, if missing, unknown.
type cast struct{ name property }

func (x cast) test(p *properties) outcome {
	if p.value(int(x.name)) == "" {
		return unknown
	}
	return no
}

func (x cast) eval(p *properties) (value, error) { return x.test(p).value() }

type minus struct{ x expr }

func (x *minus) eval(p *properties) (value, error) {
	v, err := x.x.eval(p)
	switch v.kind {
	case integer:
		v.i = int64(int32(-v.i))
	case long:
		v.i = -v.i
	case double:
		v.f = -v.f
	default:
		v = value{}
	}
	return v, err
}

type negation struct{ x condition }

func (x *negation) test(p *properties) outcome {
	switch o := x.x.test(p); o {
	case yes:
		return no
	case no:
		return yes
	default:
		return o
	}
}

func (x *negation) eval(p *properties) (value, error) { return x.test(p).value() }

type and struct{ xs []condition }

func (x *and) test(p *properties) outcome {
	all := yes
	for _, operand := range x.xs {
		switch o := operand.test(p); o {
		case no, failed:
			return o
		case unknown:
			all = unknown
		}
	}
	return all
}

func (x *and) eval(p *properties) (value, error) { return x.test(p).value() }

type or struct{ xs []condition }

func (x *or) test(p *properties) outcome {
	none := no
	for _, operand := range x.xs {
		switch o := operand.test(p); o {
		case yes, failed:
			return o
		case unknown:
			none = unknown
		}
	}
	return none
}

func (x *or) eval(p *properties) (value, error) { return x.test(p).value() }

type isNull struct{ x expr }

func (x *isNull) test(p *properties) outcome {
	if name, ok := x.x.(property); ok {
		return told(p.value(int(name)) == "")
	}
	v, err := x.x.eval(p)
	if err != nil {
		return failed
	}
	return told(v.kind == null)
}

func (x *isNull) eval(p *properties) (value, error) { return x.test(p).value() }

type equal struct{ left, right expr }

func (x *equal) test(p *properties) outcome {
	l, err := x.left.eval(p)
	if err != nil {
		return failed
	}
	r, err := x.right.eval(p)
	switch {
	case err != nil:
		return failed
	case l.kind == null && r.kind == null:
		return yes
	case l.kind == null:
		return unknown
	case r.kind == null:
		return no
	}
	order, err := compareAny(l, r)
	if err != nil {
		return failed
	}
	return told(order == 0)
}

func (x *equal) eval(p *properties) (value, error) { return x.test(p).value() }

// order is a comparison's operator.
type order uint8

const (
	greater order = iota
	atLeast
	less
	atMost
	same
)

var orders = map[string]order{">": greater, ">=": atLeast, "<": less, "<=": atMost}

// holds says whether the operator does, for what compareSame returned.
func (o order) holds(compared int) bool {
	switch o {
	case greater:
		return compared > 0
	case atLeast:
		return compared >= 0
	case less:
		return compared < 0
	case atMost:
		return compared <= 0
	}
	return compared == 0
}

type compare struct {
	op          order
	left, right expr
}

func (x *compare) test(p *properties) outcome {
	l, err := x.left.eval(p)
	if err != nil {
		return failed
	}
	if l.kind == null {
		return unknown
	}
	r, err := x.right.eval(p)
	if err != nil {
		return failed
	}
	if r.kind == null {
		return unknown
	}
	if l.kind == text && r.kind == text {
		if l, err = parseAs(l.s, double); err != nil {
			return failed
		}
		if r, err = parseAs(r.s, double); err != nil {
			return failed
		}
	}
	compared, err := compareAny(l, r)
	if err != nil {
		return failed
	}
	return told(x.op.holds(compared))
}

func (x *compare) eval(p *properties) (value, error) { return x.test(p).value() }

// compareNumber is a compare of a property with a number, which is what most are, or whether they are equal.
type compareNumber struct {
	op   order
	name property
	with numeric
}

func (x *compareNumber) test(p *properties) outcome {
	s := p.value(int(x.name))
	if s == "" {
		return unknown
	}
	n, ok := parseNumber(s, x.with.kind)
	if !ok {
		return failed
	}
	return told(x.op.holds(n.compare(x.with)))
}

func (x *compareNumber) eval(p *properties) (value, error) { return x.test(p).value() }

// between is two compareNumbers of a property, with numbers of one kind.
type between struct {
	name      property
	low, high numeric
	not       bool
}

func (x *between) test(p *properties) outcome {
	s := p.value(int(x.name))
	if s == "" {
		return unknown
	}
	n, ok := parseNumber(s, x.low.kind)
	if !ok {
		return failed
	}
	inside := n.compare(x.low) >= 0 && n.compare(x.high) <= 0
	return told(inside != x.not)
}

func (x *between) eval(p *properties) (value, error) { return x.test(p).value() }

// equalText is an equal of a property and a text.
type equalText struct {
	name property
	with string
}

func (x *equalText) test(p *properties) outcome {
	s := p.value(int(x.name))
	if s == "" {
		return unknown
	}
	return told(s == x.with)
}

func (x *equalText) eval(p *properties) (value, error) { return x.test(p).value() }

// compareAny compares two values that are not null as Java's compareTo does after its conversions. What has no
// conversion is "less".
func compareAny(l, r value) (int, error) {
	if l.kind == r.kind {
		return compareSame(l, r), nil
	}
	var err error
	switch {
	case l.kind == boolean && r.kind == text:
		return 0, errIncomparable
	case l.kind == text && r.kind == boolean:
		l = truth(compat.ParseBool(l.s))
	case l.kind == text && r.isNumber():
		l, err = parseAs(l.s, r.kind)
	case r.kind == text && l.isNumber():
		r, err = parseAs(r.s, l.kind)
	case l.isNumber() && r.isNumber():
		l, r = widen(l, r.kind), widen(r, l.kind)
	default:
		return -1, nil
	}
	return compareSame(l, r), err
}

// widen makes a number at least of the given kind.
func widen(v value, kind valueKind) value {
	if v.kind < kind && kind == double {
		v.f = float64(v.i)
	}
	v.kind = max(v.kind, kind)
	return v
}

func compareSame(l, r value) int {
	switch l.kind {
	case boolean:
		return cmp.Compare(bit(l.b), bit(r.b))
	case text:
		return cmp.Compare(l.s, r.s)
	}
	return l.number().compare(r.number())
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// in is a list of texts.
type in struct {
	name property
	list []string // short, or nil
	set  map[string]bool
	not  bool
}

// shortList is how many texts are looked through quicker than they are looked up.
const shortList = 8

func (x *in) test(p *properties) outcome {
	s := p.value(int(x.name))
	switch {
	case s == "":
		return unknown
	case x.list != nil:
		return told(slices.Contains(x.list, s) != x.not)
	}
	return told(x.set[s] != x.not)
}

func (x *in) eval(p *properties) (value, error) { return x.test(p).value() }

// textTest is CONTAINS, STARTSWITH or ENDSWITH. Of what is no text it is false, with NOT as well.
type textTest struct {
	x    expr
	is   func(s, want string) bool
	want string
	not  bool
}

var textTests = map[string]func(s, want string) bool{
	"CONTAINS": strings.Contains, "STARTSWITH": strings.HasPrefix, "ENDSWITH": strings.HasSuffix,
}

func (x *textTest) test(p *properties) outcome {
	var s string
	if name, ok := x.x.(property); ok {
		if s = p.value(int(name)); s == "" {
			return no
		}
	} else if v, err := x.x.eval(p); err != nil {
		return failed
	} else if s = v.s; v.kind != text {
		return no
	}
	return told(x.want != "" && x.is(s, x.want) != x.not)
}

func (x *textTest) eval(p *properties) (value, error) { return x.test(p).value() }
