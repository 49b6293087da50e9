// SPDX-License-Identifier: Apache-2.0

// Package sql92 holds our SQL92 filter against the original's own filter library: thousands of generated expressions,
// valid and not, each over several messages' properties.
package sql92

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/broker/filter"
	"rocketd/conformance/target"
	"rocketd/protocol/message"
)

const (
	expressions = 20_000
	perMessage  = 6
)

type question struct {
	expression string
	properties []string
}

func TestSameAsJava(t *testing.T) {
	target.Require(t, target.Java)
	seed := uint64(1)
	if text := os.Getenv("SEED"); text != "" {
		_, err := fmt.Sscan(text, &seed)
		require.NoError(t, err)
	}
	t.Logf("SEED=%d", seed)
	g := generator{rand.New(rand.NewPCG(seed, 92))}
	questions := slicesOf(written())
	for range expressions {
		q := question{expression: g.expression()}
		for range perMessage {
			q.properties = append(q.properties, g.properties())
		}
		questions = append(questions, q)
	}
	refused, matched := 0, 0
	for i, want := range askJava(t, questions) {
		q := questions[i]
		got := ours(q)
		if got != want {
			t.Errorf("%q over %q: ours %s, Java %s", q.expression, q.properties, got, want)
		}
		if want == "E" {
			refused++
		}
		matched += strings.Count(want, "T")
	}
	t.Logf("%d expressions, %d refused; %d matches", len(questions), refused, matched)
	require.Greater(t, refused, expressions/20, "the generator makes too few bad expressions")
	require.Greater(t, matched, expressions/5, "the generator makes too few that match")
}

func ours(q question) string {
	e, err := filter.Compile(q.expression)
	if err != nil {
		return "E"
	}
	var verdicts strings.Builder
	for _, props := range q.properties {
		if e.Matches([]byte(props)) {
			verdicts.WriteByte('T')
		} else {
			verdicts.WriteByte('F')
		}
	}
	return verdicts.String()
}

func askJava(t *testing.T, questions []question) []string {
	lib, err := target.JavaLib()
	require.NoError(t, err)
	var in bytes.Buffer
	for _, q := range questions {
		in.WriteString(base64.StdEncoding.EncodeToString([]byte(q.expression)))
		for _, p := range q.properties {
			in.WriteString(" " + base64.StdEncoding.EncodeToString([]byte(p)))
		}
		in.WriteByte('\n')
	}
	cmd := exec.Command("java", "-XX:TieredStopAtLevel=1", "-cp", lib, "Oracle.java")
	cmd.Stdin = &in
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	var answers []string
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		answers = append(answers, lines.Text())
	}
	require.Equal(t, len(questions), len(answers), stderr.String()) //nolint:testifylint // Len prints all of them
	return answers
}

// written are cases that a generator seldom meets.
func written() []string {
	deep := strings.Repeat("(", 500) + "a = 1" + strings.Repeat(")", 500)
	return []string{
		"", " ", "a", "NOT a", "TRUE", "false", "NULL", "1", "'x'", "a = 1 garbage", "a like '1'", "a > 5 + 1", "a != 1", "a == 1",
		"a = 1 b.c", "a = 1 %", "a > 0.0", "a > 9223372036854775808", "a = -9223372036854775808", "a > 2147483648", "a = 5L", "a = 007",
		"a = 5.", "a = .5", "a = 5E10", "a = 5e-3", "a = 1e400", "a = 1e-400", "a = 'it''s'", "a = 'x", "a = \"x\"", "a between 6 and 3",
		"a between 1 and 2.5", "a between 1 and 3000000000", "a between 'a' and 'b'", "a between null and 1", "a between b and 5",
		"a in ()", "a in ('x',)", "a in (1)", "5 in ('x')", "a is not null", "a is", "a is b", "a not b", "a not in ('1', '2')",
		"a contains ''", "a not contains ''", "a startswith '1'", "5 contains 'x'", "a = null", "a <> null", "null = a", "(a > 1) = TRUE",
		"(a > 1) = 5", "TRUE = 5", "5 = TRUE", "TRUE = 'x'", "'x' = TRUE", "TRUE = a", "a = TRUE", "a > 1 > 2", "a = 1 = 2", "a = b", "a > b",
		"- a = 1", "a = - 5", "-5 = a", "a > -5", "- - 5 = a", "+5 = a", "a = +5", "a -- comment\n= 1", "a = 1 -- no line end", "a /* c */ = 1",
		"a /* c = 1", "a = /**/ 1", "$a_1 = 1", "é = 1", "a = 'é'", "a = 1 or b", "5 and a", "a and 5", "(a", "a)", "((a = 1) or b = 2) and c is null",
		"a > 1 or TRUE", "TRUE or a > 1", "a is null is null", "a = 1 is not null", "not not a", "not 5", "not (a > 1 and b < 2)", "-'x' = 1", deep,
		"a between 1 and 3 and b between 'x' and 'y'", "a not between 1 and 3", "a>=1", "a<>1", "a<1or b>2", "a=1and b=2", "1and 2", "5abc = 1",
	}
}

