// SPDX-License-Identifier: Apache-2.0

// lex.go: the words of an SQL92 expression. Like Java's generated lexer it takes the longest word at each place, and is
// asked for one word more than the grammar uses: what follows that word is never looked at. Java: SelectorParser.jj.

package filter

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// SyntaxError says where an expression cannot be read, and why.
type SyntaxError struct {
	Pos int // bytes from the start of the expression
	Msg string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("at position %d: %s", e.Pos, e.Msg) }

type tokenKind uint8

const (
	tokEnd tokenKind = iota
	tokName
	tokNumber
	tokString
	tokSymbol // one of ( ) , + - = <> < <= > >=, or a keyword in capitals
)

type token struct {
	kind tokenKind
	pos  int
	text string // a name, a symbol, or a string literal's contents
	num  value  // of a number; null if it is out of range, which is refused only where the number is used
}

func (t *token) String() string {
	switch t.kind {
	case tokEnd:
		return "the end"
	case tokString:
		return "'" + t.text + "'"
	case tokNumber:
		return "a number"
	}
	return strconv.Quote(t.text)
}

// keywords are read in any case.
var keywords = map[string]bool{
	"NOT": true, "AND": true, "OR": true, "BETWEEN": true, "IN": true, "TRUE": true, "FALSE": true, "NULL": true, "IS": true,
	"CONTAINS": true, "STARTSWITH": true, "ENDSWITH": true,
}

const maxKeywordBytes = len("STARTSWITH")

type lexer struct {
	text        string
	at          int
	lastLineEnd int // -1 where no line has an end
}

func newLexer(text string) lexer {
	return lexer{text: text, lastLineEnd: strings.LastIndexAny(text, "\n\r")}
}

// next reads one word.
func (l *lexer) next() (token, error) {
	l.skipBlanks()
	t := token{pos: l.at}
	if l.at == len(l.text) {
		return t, nil
	}
	switch c := l.text[l.at]; {
	case isLetter(c):
		l.name(&t)
		return t, nil
	case isDigit(c), c == '.' && l.at+1 < len(l.text) && isDigit(l.text[l.at+1]):
		l.number(&t)
		return t, nil
	case c == '\'':
		return t, l.string(&t)
	case strings.IndexByte("(),+-=", c) >= 0:
		t.kind, t.text = tokSymbol, l.text[l.at:l.at+1]
	case c == '<', c == '>':
		n := 1
		if l.at+1 < len(l.text) && (l.text[l.at+1] == '=' || c == '<' && l.text[l.at+1] == '>') {
			n = 2
		}
		t.kind, t.text = tokSymbol, l.text[l.at:l.at+n]
	default:
		return t, &SyntaxError{l.at, fmt.Sprintf("unexpected character %q", c)}
	}
	l.at += len(t.text)
	return t, nil
}

// skipBlanks passes over blanks and comments. A comment from -- on must end with its line.
func (l *lexer) skipBlanks() {
	for l.at < len(l.text) {
		rest := l.text[l.at:]
		switch {
		case strings.IndexByte(" \t\n\r\f", rest[0]) >= 0:
			l.at++
		case strings.HasPrefix(rest, "--") && l.at < l.lastLineEnd:
			l.at += strings.IndexAny(rest, "\n\r") + 1
		case strings.HasPrefix(rest, "/*") && strings.Contains(rest[2:], "*/"):
			l.at += 2 + strings.Index(rest[2:], "*/") + 2
		default:
			return
		}
	}
}

func (l *lexer) name(t *token) {
	end := l.at + 1
	for end < len(l.text) && (isLetter(l.text[end]) || isDigit(l.text[end])) {
		end++
	}
	t.kind, t.text = tokName, l.text[l.at:end]
	l.at = end
	if len(t.text) > maxKeywordBytes {
		return
	}
	if word := strings.ToUpper(t.text); keywords[word] {
		t.kind, t.text = tokSymbol, word
	}
}

// number takes the longer of a decimal (0, or digits without a leading 0, and an L) and a float (with a dot or an
// exponent).
func (l *lexer) number(t *token) {
	t.kind = tokNumber
	start := l.at
	end := l.digits(start)
	float := end
	if float < len(l.text) && l.text[float] == '.' {
		float = l.digits(float + 1)
	}
	if exp := l.exponent(float); exp > float {
		float = exp
	}
	if float > end {
		l.at = float
		t.text = l.text[start:float]
		// Java's Double.MIN_VALUE is the least: neither 0 nor what is below is taken.
		if f, err := strconv.ParseFloat(t.text, 64); err == nil && f >= math.SmallestNonzeroFloat64 {
			t.num = value{kind: double, f: f}
		}
		return
	}
	if l.text[start] == '0' {
		end = start + 1
	}
	t.text = l.text[start:end]
	if t.text != "0" && end < len(l.text) && l.text[end]|0x20 == 'l' {
		end++
	}
	l.at = end
	if n, err := strconv.ParseInt(t.text, 10, 64); err == nil {
		t.num = value{kind: long, i: n}
		if n <= math.MaxInt32 {
			t.num.kind = integer
		}
	}
}

func (l *lexer) digits(from int) int {
	for from < len(l.text) && isDigit(l.text[from]) {
		from++
	}
	return from
}

// exponent returns where an exponent that begins at from ends, or from if there is none.
func (l *lexer) exponent(from int) int {
	at := from
	if at == len(l.text) || l.text[at]|0x20 != 'e' {
		return from
	}
	at++
	if at < len(l.text) && (l.text[at] == '+' || l.text[at] == '-') {
		at++
	}
	if end := l.digits(at); end > at {
		return end
	}
	return from
}

// string reads '...' in which two quotes stand for one. Where that leaves it without an end, it ends at the last quote.
func (l *lexer) string(t *token) error {
	t.kind = tokString
	end := 0
	for at := l.at + 1; at < len(l.text); at++ {
		if l.text[at] != '\'' {
			continue
		}
		end = at
		if at+1 == len(l.text) || l.text[at+1] != '\'' {
			break
		}
		at++
	}
	if end == 0 {
		return &SyntaxError{t.pos, "string without an end"}
	}
	t.text = strings.ReplaceAll(l.text[l.at+1:end], "''", "'")
	l.at = end + 1
	return nil
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c == '$' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
