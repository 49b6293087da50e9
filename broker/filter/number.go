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

// parseAs reads a text as a number of a kind.
func parseAs(s string, kind valueKind) (value, error) {
	switch kind {
	case integer:
		return parseInteger(s, integer, math.MinInt32, math.MaxInt32)
	case long:
		return parseInteger(s, long, math.MinInt64, math.MaxInt64)
	}
	return parseDouble(s)
}

// parseInteger takes an optional sign and digits, of any script as Java does.
func parseInteger(s string, kind valueKind, low, high int64) (value, error) {
	negative := false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		negative = s[0] == '-'
		s = s[1:]
	}
	if s == "" {
		return value{}, errIncomparable
	}
	if n, ok := plainDigits(s); ok {
		if negative {
			n = -n
		}
		if n < low || n > high {
			return value{}, errIncomparable
		}
		return value{kind: kind, i: n}, nil
	}
	n := int64(0) // counted downwards, because there is one negative number more
	for _, r := range s {
		d, ok := digitValue(r)
		if !ok || n < (math.MinInt64+d)/10 {
			return value{}, errIncomparable
		}
		n = n*10 - d
	}
	if !negative {
		if n == math.MinInt64 {
			return value{}, errIncomparable
		}
		n = -n
	}
	if n < low || n > high {
		return value{}, errIncomparable
	}
	return value{kind: kind, i: n}, nil
}

// plainDigits reads what most numbers are: some ASCII digits.
func plainDigits(s string) (n int64, ok bool) {
	const most = 18 // which cannot overflow
	if len(s) > most {
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
func parseDouble(s string) (value, error) {
	for s != "" && s[0] <= ' ' {
		s = s[1:]
	}
	for s != "" && s[len(s)-1] <= ' ' {
		s = s[:len(s)-1]
	}
	if !doubleForm(&s) {
		return value{}, errIncomparable
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !isRange(err) {
		return value{}, errIncomparable
	}
	return value{kind: double, f: f}, nil
}

func isRange(err error) bool {
	return errors.Is(err, strconv.ErrRange)
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