func slicesOf(expressions []string) (questions []question) {
	for _, e := range expressions {
		q := question{expression: e}
		for _, a := range []string{"", "1", "5", "5.0", "-5", "x", "true", "TRUE", " 5 ", "5d", "NaN", "٥", "2147483648", "é", "+5", "", "0x1p3", "1e400", "."} {
			q.properties = append(q.properties, message.EncodeProperties(map[string]string{"a": a}), message.EncodeProperties(map[string]string{"a": a, "b": "5", "$a_1": "1"}))
		}
		questions = append(questions, q)
	}
	return questions
}

// generator makes expressions that are mostly right.
type generator struct{ *rand.Rand }

func (g generator) pick(words ...string) string { return words[g.IntN(len(words))] }

func (g generator) expression() string {
	e := g.condition(4)
	if g.IntN(8) == 0 { // break it somewhere
		at := g.IntN(len(e) + 1)
		e = e[:at] + g.pick("(", ")", "'", " NOT ", " AND ", " = ", ",", "%", " 5 ", "", "-", ".") + e[min(len(e), at+g.IntN(3)):]
	}
	return e
}

func (g generator) condition(depth int) string {
	if depth == 0 || g.IntN(3) == 0 {
		return g.test()
	}
	switch g.IntN(5) {
	case 0:
		return g.pick("NOT ", "not ") + g.condition(depth-1)
	case 1:
		return "(" + g.condition(depth-1) + ")"
	}
	return g.condition(depth-1) + g.pick(" AND ", " OR ", " and ", " or ") + g.condition(depth-1)
}

func (g generator) test() string {
	not := g.pick("", "", " NOT")
	switch g.IntN(9) {
	case 0:
		return g.name() + not + " IN (" + g.text() + "," + g.text() + ")"
	case 1:
		return g.operand() + not + " BETWEEN " + g.operand() + " AND " + g.operand()
	case 2:
		return g.name() + not + g.pick(" CONTAINS ", " STARTSWITH ", " ENDSWITH ") + g.text()
	case 3:
		return g.operand() + g.pick(" IS NULL", " IS NOT NULL")
	case 4:
		return g.pick(g.name(), "TRUE", "FALSE", "NULL", "1", "'x'")
	case 5, 6:
		return g.operand() + g.pick(" = ", " <> ", "=") + g.operand()
	}
	return g.operand() + g.pick(" > ", " >= ", " < ", " <= ", ">") + g.operand()
}

func (g generator) operand() string {
	switch g.IntN(8) {
	case 0, 1, 2, 3:
		return g.name()
	case 4:
		return g.pick("", "", "-", "+") + g.pick("0", "1", "5", "42", "2147483647", "2147483648", "5L", "9223372036854775807")
	case 5:
		return g.pick("", "-") + g.pick("0.5", "5.0", "5.", ".5", "1E2", "4.9e-1")
	case 6:
		return g.text()
	}
	return g.pick("TRUE", "FALSE", "NULL", "("+g.name()+" = 5)")
}

func (g generator) name() string { return g.pick("a", "b", "c", "TAGS", "KEYS") }

func (g generator) text() string {
	return g.pick("'x'", "'y'", "'5'", "''", "'it''s'", "'true'", "'TagA'", "'é'")
}

func (g generator) properties() string {
	props := map[string]string{}
	for _, name := range []string{"a", "b", "c", "TAGS", "KEYS"} {
		if g.IntN(3) > 0 {
			props[name] = g.pick("1", "5", "5.0", "x", "y", "it's", "true", "false", "-3", "2147483648", "0.5", "TagA", "é", "xy", " 5", "5f", "NaN", "9223372036854775807")
		}
	}
	return message.EncodeProperties(props)
}
