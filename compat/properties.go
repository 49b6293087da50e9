// SPDX-License-Identifier: Apache-2.0

// properties.go: the text form of java.util.Properties, in which configuration files and the bodies of requests 25
// and 318 are written.

package compat

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Property is one key with its value. It stands on lines Line to LastLine, counted from 1.
type Property struct {
	Key, Value     string
	Line, LastLine int
}

// ParseProperties reads text as java.util.Properties.load does. Order and duplicates are kept; for Java the last of
// several values counts. Text that is not valid UTF-8 is taken as ISO-8859-1, as Java takes all text.
func ParseProperties(text []byte) ([]Property, error) {
	s := string(text)
	if !utf8.ValidString(s) {
		latin := make([]rune, len(text))
		for i, c := range text {
			latin[i] = rune(c)
		}
		s = string(latin)
	}
	lines := logicalLines{text: s}
	var properties []Property
	for lines.next() {
		key, value := splitProperty(lines.line)
		p := Property{Line: lines.first, LastLine: lines.last}
		var err error
		if p.Key, err = unescapeProperty(key); err == nil {
			p.Value, err = unescapeProperty(value)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", p.Line, err)
		}
		properties = append(properties, p)
	}
	return properties, nil
}

// logicalLines joins lines that end in an odd number of backslashes with the next one, and leaves out blank lines,
// comments, and blanks at the beginning of each line.
type logicalLines struct {
	text        string // what is left
	number      int    // natural lines read
	crlf        bool   // the last one ended in \r\n
	line        string
	first, last int
}

// next reads the next logical line.
func (l *logicalLines) next() bool {
	var joined strings.Builder
	continued := false
	for l.text != "" {
		natural := strings.TrimLeft(l.natural(), " \t\f")
		if joined.Len() == 0 {
			if natural == "" && !continued || strings.HasPrefix(natural, "#") || strings.HasPrefix(natural, "!") {
				continued = false // a comment ends at its line, whatever stands there
				continue
			}
			l.first = l.number
		}
		l.last = l.number
		content := strings.TrimRight(natural, "\\")
		backslashes := len(natural) - len(content)
		continued = backslashes%2 == 1
		if !continued {
			joined.WriteString(natural)
		} else {
			joined.WriteString(natural[:len(natural)-1])
		}
		if !continued && joined.Len() > 0 {
			break
		}
	}
	l.line = joined.String()
	// A backslash that ends the text makes a line, be it an empty one; Java sees the text go on between \r and \n.
	return l.line != "" || continued && !l.crlf
}

// natural returns the next line without its end, which is \n, \r or \r\n.
func (l *logicalLines) natural() string {
	l.number++
	l.crlf = false
	end := strings.IndexAny(l.text, "\r\n")
	if end < 0 {
		line := l.text
		l.text = ""
		return line
	}
	line, rest := l.text[:end], l.text[end+1:]
	if l.text[end] == '\r' {
		rest, l.crlf = strings.CutPrefix(rest, "\n")
	}
	l.text = rest
	return line
}

// splitProperty cuts a logical line at the first '=', ':' or blank that no backslash precedes. Blanks around a
// separator belong to it.
func splitProperty(line string) (key, value string) {
	end := len(line)
	for i := 0; i < len(line); i++ {
		if line[i] == '\\' {
			i++
		} else if strings.IndexByte("=: \t\f", line[i]) >= 0 {
			end = i
			break
		}
	}
	value = strings.TrimLeft(line[end:], " \t\f")
	if value != "" && (value[0] == '=' || value[0] == ':') {
		value = strings.TrimLeft(value[1:], " \t\f")
	}
	return line[:end], value
}

var errUnicodeEscape = errors.New("malformed \\uxxxx encoding")

// unescapeProperty resolves backslash sequences. Two \u sequences may form a pair of surrogates.
func unescapeProperty(s string) (string, error) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, nil
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out.WriteByte(s[i])
			continue
		}
		if i++; i == len(s) {
			break
		}
		switch s[i] {
		case 't':
			out.WriteByte('\t')
		case 'n':
			out.WriteByte('\n')
		case 'r':
			out.WriteByte('\r')
		case 'f':
			out.WriteByte('\f')
		case 'u':
			r, ok := hex4(s[i+1:])
			if !ok {
				return "", errUnicodeEscape
			}
			i += 4
			if utf16.IsSurrogate(r) && strings.HasPrefix(s[i+1:], `\u`) {
				if low, ok := hex4(s[i+3:]); ok && utf16.DecodeRune(r, low) != utf8.RuneError {
					r = utf16.DecodeRune(r, low)
					i += 6
				}
			}
			out.WriteRune(r)
		default:
			out.WriteByte(s[i])
		}
	}
	return out.String(), nil
}

func hex4(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range []byte(s[:4]) {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// AppendProperty appends "key=value\n" as Java prints configurations into bodies and files: unescaped. The caller
// has refused values with line breaks.
func AppendProperty(dst []byte, key, value string) []byte {
	dst = append(dst, key...)
	dst = append(dst, '=')
	dst = append(dst, value...)
	return append(dst, '\n')
}

// AppendEscapedProperty appends "key=value", without a line end, so that ParseProperties and Java both read exactly
// key and value back.
func AppendEscapedProperty(dst []byte, key, value string) []byte {
	dst = appendEscaped(dst, key, "=: \t\f#!")
	dst = append(dst, '=')
	blanks := len(value) - len(strings.TrimLeft(value, " "))
	for range blanks {
		dst = append(dst, '\\', ' ')
	}
	return appendEscaped(dst, value[blanks:], "")
}

// appendEscaped appends s with backslashes before those characters that Java would not take literally, and the special ones.
func appendEscaped(dst []byte, s, special string) []byte {
	for _, r := range s {
		switch {
		case r == '\t':
			dst = append(dst, '\\', 't')
		case r == '\n':
			dst = append(dst, '\\', 'n')
		case r == '\r':
			dst = append(dst, '\\', 'r')
		case r == '\f':
			dst = append(dst, '\\', 'f')
		case r == '\\' || strings.ContainsRune(special, r):
			dst = append(dst, '\\', byte(r))
		case r >= ' ' && r <= '~':
			dst = append(dst, byte(r))
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				dst = fmt.Appendf(dst, "\\u%04X", unit)
			}
		}
	}
	return dst
}
