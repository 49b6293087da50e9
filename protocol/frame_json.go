// SPDX-License-Identifier: Apache-2.0

// The JSON form of headers, which is the default of Java and so as hot as the binary one. Java: RemotingCommand
// through RemotingSerializable. Headers are read by a scanner that knows what real peers send; on any surprise it gives
// up and json-iterator reads the header again (frame_json_any.go). FuzzDecodeFrame holds the two equal.

package protocol

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
	"unicode/utf8"
	"unsafe"
)

func decodeJSON(header []byte, c *Command, fields []Field) error {
	if !utf8.Valid(header) {
		header = bytes.ToValidUTF8(header, []byte(replacement))
	}
	s := jsonScanner{src: bytes.Clone(header), fields: fields}
	if s.header(c) {
		return nil
	}
	return decodeAnyJSON(header, c, fields)
}

// jsonScanner reads one header. Every method returns false on a surprise, after which the scanner is of no use.
type jsonScanner struct {
	// src is the scanner's own copy of the header, from which all strings are cut. Nothing in JSON grows by unescaping, so
	// that a string with escapes is rewritten where it stands.
	src    []byte
	pos    int
	fields []Field
}

func (s *jsonScanner) header(c *Command) bool {
	if !s.byte('{') {
		return false
	}
	if s.peek() == '}' {
		s.pos++
		return s.end()
	}
	for {
		key, ok := s.name()
		if !ok || !s.byte(':') || !s.member(key, c) {
			return false
		}
		switch s.peek() {
		case ',':
			s.pos++
		case '}':
			s.pos++
			return s.end()
		default:
			return false
		}
	}
}

func (s *jsonScanner) member(key []byte, c *Command) bool {
	switch string(key) {
	case "code":
		return s.int32(&c.Code)
	case "flag":
		return s.int32(&c.Flag)
	case "opaque":
		return s.int32(&c.Opaque)
	case "version":
		return s.int32(&c.Version)
	case "language":
		name, ok := s.name()
		if ok {
			c.Language = ParseLanguage(unsafe.String(unsafe.SliceData(name), len(name)))
		}
		return ok
	case "remark":
		remark, ok := s.string()
		c.Remark = remark
		return ok
	case "serializeTypeCurrentRPC":
		_, ok := s.name()
		return ok
	case "extFields":
		ok := s.extFields()
		c.Fields = s.fields
		return ok
	default:
		return false
	}
}

func (s *jsonScanner) extFields() bool {
	s.fields = someFields(s.fields[:0])
	if !s.byte('{') {
		return false
	}
	if s.peek() == '}' {
		s.pos++
		return true
	}
	for {
		key, ok := s.string()
		if !ok || !s.byte(':') {
			return false
		}
		value, ok := s.string()
		if !ok || len(s.fields) == MaxFields {
			return false
		}
		s.fields = addField(s.fields, key, value)
		switch s.peek() {
		case ',':
			s.pos++
		case '}':
			s.pos++
			return true
		default:
			return false
		}
	}
}

// peek skips blanks and returns the next byte, or 0 at the end.
func (s *jsonScanner) peek() byte {
	if s.pos < len(s.src) && s.src[s.pos] > ' ' {
		return s.src[s.pos]
	}
	return s.peekPastBlanks()
}

func (s *jsonScanner) peekPastBlanks() byte {
	for s.pos < len(s.src) {
		switch b := s.src[s.pos]; b {
		case ' ', '\n', '\t', '\r':
			s.pos++
		default:
			return b
		}
	}
	return 0
}

// byte skips blanks and consumes b.
func (s *jsonScanner) byte(b byte) bool {
	if s.peek() != b {
		return false
	}
	s.pos++
	return true
}

// end reports whether only blanks are left.
func (s *jsonScanner) end() bool {
	s.peek()
	return s.pos == len(s.src)
}

// int32 reads a whole number as JSON writes it.
func (s *jsonScanner) int32(dst *int32) bool {
	neg := s.peek() == '-'
	if neg {
		s.pos++
	}
	start := s.pos
	var n int64
	for s.pos < len(s.src) && s.pos-start < 11 {
		d := s.src[s.pos] - '0'
		if d > 9 {
			break
		}
		n = n*10 + int64(d)
		s.pos++
	}
	digits := s.pos - start
	if digits == 0 || digits > 1 && s.src[start] == '0' {
		return false
	}
	if neg {
		n = -n
	}
	if n < math.MinInt32 || n > math.MaxInt32 {
		return false
	}
	*dst = int32(n)
	// A fraction or an exponent is a surprise: what may follow is checked by the caller.
	return true
}

// name reads a string without escapes and returns its bytes in place.
func (s *jsonScanner) name() ([]byte, bool) {
	if !s.byte('"') {
		return nil, false
	}
	n := plainPrefix(s.src[s.pos:])
	name := s.src[s.pos : s.pos+n]
	s.pos += n
	if s.pos == len(s.src) || s.src[s.pos] != '"' {
		return nil, false
	}
	s.pos++
	return name, true
}

