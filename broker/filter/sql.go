// SPDX-License-Identifier: Apache-2.0

// sql.go: SQL92 expressions over message properties: the grammar, and what is refused when an expression is compiled.
// From the weakest: OR, AND, equality, comparison, unary, literals and names. As in Java the longest prefix that is an
// expression counts, and what follows its next word is not looked at: "a = 1 b" is "a = 1".
// Java: SqlFilter, SelectorParser, the create methods of its expression classes.

package filter

import (
	"fmt"
	"maps"
	"slices"
	"unsafe"

	"rocketd/protocol/message"
)

// maxDepth bounds how deep an expression nests. Java's parser overflows its stack before twice as many.
const maxDepth = 1000

// Expression is a compiled SQL92 expression. It may be used by many at once.
type Expression struct {
	root  condition
	names message.Names // the properties that it asks for
}

// Compile reads an SQL92 expression. The error is a *SyntaxError.
func Compile(text string) (*Expression, error) {
	e := new(Expression)
	p := &parser{lex: newLexer(text), names: &e.names}
	if err := p.advance(); err != nil {
		return nil, err
	}
	x, err := p.or()
	if err != nil {
		return nil, err
	}
	e.root, err = p.asCondition(x)
	if err != nil {
		return nil, err
	}
	return e, nil
}

// Matches says whether a message with these properties is for the subscriber. props is the text that records carry; it
// is only read, and not kept.
func (e *Expression) Matches(props []byte) bool {
	p := newProperties(&e.names, unsafe.String(unsafe.SliceData(props), len(props)))
	o := e.root.test(p)
	p.release()
	return o == yes
}

type parser struct {
	lex   lexer
	tok   token // the next word, not yet used
	depth int
	names *message.Names
}

func (p *parser) advance() (err error) {
	p.tok, err = p.lex.next()
	return err
}

func (p *parser) at(symbol string) bool { return p.tok.kind == tokSymbol && p.tok.text == symbol }

// accept uses the next word if it is the symbol.
func (p *parser) accept(symbol string) (bool, error) {
	if !p.at(symbol) {
		return false, nil
	}
	return true, p.advance()
}

func (p *parser) expect(symbol string) error {
	ok, err := p.accept(symbol)
	if err == nil && !ok {
		err = p.fail("%s where %s is expected", &p.tok, symbol)
	}
	return err
}

func (p *parser) fail(format string, args ...any) error {
	return &SyntaxError{p.tok.pos, fmt.Sprintf(format, args...)}
}

// deeper counts one level of nesting.
func (p *parser) deeper() error {
	if p.depth++; p.depth > maxDepth {
		return p.fail("the expression nests deeper than %d", maxDepth)
	}
	return nil
}

