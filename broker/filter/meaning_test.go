// SPDX-License-Identifier: Apache-2.0

// meaning_test.go: SQL92 expressions against a simple interpreter, which walks over the expression as it was made up and
// keeps the properties in a map.

package filter

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/protocol/message"
)

// node is an expression: its text, and what it is for a message: nil, a bool, an int64, a float64 or a string.
type node struct {
	text string
	of   func(message map[string]string) any
}

// choices makes up an expression, one byte a decision. It ends when they do.
type choices struct{ left []byte }

func (c *choices) next(below int) int {
	if len(c.left) == 0 {
		return 0
	}
	n := int(c.left[0]) % below
	c.left = c.left[1:]
	return n
}

func (c *choices) pick(words ...string) string { return words[c.next(len(words))] }

func (c *choices) condition(depth int) node {
	if depth == 0 {
		return c.isNull()
	}
	switch c.next(9) {
	case 0:
		return c.isNull()
	case 1:
		x := c.condition(depth - 1)
		return node{"NOT (" + x.text + ")", func(m map[string]string) any { return not(x.of(m)) }}
	case 2, 3:
		return c.join(depth)
	case 4:
		return c.equality(depth)
	case 5:
		return c.order()
	case 6:
		return c.between()
	case 7:
		return c.in()
	}
	return c.textTest()
}

func not(v any) any {
	if b, ok := v.(bool); ok {
		return !b
	}
	return nil
}

func (c *choices) property() node {
	name := c.pick("a", "b", "TAGS")
	return node{name, func(m map[string]string) any {
		if s, ok := m[name]; ok {
			return s
		}
		return nil
	}}
}

func (c *choices) number() node {
	if c.next(3) == 0 {
		text := c.pick("0.5", "5.0", "1E2")
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			panic(err)
		}
		return node{text, func(map[string]string) any { return f }}
	}
	i := int64(c.next(7) - 3)
	return node{fmt.Sprint(i), func(map[string]string) any { return i }}
}

func (c *choices) isNull() node {
	x := c.property()
	if c.next(2) == 0 {
		return node{x.text + " IS NULL", func(m map[string]string) any { return x.of(m) == nil }}
	}
	return node{x.text + " IS NOT NULL", func(m map[string]string) any { return x.of(m) != nil }}
}

// join is AND or OR in three-valued logic. The right side counts only where the left one leaves it open.
func (c *choices) join(depth int) node {
	operator, x, y := c.pick("AND", "OR"), c.condition(depth-1), c.condition(depth-1)
	decides := operator == "OR"
	return node{"(" + x.text + ") " + operator + " (" + y.text + ")", func(m map[string]string) any {
		l := x.of(m)
		if l == decides {
			return decides
		}
		r := y.of(m)
		switch {
		case r == decides:
			return decides
		case l == nil || r == nil:
			return nil
		}
		return !decides
	}}
}

func (c *choices) equality(depth int) node {
	x, y := c.property(), c.property()
	switch c.next(5) {
	case 0:
		y = c.number()
	case 1:
		y = c.literal()
	case 2:
		x, y = c.number(), c.number()
	case 3:
		inner := c.condition(depth - 1)
		x = node{"(" + inner.text + ")", inner.of}
		y = node{"TRUE", func(map[string]string) any { return true }}
	}
	equal := func(m map[string]string) any {
		l, r := x.of(m), y.of(m)
		switch {
		case l == nil && r == nil:
			return true
		case l == nil:
			return nil
		case r == nil:
			return false
		}
		return compared(l, r) == 0
	}
	if c.next(2) == 0 {
		return node{x.text + " = " + y.text, equal}
	}
	return node{x.text + " <> " + y.text, func(m map[string]string) any { return not(equal(m)) }}
}

func (c *choices) literal() node {
	s := c.pick("x", "5", "it's")
	return node{"'" + strings.ReplaceAll(s, "'", "''") + "'", func(map[string]string) any { return s }}
}

func (c *choices) order() node {
	x, y, operator := c.property(), c.property(), c.pick(">", ">=", "<", "<=")
	if c.next(3) > 0 {
		y = c.number()
	}
	return node{x.text + " " + operator + " " + y.text, func(m map[string]string) any { return ordered(x.of(m), operator, y.of(m)) }}
}

func ordered(l any, operator string, r any) any {
	if l == nil || r == nil {
		return nil
	}
	if _, ok := l.(string); ok {
		if _, ok := r.(string); ok {
			l, r = number(l, 0.0), number(r, 0.0)
		}
	}
	order := compared(l, r)
	return map[string]bool{">": order > 0, ">=": order >= 0, "<": order < 0, "<=": order <= 0}[operator]
}

