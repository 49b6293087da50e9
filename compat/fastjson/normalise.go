// SPDX-License-Identifier: Apache-2.0

// normalise.go: from fastjson's dialect to strict JSON.
//
// Java writes integer map keys without quotes and bean map keys as objects where a string should stand; it also reads
// single-quoted strings and raw control characters. Text that has none of that is returned as it is, not copied.

package fastjson

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// MaxDepth bounds how deep arrays and objects may nest, in both directions. Java's bodies stay below ten.
const MaxDepth = 64

// frame is one open array or object.
type frame struct {
	object    bool
	expectKey bool // in an object: a key comes next, not a value
	key       bool // the object itself stands where a key should
	mark      int  // of a key object: where it begins in out
}

type normaliser struct {
	in     []byte
	pos    int
	out    []byte // nil until something had to be changed
	copied int    // in[:copied] is accounted for in out
	stack  [MaxDepth]frame
	depth  int
	inKey  bool // inside a key object; they do not nest, since each level would double the escapes
}

// normalise rewrites data as strict JSON. A key object becomes a string that holds the object's JSON, which is
// what fastjson 1.2.83 reads and writes as an alternative form. Only what concerns the dialect and the nesting is
// checked here; the decoder behind finds the other errors.
func normalise(data []byte) ([]byte, error) {
	n := normaliser{in: data}
	for n.pos < len(n.in) {
		if err := n.step(); err != nil {
			return nil, fmt.Errorf("fastjson: %w at byte %d", err, n.pos)
		}
	}
	if n.depth > 0 {
		return nil, fmt.Errorf("fastjson: text ends inside an object or array")
	}
	if n.out == nil {
		return data, nil
	}
	return append(n.out, n.in[n.copied:]...), nil
}

// step consumes one token.
func (n *normaliser) step() error {
	switch c := n.in[n.pos]; c {
	case '{', '[':
		return n.open(c)
	case '}', ']':
		return n.close(c)
	case ',':
		if n.depth > 0 {
			n.stack[n.depth-1].expectKey = n.stack[n.depth-1].object
		}
	case ':':
		if n.depth > 0 {
			n.stack[n.depth-1].expectKey = false
		}
	case '"', '\'':
		return n.text(c)
	case ' ', '\t', '\n', '\r':
	default:
		return n.word()
	}
	n.pos++
	return nil
}

func (n *normaliser) open(c byte) error {
	if n.depth == MaxDepth {
		return fmt.Errorf("nested deeper than %d", MaxDepth)
	}
	f := frame{object: c == '{', expectKey: c == '{'}
	if n.atKey() {
		if c != '{' || n.inKey {
			return fmt.Errorf("%q where a key should be", c)
		}
		n.replace(n.pos, n.pos, "")
		f.key, f.mark, n.inKey = true, len(n.out), true
	}
	n.stack[n.depth] = f
	n.depth++
	n.pos++
	return nil
}

func (n *normaliser) close(c byte) error {
	if n.depth == 0 || n.stack[n.depth-1].object != (c == '}') {
		return fmt.Errorf("unexpected %q", c)
	}
	n.depth--
	n.pos++
	if f := &n.stack[n.depth]; f.key {
		n.replace(n.pos, n.pos, "")
		object := string(n.out[f.mark:])
		n.out = appendString(n.out[:f.mark], object)
		n.inKey = false
	}
	return nil
}

// word consumes a number, a literal, or a key without quotes.
func (n *normaliser) word() error {
	start := n.pos
	for n.pos < len(n.in) && isWord(n.in[n.pos]) {
		n.pos++
	}
	if n.pos == start {
		return fmt.Errorf("unexpected %q", n.in[start])
	}
	word := n.in[start:n.pos]
	if n.atKey() {
		n.replace(start, n.pos, `"`+string(word)+`"`)
	} else if !json.Valid(word) { // json-iterator lets malformed numbers pass where it keeps them as text
		return fmt.Errorf("%.40q is no value", word)
	}
	return nil
}

func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '+' || c == '.' || c == '_' || c == '$'
}

// text consumes a string and makes it a double-quoted one without raw control characters.
func (n *normaliser) text(quote byte) error {
	if quote == '\'' {
		n.replace(n.pos, n.pos+1, `"`)
	}
	n.pos++
	for n.pos < len(n.in) {
		switch c := n.in[n.pos]; {
		case c == quote:
			if quote == '\'' {
				n.replace(n.pos, n.pos+1, `"`)
			}
			n.pos++
			return nil
		case c == '\\':
			if n.pos+1 < len(n.in) && n.in[n.pos+1] == '\'' {
				n.replace(n.pos, n.pos+2, "'")
			}
			n.pos += 2
		case c == '"':
			n.replace(n.pos, n.pos+1, `\"`)
			n.pos++
		case c < ' ':
			n.replace(n.pos, n.pos+1, string(appendEscape(nil, c)))
			n.pos++
		default:
			n.pos++
		}
	}
	return fmt.Errorf("text ends inside a string")
}

// replace puts with in the place of in[from:to].
func (n *normaliser) replace(from, to int, with string) {
	if n.out == nil {
		n.out = make([]byte, 0, len(n.in)+len(n.in)/8+16)
	}
	n.out = append(n.out, n.in[n.copied:from]...)
	n.out = append(n.out, with...)
	n.copied = to
}

func (n *normaliser) atKey() bool { return n.depth > 0 && n.stack[n.depth-1].expectKey }

// appendString appends s quoted as Java does: control characters, quote and backslash are escaped, nothing else is.
// What is not UTF-8 becomes U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, s[start:i]...), "\ufffd"...)
				start = i + 1
			}
			i += size
			continue
		}
		if c < ' ' || c == '"' || c == '\\' {
			dst = appendEscape(append(dst, s[start:i]...), c)
			start = i + 1
		}
		i++
	}
	return append(append(dst, s[start:]...), '"')
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	const hex = "0123456789abcdef"
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}