// nested reads an expression one level deeper, past the token that opens it.
func (p *parser) nested(read func() (expr, error)) (expr, error) {
	depth := p.depth
	defer func() { p.depth = depth }()
	if err := p.deeper(); err != nil {
		return nil, err
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	return read()
}

func (p *parser) or() (expr, error) {
	return p.chain("OR", p.and, func(xs []condition) expr { return &or{xs} })
}

func (p *parser) and() (expr, error) {
	return p.chain("AND", p.equality, func(xs []condition) expr { return &and{xs} })
}

// chain reads operands with a logical operator between them. They stay one flat list, however long.
func (p *parser) chain(operator string, operand func() (expr, error), join func([]condition) expr) (expr, error) {
	x, err := operand()
	if err != nil || !p.at(operator) {
		return x, err
	}
	var xs []condition
	for {
		c, err := p.asCondition(x)
		if err != nil {
			return nil, err
		}
		xs = append(xs, c)
		more, err := p.accept(operator)
		if err != nil {
			return nil, err
		}
		if !more {
			return join(xs), nil
		}
		if x, err = operand(); err != nil {
			return nil, err
		}
	}
}

// asCondition is x where a truth value is wanted: a property's name then means a property that is a boolean.
func (p *parser) asCondition(x expr) (condition, error) {
	switch x := x.(type) {
	case condition:
		return x, nil
	case property:
		return cast{x}, nil
	case constant:
		switch x.kind {
		case boolean:
			return literal{told(x.b)}, nil
		case null:
			return literal{unknown}, nil
		}
	}
	return nil, p.fail("what stands before this is not a condition")
}

func (p *parser) equality() (expr, error) {
	depth := p.depth
	defer func() { p.depth = depth }()
	x, err := p.comparison()
	for err == nil && p.tok.kind == tokSymbol {
		switch p.tok.text {
		case "=", "<>":
			x, err = p.equal(x, p.tok.text == "<>")
		case "IS":
			x, err = p.is(x)
		default:
			return x, nil
		}
		if err == nil {
			err = p.deeper() // the next one nests this one
		}
	}
	return x, err
}

func (p *parser) equal(left expr, not bool) (expr, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	right, err := p.comparison()
	if err != nil {
		return nil, err
	}
	l, leftLiteral := left.(constant)
	r, rightLiteral := right.(constant)
	if leftLiteral && l.kind == null || rightLiteral && r.kind == null {
		return nil, p.fail("NULL cannot be compared, IS NULL is for that")
	}
	if leftLiteral && rightLiteral && l.kind == boolean && r.kind != boolean {
		return nil, p.fail("%v cannot be compared with %v", l.value, r.value)
	}
	var x condition = &equal{left, right}
	if name, ok := left.(property); ok && rightLiteral {
		switch {
		case r.kind == text:
			x = &equalText{name, r.s}
		case r.isNumber():
			x = &compareNumber{same, name, r.number()}
		}
	}
	if not {
		return &negation{x}, nil
	}
	return x, nil
}

func (p *parser) is(x expr) (expr, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	not, err := p.accept("NOT")
	if err != nil {
		return nil, err
	}
	if err := p.expect("NULL"); err != nil {
		return nil, err
	}
	if not {
		return &negation{&isNull{x}}, nil
	}
	return &isNull{x}, nil
}

func (p *parser) comparison() (expr, error) {
	depth := p.depth
	defer func() { p.depth = depth }()
	x, err := p.unary()
	for err == nil && p.tok.kind == tokSymbol {
		op := p.tok.text
		switch op {
		case ">", ">=", "<", "<=":
			x, err = p.order(x, op)
		case "BETWEEN", "IN", "CONTAINS", "STARTSWITH", "ENDSWITH":
			x, err = p.test(x, op, false)
		case "NOT":
			if err = p.advance(); err == nil {
				x, err = p.test(x, p.tok.text, true)
			}
		default:
			return x, nil
		}
		if err == nil {
			err = p.deeper()
		}
	}
	return x, err
}

func (p *parser) order(left expr, op string) (expr, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	right, err := p.unary()
	if err != nil {
		return nil, err
	}
	return p.newCompare(op, left, right)
}

// newCompare refuses operands that have no order.
func (p *parser) newCompare(op string, left, right expr) (condition, error) {
	for _, x := range []expr{left, right} {
		if c, ok := x.(constant); ok {
			if !c.isNumber() {
				return nil, p.fail("%v cannot be an operand of %s", c.value, op)
			}
		} else if _, ok := x.(condition); ok {
			return nil, p.fail("a condition cannot be an operand of %s", op)
		}
	}
	name, isName := left.(property)
	if with, ok := right.(constant); ok && isName {
		return &compareNumber{orders[op], name, with.number()}, nil
	}
	return &compare{orders[op], left, right}, nil
}

// test reads what follows x from BETWEEN, IN, CONTAINS, STARTSWITH or ENDSWITH on.
func (p *parser) test(x expr, op string, not bool) (expr, error) {
	if p.tok.kind != tokSymbol || p.tok.text != op {
		return nil, p.fail("%s after NOT", &p.tok)
	}
	switch op {
	case "BETWEEN", "IN", "CONTAINS", "STARTSWITH", "ENDSWITH":
	default:
		return nil, p.fail("%s after NOT", &p.tok)
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if op == "BETWEEN" {
		return p.between(x, not)
	}
	read := p.text
	if op == "IN" {
		read = p.in
	}
	return read(x, op, not)
}

func (p *parser) between(x expr, not bool) (expr, error) {
	low, err := p.unary()
	if err != nil {
		return nil, err
	}
	if err := p.expect("AND"); err != nil {
		return nil, err
	}
	high, err := p.unary()
	if err != nil {
		return nil, err
	}
	atLeast, atMost := ">=", "<="
	if not {
		atLeast, atMost = "<", ">"
	} else if err := p.checkRange(low, high); err != nil {
		return nil, err
	}
	l, err := p.newCompare(atLeast, x, low)
	if err != nil {
		return nil, err
	}
	h, err := p.newCompare(atMost, x, high)
	if err != nil {
		return nil, err
	}
	lower, ok := l.(*compareNumber)
	upper, both := h.(*compareNumber)
	switch {
	case ok && both && lower.with.kind == upper.with.kind:
		return &between{lower.name, lower.with, upper.with, not}, nil
	case not:
		return &or{[]condition{l, h}}, nil
	}
	return &and{[]condition{l, h}}, nil
}

// checkRange refuses two literals that no value lies between; Java does so without NOT only.
func (p *parser) checkRange(low, high expr) error {
	l, lowLiteral := low.(constant)
	h, highLiteral := high.(constant)
	if !lowLiteral || !highLiteral {
		return nil
	}
	if l.kind == null || h.kind == null {
		return p.fail("BETWEEN with NULL")
	}
	if order, err := compareAny(h.value, l.value); err != nil || order < 0 {
		return p.fail("BETWEEN %v AND %v: the lower bound is the higher one", l.value, h.value)
	}
	return nil
}

func (p *parser) in(x expr, op string, not bool) (expr, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	set := map[string]bool{}
	for {
		s, err := p.stringLiteral()
		if err != nil {
			return nil, err
		}
		set[s] = true
		more, err := p.accept(",")
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
	}
	if err := p.expect(")"); err != nil {
		return nil, err
	}
	name, ok := x.(property)
	if !ok {
		return nil, p.fail("only a property can stand before %s", op)
	}
	y := &in{name: name, set: set, not: not}
	if len(set) <= shortList {
		y.list = slices.Sorted(maps.Keys(set))
	}
	return y, nil
}

func (p *parser) text(x expr, op string, not bool) (expr, error) {
	s, err := p.stringLiteral()
	return &textTest{x, textTests[op], s, not}, err
}

func (p *parser) stringLiteral() (string, error) {
	if p.tok.kind != tokString {
		return "", p.fail("%s where a string is expected", &p.tok)
	}
	s := p.tok.text
	return s, p.advance()
}

func (p *parser) unary() (expr, error) {
	if !p.at("+") && !p.at("-") && !p.at("NOT") {
		return p.primary()
	}
	sign := p.tok.text
	x, err := p.nested(p.unary)
	if err != nil {
		return nil, err
	}
	switch sign {
	case "-":
		return &minus{x}, nil
	case "NOT":
		c, err := p.asCondition(x)
		return &negation{c}, err
	}
	return x, nil
}

func (p *parser) primary() (expr, error) {
	t := p.tok
	switch t.kind {
	case tokName:
		return property(p.names.Number(t.text)), p.advance()
	case tokNumber:
		if t.num.kind == null {
			return nil, p.fail("number %s is out of range", t.text)
		}
		return constant{t.num}, p.advance()
	case tokString:
		return constant{value{kind: text, s: t.text}}, p.advance()
	case tokSymbol:
		switch t.text {
		case "TRUE", "FALSE":
			return constant{truth(t.text == "TRUE")}, p.advance()
		case "NULL":
			return constant{}, p.advance()
		case "(":
			return p.parenthesis()
		}
	}
	return nil, p.fail("unexpected %s", &t)
}

func (p *parser) parenthesis() (expr, error) {
	x, err := p.nested(p.or)
	if err != nil {
		return nil, err
	}
	return x, p.expect(")")
}