// string reads a string. What it returns stays as it is: the scanner never goes back.
func (s *jsonScanner) string() (string, bool) {
	if !s.byte('"') {
		return "", false
	}
	start := s.pos
	s.pos += plainPrefix(s.src[start:])
	end := s.pos
	for {
		if s.pos == len(s.src) {
			return "", false
		}
		switch s.src[s.pos] {
		case '"':
			s.pos++
			text := s.src[start:end]
			return unsafe.String(unsafe.SliceData(text), len(text)), true
		case '\\':
			n := s.escape(end)
			if n == 0 {
				return "", false
			}
			end += n
			plain := plainPrefix(s.src[s.pos:])
			copy(s.src[end:], s.src[s.pos:s.pos+plain])
			end += plain
			s.pos += plain
		default:
			return "", false // a control character
		}
	}
}

// escape unescapes one character to src[to:], before what is still to be read, and returns how many bytes it has, or 0
// for a surprise. Surrogates, which no known peer escapes, are one.
func (s *jsonScanner) escape(to int) int {
	if s.pos+1 >= len(s.src) {
		return 0
	}
	var b byte
	switch e := s.src[s.pos+1]; e {
	case '"', '\\', '/':
		b = e
	case 'b':
		b = '\b'
	case 'f':
		b = '\f'
	case 'n':
		b = '\n'
	case 'r':
		b = '\r'
	case 't':
		b = '\t'
	case 'u':
		r, ok := hex4(s.src[s.pos+2:])
		if !ok || r >= 0xD800 && r <= 0xDFFF {
			return 0
		}
		s.pos += 6
		return utf8.EncodeRune(s.src[to:], r)
	default:
		return 0
	}
	s.src[to] = b
	s.pos += 2
	return 1
}

func hex4(src []byte) (rune, bool) {
	if len(src) < 4 {
		return 0, false
	}
	var r rune
	for _, b := range src[:4] {
		switch {
		case b >= '0' && b <= '9':
			b -= '0'
		case b >= 'a' && b <= 'f':
			b -= 'a' - 10
		case b >= 'A' && b <= 'F':
			b -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(b)
	}
	return r, true
}

// plainPrefix returns how many bytes of src precede the first quote, backslash or control character. It looks at
// eight bytes at a time: subtracting sets the high bit of the lowest byte that is zero, or below the limit.
func plainPrefix(src []byte) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(src); i += 8 {
		x := binary.LittleEndian.Uint64(src[i:])
		quote := x ^ ones*'"'
		slash := x ^ ones*'\\'
		found := ((quote-ones)&^quote | (slash-ones)&^slash | (x-ones*' ')&^x) & highs
		if found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for ; i < len(src); i++ {
		if b := src[i]; b == '"' || b == '\\' || b < ' ' {
			break
		}
	}
	return i
}

// appendJSON appends the header with its members in alphabetical order and nothing for what is absent, as Java does.
func appendJSON(dst []byte, c *Command) []byte {
	dst = append(dst, `{"code":`...)
	dst = strconv.AppendInt(dst, int64(c.Code), 10)
	if c.Fields != nil {
		dst = append(dst, `,"extFields":{`...)
		for i := range c.Fields {
			dst = appendComma(dst, i)
			dst = appendJSONString(dst, c.Fields[i].Key)
			dst = append(dst, ':')
			dst = appendJSONString(dst, c.Fields[i].Value)
		}
		dst = append(dst, '}')
	}
	dst = append(dst, `,"flag":`...)
	dst = strconv.AppendInt(dst, int64(c.Flag), 10)
	dst = append(dst, `,"language":"`...)
	dst = append(dst, c.Language.String()...)
	dst = append(dst, `","opaque":`...)
	dst = strconv.AppendInt(dst, int64(c.Opaque), 10)
	if c.Remark != "" {
		dst = append(dst, `,"remark":`...)
		dst = appendJSONString(dst, c.Remark)
	}
	dst = append(dst, `,"serializeTypeCurrentRPC":"JSON","version":`...)
	dst = strconv.AppendInt(dst, int64(c.Version), 10)
	return append(dst, '}')
}

// appendJSONString appends s in quotes with fastjson2's escapes: quote, backslash and control characters, nothing else.
func appendJSONString(dst []byte, s string) []byte {
	const hexDigits = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		b := s[i]
		if b >= ' ' && b != '"' && b != '\\' && b < utf8.RuneSelf {
			i++
			continue
		}
		if b >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(dst, s[start:i]...)
				dst = append(dst, replacement...)
				start = i + 1
			}
			i += size
			continue
		}
		dst = append(dst, s[start:i]...)
		switch b {
		case '"', '\\':
			dst = append(dst, '\\', b)
		case '\b':
			dst = append(dst, `\b`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			dst = append(dst, `\u00`...)
			dst = append(dst, hexDigits[b>>4], hexDigits[b&15])
		}
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}
