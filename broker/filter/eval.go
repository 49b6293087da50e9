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
func (v value) isTrue() bool   { return v.kind == boolean && v.b }
func (v value) isFalse() bool  { return v.kind == boolean && !v.b }
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

// isBoolean says whether an expression is a condition by its form.
func isBoolean(x expr) bool {
	switch x := x.(type) {
	case constant:
		return x.kind == boolean || x.kind == null
	case property, *minus:
		return false
	}
	return true
}

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

func (x cast) eval(p *properties) (value, error) {
	v, err := x.name.eval(p)
	if v.kind == text {
		v = truth(false)
	}
	return v, err
}

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

type negation struct{ x expr }

func (x *negation) eval(p *properties) (value, error) {
	v, err := x.x.eval(p)
	if v.kind == boolean {
		v.b = !v.b
	}
	return v, err
}

type and struct{ xs []expr }

func (x *and) eval(p *properties) (value, error) {
	all := truth(true)
	for _, operand := range x.xs {
		v, err := operand.eval(p)
		if err != nil || v.isFalse() {
			return v, err
		}
		if v.kind == null {
			all = v
		}
	}
	return all, nil
}

type or struct{ xs []expr }

func (x *or) eval(p *properties) (value, error) {
	none := truth(false)
	for _, operand := range x.xs {
		v, err := operand.eval(p)
		if err != nil || v.isTrue() {
			return v, err
		}
		if v.kind == null {
			none = v
		}
	}
	return none, nil
}

type isNull struct{ x expr }

func (x *isNull) eval(p *properties) (value, error) {
	v, err := x.x.eval(p)
	return truth(v.kind == null), err
}

type equal struct{ left, right expr }

func (x *equal) eval(p *properties) (value, error) {
	l, err := x.left.eval(p)
	if err != nil {
		return value{}, err
	}
	r, err := x.right.eval(p)
	switch {
	case err != nil:
		return value{}, err
	case l.kind == null && r.kind == null:
		return truth(true), nil
	case l.kind == null:
		return value{}, nil
	case r.kind == null:
		return truth(false), nil
	}
	order, err := compareAny(l, r)
	return truth(order == 0), err
}

// order is a comparison's operator.
type order uint8

const (
	greater order = iota
	atLeast
	less
	atMost
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
	}
	return compared <= 0
}

type compare struct {
	op          order
	left, right expr
}

func (x *compare) eval(p *properties) (value, error) {
	l, err := x.left.eval(p)
	if err != nil || l.kind == null {
		return value{}, err
	}
	r, err := x.right.eval(p)
	if err != nil || r.kind == null {
		return value{}, err
	}
	if l.kind == text && r.kind == text {
		if l, err = parseDouble(l.s); err != nil {
			return value{}, err
		}
		if r, err = parseDouble(r.s); err != nil {
			return value{}, err
		}
	}
	compared, err := compareAny(l, r)
	return truth(x.op.holds(compared)), err
}

// compareNumber is a compare of a property with a number, which is what most are.
type compareNumber struct {
	op   order
	name property
	with value
}

func (x *compareNumber) eval(p *properties) (value, error) {
	s := p.value(int(x.name))
	if s == "" {
		return value{}, nil
	}
	v, err := parseAs(s, x.with.kind)
	return truth(x.op.holds(compareSame(v, x.with))), err
}

// between is two compareNumbers of a property, with numbers of one kind.
type between struct {
	name      property
	low, high value
	not       bool
}

func (x *between) eval(p *properties) (value, error) {
	s := p.value(int(x.name))
	if s == "" {
		return value{}, nil
	}
	v, err := parseAs(s, x.low.kind)
	inside := compareSame(v, x.low) >= 0 && compareSame(v, x.high) <= 0
	return truth(inside != x.not), err
}

// equalText is an equal of a property and a text.
type equalText struct {
	name property
	with string
}

func (x *equalText) eval(p *properties) (value, error) {
	s := p.value(int(x.name))
	if s == "" {
		return value{}, nil
	}
	return truth(s == x.with), nil
}

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
	case double:
		return compareDouble(l.f, r.f)
	case text:
		return cmp.Compare(l.s, r.s)
	}
	return cmp.Compare(l.i, r.i)
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

func (x *in) eval(p *properties) (value, error) {
	s := p.value(int(x.name))
	switch {
	case s == "":
		return value{}, nil
	case x.list != nil:
		return truth(slices.Contains(x.list, s) != x.not), nil
	}
	return truth(x.set[s] != x.not), nil
}

// textTest is CONTAINS, STARTSWITH or ENDSWITH. Of what is no text it is false, with NOT as well.
type textTest struct {
	x    expr
	op   string
	want string
	not  bool
}

func (x *textTest) eval(p *properties) (value, error) {
	v, err := x.x.eval(p)
	if err != nil || v.kind != text || x.want == "" {
		return truth(false), err
	}
	var is bool
	switch x.op {
	case "CONTAINS":
		is = strings.Contains(v.s, x.want)
	case "STARTSWITH":
		is = strings.HasPrefix(v.s, x.want)
	default:
		is = strings.HasSuffix(v.s, x.want)
	}
	return truth(is != x.not), nil
}
