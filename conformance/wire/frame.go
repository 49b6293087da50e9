// SPDX-License-Identifier: Apache-2.0

// Package wire asks Java 5.5.0 and our servers the same questions, byte for byte and in both header forms, and compares
// the answers field for field. The tables of questions are in the tests; here is what asks and what compares.
//
// frame.go: frames as bytes. It does not use the protocol package, whose reading and writing of frames is on trial.
package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// Form is a header's form.
type Form byte

// The two header forms.
const (
	JSON Form = iota
	Binary
)

func (f Form) String() string {
	switch f {
	case JSON:
		return "JSON"
	case Binary:
		return "ROCKETMQ"
	}
	return strconv.Itoa(int(f))
}

// KV is one extension field.
type KV struct{ Key, Value string }

// Request is what goes out. Empty values are written as they are, also where a form cannot tell them from absent ones.
type Request struct {
	Code    int32
	Flag    int32
	Opaque  int32
	Version int32
	Fields  []KV // nil: no extFields member
	Body    []byte
}

const (
	oneway      = 2
	peerVersion = 513 // V5_5_0
	bytesLength = 4
)

// Frame is the request as it travels.
func (r *Request) Frame(form Form) []byte {
	header := r.json()
	if form == Binary {
		header = r.binary()
	}
	return rawFrame(byte(form), header, r.Body)
}

func rawFrame(form byte, header, body []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(4+len(header)+len(body)))
	b = binary.BigEndian.AppendUint32(b, uint32(form)<<24|uint32(len(header)))
	return append(append(b, header...), body...)
}

func (r *Request) json() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"code":%d,`, r.Code)
	if r.Fields != nil {
		b.WriteString(`"extFields":{`)
		for i, f := range r.Fields {
			if i > 0 {
				b.WriteByte(',')
			}
			b.Write(quoted(f.Key))
			b.WriteByte(':')
			b.Write(quoted(f.Value))
		}
		b.WriteString(`},`)
	}
	fmt.Fprintf(&b, `"flag":%d,"language":"JAVA","opaque":%d,"serializeTypeCurrentRPC":"JSON","version":%d}`, r.Flag, r.Opaque, r.Version)
	return b.Bytes()
}

func quoted(s string) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always encodes
	}
	return text
}

func (r *Request) binary() []byte {
	be := binary.BigEndian
	b := be.AppendUint16(nil, uint16(r.Code))
	b = append(b, 0) // JAVA
	b = be.AppendUint16(b, uint16(r.Version))
	b = be.AppendUint32(b, uint32(r.Opaque))
	b = be.AppendUint32(b, uint32(r.Flag))
	b = be.AppendUint32(b, 0) // no remark
	var fields []byte
	for _, f := range r.Fields {
		fields = be.AppendUint16(fields, uint16(len(f.Key)))
		fields = append(fields, f.Key...)
		fields = be.AppendUint32(fields, uint32(len(f.Value)))
		fields = append(fields, f.Value...)
	}
	b = be.AppendUint32(b, uint32(len(fields)))
	return append(b, fields...)
}

// Answer is a frame that came in: an answer, or a request of a server to its client.
type Answer struct {
	Form     Form
	Code     int32
	Flag     int32
	Opaque   int32
	Version  int32
	Language string
	Remark   *string  // nil: absent
	Fields   []KV     // nil: absent; in the binary form, which cannot tell, also when empty
	Members  []string // of a JSON header, in their order
	Body     []byte
}

// Field is the value of an extension field.
func (a *Answer) Field(key string) string {
	for _, f := range a.Fields {
		if f.Key == key {
			return f.Value
		}
	}
	return ""
}

// isAnswer tells an answer from a request.
func (a *Answer) isAnswer() bool { return a.Flag&1 != 0 }

// ParseAnswer reads a frame without its four length bytes.
func ParseAnswer(frame []byte) (*Answer, error) {
	if len(frame) < 4 {
		return nil, fmt.Errorf("a frame of %d bytes", len(frame))
	}
	mark := binary.BigEndian.Uint32(frame)
	length := int(mark & 0xFFFFFF)
	if length > len(frame)-4 {
		return nil, fmt.Errorf("a header of %d bytes in a frame of %d", length, len(frame))
	}
	a := &Answer{Form: Form(mark >> 24), Body: frame[4+length:]}
	header := frame[4 : 4+length]
	switch a.Form {
	case JSON:
		return a, a.readJSON(header)
	case Binary:
		return a, a.readBinary(header)
	}
	return nil, fmt.Errorf("header form %d", a.Form)
}

func (a *Answer) readJSON(header []byte) error {
	tree, err := parseJSON(header)
	if err != nil {
		return fmt.Errorf("header %q: %w", header, err)
	}
	for i, name := range tree.keys {
		a.Members = append(a.Members, name)
		n := tree.nodes[i]
		switch name {
		case "code":
			a.Code = n.int32()
		case "flag":
			a.Flag = n.int32()
		case "opaque":
			a.Opaque = n.int32()
		case "version":
			a.Version = n.int32()
		case "language":
			a.Language = n.leaf
		case "remark":
			a.Remark = &n.leaf
		case "extFields":
			a.Fields = []KV{}
			for j, key := range n.keys {
				if n.nodes[j].kind != "string" {
					return fmt.Errorf("the extension field %s is a %s", key, n.nodes[j].kind)
				}
				a.Fields = append(a.Fields, KV{key, n.nodes[j].leaf})
			}
		}
	}
	return nil
}

var languages = []string{"JAVA", "CPP", "DOTNET", "PYTHON", "DELPHI", "ERLANG", "RUBY", "OTHER", "HTTP", "GO", "PHP", "OMS", "RUST", "NODE_JS"}

func (a *Answer) readBinary(header []byte) error {
	r := reader{b: header}
	a.Code = int32(int16(r.uint16()))
	language := int(r.uint8())
	if language < len(languages) {
		a.Language = languages[language]
	} else {
		a.Language = strconv.Itoa(language)
	}
	a.Version = int32(int16(r.uint16()))
	a.Opaque = int32(r.uint32())
	a.Flag = int32(r.uint32())
	if n := r.uint32(); n > 0 {
		remark := string(r.take(int(n)))
		a.Remark = &remark
	}
	fields := reader{b: r.take(int(r.uint32()))}
	for len(fields.b) > 0 && !fields.short {
		key := string(fields.take(int(fields.uint16())))
		a.Fields = append(a.Fields, KV{key, string(fields.take(int(fields.uint32())))})
	}
	if r.short || fields.short || len(r.b) > 0 {
		return errors.New("the lengths inside a binary header contradict each other")
	}
	return nil
}

// reader takes pieces off the front; past the end it yields zeros and says so.
type reader struct {
	b     []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.short, n = true, len(r.b)
	}
	piece := r.b[:n]
	r.b = r.b[n:]
	return piece
}

func (r *reader) uint8() uint8 {
	if b := r.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (r *reader) uint16() uint16 { return uint16(r.uint8())<<8 | uint16(r.uint8()) }
func (r *reader) uint32() uint32 { return uint32(r.uint16())<<16 | uint32(r.uint16()) }
