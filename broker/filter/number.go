// SPDX-License-Identifier: Apache-2.0

// number.go: texts as numbers, as Java's Integer.valueOf, Long.valueOf and Double.valueOf read them, and the order that
// Double.compareTo gives.

package filter

import (
	"cmp"
	"errors"
	"math"
	"strconv"
	"unicode"
)

// numeric is a value that is a number, without what else a value may be: most evaluations need no more.
type numeric struct {
	kind valueKind
	i    int64
	f    float64
}

func (v value) number() numeric { return numeric{v.kind, v.i, v.f} }
func (n numeric) value() value  { return value{kind: n.kind, i: n.i, f: n.f} }

// compare is as Java's compareTo. Both are of one kind.
func (n numeric) compare(with numeric) int {
	if n.kind == double {
		return compareDouble(n.f, with.f)
	}
	return cmp.Compare(n.i, with.i)
}

// parseNumber reads a text as a number of a kind.
func parseNumber(s string, kind valueKind) (n numeric, ok bool) {
	n.kind = kind
	if kind == double {
		n.f, ok = parseDouble(s)
	} else {
		n.i, ok = parseInteger(s, kind)
	}
	return n, ok
}

// parseAs is parseNumber where a value is wanted.
func parseAs(s string, kind valueKind) (value, error) {
	n, ok := parseNumber(s, kind)
	if !ok {
		return value{}, errIncomparable
	}
	return n.value(), nil
}

// parseInteger takes an optional sign and digits, of any script as Java does, if they fit into the kind.
func parseInteger(s string, kind valueKind) (n int64, ok bool) {
	negative := false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		negative = s[0] == '-'
		s = s[1:]
	}
	if n, ok = plainDigits(s); ok {
		if negative {
			n = -n
		}
	} else if n, ok = anyDigits(s, negative); !ok {
		return 0, false
	}
	return n, kind == long || n == int64(int32(n))
}

// anyDigits reads digits of any script that fit into 64 bits.
func anyDigits(s string, negative bool) (n int64, ok bool) {
	for _, r := range s { // downwards, because there is one negative number more
		d, ok := digitValue(r)
		if !ok || n < (math.MinInt64+d)/10 {
			return 0, false
		}
		n = n*10 - d
	}
	if negative {
		return n, s != ""
	}
	return -n, s != "" && n != math.MinInt64
}

// plainDigits reads what most numbers are: some ASCII digits.
func plainDigits(s string) (n int64, ok bool) {
	const most = 18 // which cannot overflow
	if s == "" || len(s) > most {
		return 0, false
	}
	for i := range len(s) {
		if !isDigit(s[i]) {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}

// digitValue is the value of a decimal digit. Java looks at 16 bits at a time, so that only the first 65,536 characters
// count.
func digitValue(r rune) (int64, bool) {
	if r >= '0' && r <= '9' {
		return int64(r - '0'), true
	}
	if r < 0x80 {
		return 0, false
	}
	for _, decades := range unicode.Nd.R16 {
		if r >= rune(decades.Lo) && r <= rune(decades.Hi) {
			return int64(r-rune(decades.Lo)) % 10, true
		}
	}
	return 0, false
}

// parseDouble takes blanks around, NaN and Infinity by these names, a hexadecimal form with its exponent, and a suffix d or f.
func parseDouble(s string) (float64, bool) {
	for s != "" && s[0] <= ' ' {
		s = s[1:]
	}
	for s != "" && s[len(s)-1] <= ' ' {
		s = s[:len(s)-1]
	}
	if !doubleForm(&s) {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil || errors.Is(err, strconv.ErrRange)
}

// doubleForm says whether Java would take s, in what strconv takes as well, and cuts off the suffix.
func doubleForm(s *string) bool {
	t := *s
	if t != "" && (t[0] == '-' || t[0] == '+') {
		t = t[1:]
	}
	if t == "NaN" || t == "Infinity" {
		return true
	}
	hex := len(t) > 2 && t[0] == '0' && t[1]|0x20 == 'x'
	if n := len(t); n > 0 && (t[n-1]|0x20 == 'd' || t[n-1]|0x20 == 'f') {
		t, *s = t[:n-1], (*s)[:len(*s)-1]
	}
	exponent := false
	for i := range len(t) {
		switch c := t[i]; {
		case isDigit(c), c == '.', c == '+', c == '-':
		case hex && (c|0x20 >= 'a' && c|0x20 <= 'f' || i == 1):
		case hex && c|0x20 == 'p', !hex && c|0x20 == 'e':
			exponent = true
		default:
			return false
		}
	}
	return t != "" && (!hex || exponent) // Java wants the exponent of a hexadecimal number
}

// compareDouble is the order of Double.compareTo: -0.0 before 0.0, NaN last and equal to itself.
func compareDouble(l, r float64) int {
	lNaN, rNaN := math.IsNaN(l), math.IsNaN(r)
	switch {
	case lNaN || rNaN:
		return bit(lNaN) - bit(rNaN)
	case l == 0 && r == 0:
		return bit(math.Signbit(r)) - bit(math.Signbit(l))
	}
	return cmp.Compare(l, r)
}
