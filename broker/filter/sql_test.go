// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/protocol/message"
)

func props(pairs ...string) []byte {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return []byte(message.EncodeProperties(m))
}

// What conformance/sql92 shows at length by Java's own library, in the cases worth knowing by heart.
func TestSQL(t *testing.T) {
	for _, c := range []struct {
		props      []byte
		matches    bool
		expression string
	}{
		{props("a", "5"), true, "a > 4"},
		{props("a", "5"), true, "5 = a"},
		{props("a", "5"), true, "a between 3 and 6"},
		{props("a", "5.0"), false, "a > 4"},
		{props("a", "5.0"), true, "a > 4.5"},
		{props("a", "5"), false, "a = '5.0'"},
		{nil, false, "a > 4"},
		{nil, false, "NOT (a > 4)"},
		{nil, false, "a <> 1"},
		{nil, false, "a not in ('x')"},
		{nil, false, "a not contains 'y'"},
		{nil, true, "a is null"},
		{nil, true, "1 <> a"},
		{nil, true, "a = b"},
		{nil, true, "a > 1 or b is null"},
		{props("a", "x"), true, "a = 'x' and b is null"},
		{props("a", "x"), true, "a not contains 'y'"},
		{props("a", "x"), true, "NOT a"},
		{props("a", "x"), false, "a > 1 or TRUE"},
		{props("a", "x"), true, "TRUE or a > 1"},
		{props("a", "true"), true, "a = true"},
		{props("a", "true"), false, "a and TRUE"},
		{props("a", "true"), false, "TRUE = a"},
		{props("a", "1"), true, "a = 1 garbage"},
		{props("a", "1"), false, "a like '1'"},
		{props("TAGS", "TagA"), true, "TAGS is not null and TAGS in ('TagA', 'TagB')"},
		{props("a", "it's"), true, "a startswith 'it''s'"},
		{props("a", "-7"), true, "a < -6 AND a >= -7"},
	} {
		e, err := Compile(c.expression)
		require.NoError(t, err, c.expression)
		require.Equal(t, c.matches, e.Matches(c.props), "%s over %q", c.expression, c.props)
	}
}

func TestSQLRefusesWithPosition(t *testing.T) {
	for expression, want := range map[string]string{
		"":                                     "at position 0: unexpected the end",
		"'x' > 1":                              "at position 7: 'x' cannot be an operand of >",
		"a > 'x'":                              "at position 7: 'x' cannot be an operand of >",
		"a = null":                             "at position 8: NULL cannot be compared, IS NULL is for that",
		"a between 6 and 3":                    "at position 17: BETWEEN 6 AND 3: the lower bound is the higher one",
		"a in (1)":                             "at position 6: a number where a string is expected",
		"1":                                    "at position 1: what stands before this is not a condition",
		"a != 1":                               "at position 2: unexpected character '!'",
		"a > 0.0":                              "at position 4: number 0.0 is out of range",
		"a > 9223372036854775808":              "at position 4: number 9223372036854775808 is out of range",
		"a = 'x":                               "at position 4: string without an end",
		"(a = 1":                               "at position 6: the end where ) is expected",
		"5 in ('x')":                           "at position 10: only a property can stand before IN",
		strings.Repeat("(", 100_000):           "at position 1000: the expression nests deeper than 1000",
		strings.Repeat("not ", 5000):           "at position 4000: the expression nests deeper than 1000",
		"a" + strings.Repeat(" is null", 3000): "at position 8010: the expression nests deeper than 1000",
	} {
		_, err := Compile(expression)
		require.EqualError(t, err, want)
		var syntax *SyntaxError
		require.ErrorAs(t, err, &syntax)
	}
}

// A long expression is a flat one: half a million alternatives are evaluated one after the other. Were the work not linear,
// in their number or in that of a message's properties, this would not end in the time that a test has.
func TestSQLLongChain(t *testing.T) {
	const many = 500_000
	var properties []byte
	for i := range many {
		properties = message.AppendProperty(properties, "a_"+strconv.Itoa(i), "1")
	}
	properties = message.AppendProperty(properties, "b", "3")
	for what, alternative := range map[string]func(i int) string{
		"of one property":             func(int) string { return "a = 2" },
		"of as many properties":       func(i int) string { return "a" + strconv.Itoa(i) + " = 2" },
		"of what begins as a comment": func(int) string { return "a = --2" },
	} {
		t.Run(what, func(t *testing.T) {
			var text strings.Builder
			for i := range many {
				text.WriteString(alternative(i) + " OR ")
			}
			e, err := Compile(text.String() + "b = 3")
			require.NoError(t, err)
			require.True(t, e.Matches(properties))
		})
	}
}

func TestSQLAllocs(t *testing.T) {
	e, err := Compile("a between 3 and 6 and (b in ('x', 'y') or c > 1.5) and d is null and TAGS contains 'ag'")
	require.NoError(t, err)
	p := props("a", "5", "b", "z", "c", "2.5", "TAGS", "TagA")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if !e.Matches(p) {
			t.Error("no match")
		}
	}))
}

func BenchmarkSQL(b *testing.B) {
	e, err := Compile("a between 3 and 6 and (b in ('x', 'y') or c > 1.5)")
	require.NoError(b, err)
	p := props("a", "5", "b", "z", "c", "2.5", "KEYS", "order1", "UNIQ_KEY", "7F0000010000721A0000000000002602")
	b.ReportAllocs()
	for b.Loop() {
		e.Matches(p)
	}
}

// Whatever the text, compiling it ends, and what compiles can be evaluated and means the same in parentheses.
func FuzzSQL(f *testing.F) {
	for _, seed := range []string{"a = 1", "a > 1.5 or not b", "a not between -1 and 5L", "TAGS in ('x', 'it''s')", "a contains 'x' is not null", "-- x\n/* y */a"} {
		f.Add(seed, "a\x015\x02TAGS\x01x\x02")
	}
	f.Fuzz(func(t *testing.T, expression, properties string) {
		e, err := Compile(expression)
		if err != nil {
			return
		}
		p := &parser{lex: newLexer(expression), names: new(message.Names)}
		require.NoError(t, p.advance())
		_, err = p.or()
		require.NoError(t, err)
		again, err := Compile("(" + expression[:p.tok.pos] + ")")
		if err != nil {
			require.ErrorContains(t, err, "nests deeper")
			return
		}
		require.Equal(t, e.Matches([]byte(properties)), again.Matches([]byte(properties)))
	})
}
