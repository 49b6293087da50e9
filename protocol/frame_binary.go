// SPDX-License-Identifier: Apache-2.0

// The binary form of headers. Java: RocketMQSerializable. Its code has 16 bits only, its empty strings read as absent,
// and it cannot say that an extFields member is there but empty.

package protocol

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// binaryFixedBytes is what precedes the remark: code, language, version, opaque, flag.
const binaryFixedBytes = 2 + 1 + 2 + 4 + 4

// The codes of POP and its relatives do not fit 16 bits. What is left of them belongs to no other request, so that
// requests may be mapped back: an extension, a Java server answers "not supported".
const (
	popCodesBase int32 = 3 << 16
	firstPopCode       = PopMessage
	lastPopCode        = BatchAckMessage
	popCodesLow        = firstPopCode - popCodesBase
	popCodesHigh       = lastPopCode - popCodesBase
)

func widenCode(code int16, flag int32) int32 {
	wide := int32(code)
	if flag&FlagResponse == 0 && wide >= popCodesLow && wide <= popCodesHigh {
		if _, ok := requestNames[wide+popCodesBase]; ok {
			return wide + popCodesBase
		}
	}
	return wide
}

func decodeBinary(header []byte, c *Command, fields []Field) error {
	if len(header) < binaryFixedBytes {
		return &FrameError{Reason: fmt.Sprintf("binary header of %d bytes", len(header))}
	}
	c.Language = Language(header[2])
	c.Version = int32(int16(binary.BigEndian.Uint16(header[3:])))
	c.Opaque = int32(binary.BigEndian.Uint32(header[5:]))
	c.Flag = int32(binary.BigEndian.Uint32(header[9:]))
	c.Code = widenCode(int16(binary.BigEndian.Uint16(header)), c.Flag)

	r := binaryReader{text: string(header[binaryFixedBytes:])}
	remark, ok := r.string32()
	if !ok {
		return &FrameError{Reason: "remark of a binary header exceeds it"}
	}
	c.Remark = remark
	n, ok := r.int32()
	if !ok {
		return &FrameError{Reason: "binary header ends before its extension fields"}
	}
	if n <= 0 {
		return nil
	}
	if int(n) > len(r.text) {
		return &FrameError{Reason: fmt.Sprintf("extension fields of %d bytes in %d", n, len(r.text))}
	}
	r.text = r.text[:n]
	for entries := 0; len(r.text) > 0; entries++ {
		key, ok1 := r.string16()
		value, ok2 := r.string32()
		if !ok1 || !ok2 {
			return &FrameError{Reason: "an extension field of a binary header exceeds it"}
		}
		if entries == MaxFields {
			return &FrameError{Reason: fmt.Sprintf("more than %d extension fields", MaxFields)}
		}
		if key != "" && value != "" {
			fields = addField(fields, key, value)
		}
	}
	c.Fields = someFields(fields)
	return nil
}

// binaryReader cuts pieces off the front of a text.
type binaryReader struct {
	text string
}

func (r *binaryReader) int32() (int32, bool) {
	if len(r.text) < 4 {
		return 0, false
	}
	n := int32(uint32(r.text[0])<<24 | uint32(r.text[1])<<16 | uint32(r.text[2])<<8 | uint32(r.text[3]))
	r.text = r.text[4:]
	return n, true
}

func (r *binaryReader) int16() (int16, bool) {
	if len(r.text) < 2 {
		return 0, false
	}
	n := int16(uint16(r.text[0])<<8 | uint16(r.text[1]))
	r.text = r.text[2:]
	return n, true
}

func (r *binaryReader) string32() (string, bool) {
	n, ok := r.int32()
	if !ok {
		return "", false
	}
	return r.cut(int(n))
}

func (r *binaryReader) string16() (string, bool) {
	n, ok := r.int16()
	if !ok {
		return "", false
	}
	return r.cut(int(n))
}

func (r *binaryReader) cut(n int) (string, bool) {
	if n < 0 || n > len(r.text) {
		return "", false
	}
	s := r.text[:n]
	r.text = r.text[n:]
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, replacement)
	}
	return s, true
}

// replacement stands for bytes that are no UTF-8, as when Java decodes them.
const replacement = string(utf8.RuneError)

// appendBinary appends the header. A code beyond 16 bits is cut, as Java does.
func appendBinary(dst []byte, c *Command) ([]byte, error) {
	dst = binary.BigEndian.AppendUint16(dst, uint16(c.Code))
	dst = append(dst, byte(c.Language))
	dst = binary.BigEndian.AppendUint16(dst, uint16(c.Version))
	dst = binary.BigEndian.AppendUint32(dst, uint32(c.Opaque))
	dst = binary.BigEndian.AppendUint32(dst, uint32(c.Flag))
	dst = appendString32(dst, c.Remark)
	lengthAt := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	for i := range c.Fields {
		f := &c.Fields[i]
		if f.Key == "" || f.Value == "" {
			continue // would be read as absent
		}
		if len(f.Key) > math.MaxInt16 {
			return nil, &FrameError{Reason: fmt.Sprintf("extension field name of %d bytes", len(f.Key))}
		}
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(f.Key)))
		dst = append(dst, f.Key...)
		dst = appendString32(dst, f.Value)
		if len(dst)-lengthAt > MaxFrameBytes {
			return nil, &FrameError{Reason: fmt.Sprintf("extension fields exceed %d bytes", MaxFrameBytes)}
		}
	}
	binary.BigEndian.PutUint32(dst[lengthAt:], uint32(len(dst)-lengthAt-4))
	return dst, nil
}

func appendString32(dst []byte, s string) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(s)))
	return append(dst, s...)
}