func (c *choices) between() node {
	x, low := c.property(), int64(c.next(5)-2)
	high := low + int64(c.next(4))
	l, h := fmt.Sprint(low), fmt.Sprint(high)
	inside := func(m map[string]string) any {
		v := x.of(m)
		if v == nil {
			return nil
		}
		return compared(v, low) >= 0 && compared(v, high) <= 0
	}
	if c.next(2) == 0 {
		return node{x.text + " BETWEEN " + l + " AND " + h, inside}
	}
	return node{x.text + " NOT BETWEEN " + l + " AND " + h, func(m map[string]string) any { return not(inside(m)) }}
}

func (c *choices) in() node {
	x, list := c.property(), []node{c.literal()}
	texts := list[0].text
	for range c.next(12) {
		item := c.literal()
		list, texts = append(list, item), texts+", "+item.text
	}
	contained := func(m map[string]string) any {
		v := x.of(m)
		if v == nil {
			return nil
		}
		for _, item := range list {
			if item.of(m) == v {
				return true
			}
		}
		return false
	}
	if c.next(2) == 0 {
		return node{x.text + " IN (" + texts + ")", contained}
	}
	return node{x.text + " NOT IN (" + texts + ")", func(m map[string]string) any { return not(contained(m)) }}
}

// textTest is false of what is missing, with NOT as well.
func (c *choices) textTest() node {
	x, y, operator := c.property(), c.literal(), c.pick("CONTAINS", "STARTSWITH", "ENDSWITH")
	is := map[string]func(s, part string) bool{"CONTAINS": strings.Contains, "STARTSWITH": strings.HasPrefix, "ENDSWITH": strings.HasSuffix}[operator]
	wanted := c.next(2) == 0
	between := map[bool]string{true: " ", false: " NOT "}[wanted]
	return node{x.text + between + operator + " " + y.text, func(m map[string]string) any {
		s, ok := x.of(m).(string)
		return ok && is(s, y.of(m).(string)) == wanted
	}}
}

// incomparable is thrown where values cannot be compared: the message does not match.
type incomparable struct{}

// number reads a text as a number of another one's type.
func number(v, like any) any {
	s, ok := v.(string)
	if !ok {
		return v
	}
	var err error
	switch like.(type) {
	case int64:
		v, err = strconv.ParseInt(s, 10, 32)
	case float64:
		v, err = strconv.ParseFloat(s, 64)
	}
	if err != nil {
		panic(incomparable{})
	}
	return v
}

// compared is the order of two values that are not nil.
func compared(l, r any) int {
	l, r = number(l, r), number(r, l)
	switch left := l.(type) {
	case bool:
		if left == r {
			return 0
		}
		return 1
	case string:
		return strings.Compare(left, r.(string))
	case int64:
		if right, ok := r.(int64); ok {
			return int(left - right)
		}
		l = float64(left)
	}
	if right, ok := r.(int64); ok {
		r = float64(right)
	}
	switch left, right := l.(float64), r.(float64); {
	case left < right:
		return -1
	case left > right:
		return 1
	}
	return 0
}

// matches is what the interpreter says.
func (n node) matches(message map[string]string) (yes bool) {
	defer func() {
		thrown := recover()
		if _, ok := thrown.(incomparable); thrown != nil && !ok {
			panic(thrown)
		}
	}()
	return n.of(message) == true
}

// FuzzSQLMeaning: an expression says the same of a message as the interpreter.
func FuzzSQLMeaning(f *testing.F) {
	random := rand.New(rand.NewPCG(92, 1))
	for range 2000 {
		expression := make([]byte, 60)
		for i := range expression {
			expression[i] = byte(random.Uint32())
		}
		value := func() string { return []string{"", "5", "-2", "0.5", "x", "it's"}[random.IntN(6)] }
		f.Add(expression, value(), value(), value())
	}
	f.Fuzz(func(t *testing.T, expression []byte, a, b, tag string) {
		x := (&choices{expression}).condition(5)
		properties := map[string]string{}
		for name, value := range map[string]string{"a": a, "b": b, "TAGS": tag} {
			switch value {
			case "", "5", "-2", "0.5", "x", "it's", "55":
			default:
				value = strconv.Itoa(len(value) % 7)
			}
			if value != "" {
				properties[name] = value
			}
		}
		e, err := Compile(x.text)
		require.NoError(t, err, x.text)
		require.Equal(t, x.matches(properties), e.Matches([]byte(message.EncodeProperties(properties))), "%s over %q", x.text, properties)
	})
}
