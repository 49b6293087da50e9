// SPDX-License-Identifier: Apache-2.0

// The frame: 4 bytes total length, 1 byte header form, 3 bytes header length, header, body; big endian. Java:
// NettyEncoder, NettyDecoder, RemotingCommand.decode. The two header forms: frame_json.go, frame_binary.go.

package protocol

import (
	"encoding/binary"
	"fmt"
)

const (
	// MaxFrameBytes is the longest frame, its 4 length bytes included, that is read or written.
	MaxFrameBytes = 16 << 20

	// MaxFields is the largest number of extension fields that a header may have. Real ones have fewer than fifty; the
	// limit keeps a frame of tiny fields from costing many times its size.
	MaxFields = 4096

	lengthBytes     = 4
	headerMarkBytes = 4 // form and header length
	headerLenMask   = 1<<24 - 1
	firstFields     = 16 // capacity of a Fields array that has to be made
)

// Decode reads a frame without its 4 length bytes into *c, every member of which is set. c.Body aliases frame; all
// strings are cut from fresh memory, so they may be kept (and keep each other). The array behind c.Fields is reused.
// Errors are *FrameError; what *c holds after one is undefined.
func Decode(frame []byte, c *Command) error {
	if len(frame) > MaxFrameBytes-lengthBytes {
		return &FrameError{Reason: fmt.Sprintf("longer than %d bytes", MaxFrameBytes)}
	}
	if len(frame) < headerMarkBytes {
		return &FrameError{Reason: fmt.Sprintf("only %d bytes", len(frame))}
	}
	mark := binary.BigEndian.Uint32(frame)
	form := SerializeType(mark >> 24)
	headerLen := int(mark & headerLenMask)
	rest := frame[headerMarkBytes:]
	if headerLen > len(rest) {
		return &FrameError{Reason: fmt.Sprintf("header of %d bytes in %d", headerLen, len(rest))}
	}
	header := rest[:headerLen:headerLen]
	fields := c.Fields[:0]
	*c = Command{Serialize: form}
	if body := rest[headerLen:]; len(body) > 0 {
		c.Body = body
	}
	switch form {
	case SerializeJSON:
		return decodeJSON(header, c, fields)
	case SerializeBinary:
		return decodeBinary(header, c, fields)
	default:
		return &FrameError{Reason: fmt.Sprintf("unknown header form %d", form)}
	}
}

// Append appends the whole frame of c to dst. On an error dst is returned as it was.
func Append(dst []byte, c *Command) ([]byte, error) {
	out, err := AppendHead(dst, c, len(c.Body))
	if err != nil {
		return dst, err
	}
	return append(out, c.Body...), nil
}

// AppendHead appends the length and the header of c, whose body of bodyLen bytes the caller writes afterwards; c.Body
// is not looked at. It allocates nothing but what dst needs to grow. On an error dst is returned as it was.
func AppendHead(dst []byte, c *Command, bodyLen int) ([]byte, error) {
	start := len(dst)
	out := append(dst, make([]byte, lengthBytes+headerMarkBytes)...)
	var err error
	switch c.Serialize {
	case SerializeJSON:
		out = appendJSON(out, c)
	case SerializeBinary:
		out, err = appendBinary(out, c)
	default:
		err = &FrameError{Reason: fmt.Sprintf("unknown header form %d", c.Serialize)}
	}
	if err != nil {
		return dst, err
	}
	headerLen := len(out) - start - lengthBytes - headerMarkBytes
	// A header that fits the frame fits its own length field too, which is 24 bits wide.
	if bodyLen < 0 || bodyLen > MaxFrameBytes || len(out)-start+bodyLen > MaxFrameBytes {
		return dst, &FrameError{Reason: fmt.Sprintf("header of %d and body of %d bytes exceed %d", headerLen, bodyLen, MaxFrameBytes)}
	}
	binary.BigEndian.PutUint32(out[start:], uint32(headerMarkBytes+headerLen+bodyLen))
	binary.BigEndian.PutUint32(out[start+lengthBytes:], uint32(c.Serialize)<<24|uint32(headerLen))
	return out, nil
}

// addField appends to the fields being decoded.
func addField(fields []Field, key, value string) []Field {
	if cap(fields) == 0 {
		fields = make([]Field, 0, firstFields)
	}
	return append(fields, Field{Key: key, Value: value})
}

// someFields returns fields as an array that is not nil, which says that there was an extFields member.
func someFields(fields []Field) []Field {
	if fields == nil {
		return []Field{}
	}
	return fields
}
