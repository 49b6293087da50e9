// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// FuzzDecodeFrame: nothing makes Decode panic; what the scanner reads json-iterator reads the same; a command that was
// read is written and read again without a change.
func FuzzDecodeFrame(f *testing.F) {
	for _, g := range readGolden(f) {
		f.Add(g.frame())
	}
	for _, frame := range sendFrames(f) {
		f.Add(frame)
	}
	for _, header := range []string{
		`{"code":-1,"flag":01,"opaque":1e2}`, `{"extFields":{"a":null,"b":1,"c":{"d":[]}},"remark":null}`,
		"{\"remark\":\"\\u0001\\ud83d\\ude00\xff\\/\"} ", `{"language":"GO","serializeTypeCurrentRPC":"ROCKETMQ","x":1}`,
	} {
		f.Add(rawFrame(SerializeJSON, header, "body"))
	}
	f.Add(rawFrame(SerializeBinary, "\x0d\x72\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x08\x00\x01k\x00\x00\x00\x01v", ""))

	f.Fuzz(func(t *testing.T, frame []byte) {
		var c Command
		err := Decode(frame, &c)
		if len(frame) >= 4 && frame[0] == byte(SerializeJSON) {
			if n := int(binary.BigEndian.Uint32(frame) & headerLenMask); n <= len(frame)-4 {
				compareReaders(t, frame[4:4+n])
			}
		}
		if err != nil {
			return
		}
		again, err := Append(nil, &c)
		if err != nil {
			return // grown beyond the limit by escapes
		}
		var back Command
		require.NoError(t, Decode(again[4:], &back))
		if c.Language > LangNodeJS && c.Serialize == SerializeJSON {
			back.Language = c.Language // the name of an unknown language is lost
		}
		if c.Serialize == SerializeBinary && len(c.Fields) == 0 {
			back.Fields = c.Fields // the binary form cannot say "empty"
		}
		require.Equal(t, c, back)
	})
}

func compareReaders(t *testing.T, header []byte) {
	if !utf8.Valid(header) {
		return
	}
	var quick, slow Command
	s := jsonScanner{src: bytes.Clone(header)}
	if !s.header(&quick) {
		return
	}
	require.NoError(t, decodeAnyJSON(header, &slow, nil), "%q", header)
	require.Equal(t, slow, quick, "%q", header)
}

// FuzzDecodeBinary: no binary header makes Decode panic, and what was read is written and read again without a change.
func FuzzDecodeBinary(f *testing.F) {
	for name, frame := range sendFrames(f) {
		if strings.HasPrefix(name, SerializeBinary.String()) {
			f.Add(string(frame[4 : 4+binary.BigEndian.Uint32(frame)&headerLenMask]))
		}
	}
	f.Fuzz(func(t *testing.T, header string) {
		var c, back Command
		if len(header) > headerLenMask || Decode(rawFrame(SerializeBinary, header, ""), &c) != nil {
			return
		}
		again, err := Append(nil, &c)
		if err != nil {
			return // grown beyond the limit by replaced bytes
		}
		require.NoError(t, Decode(again[4:], &back))
		if len(c.Fields) == 0 {
			back.Fields = c.Fields
		}
		require.Equal(t, c, back)
	})
}

// FuzzDecodeHeader: no value makes the codec panic, and what it accepts comes out again as it went in.
func FuzzDecodeHeader(f *testing.F) {
	f.Add("queueOffset", "9223372036854775807", "maxMsgBytes", "-1")
	f.Add("topic", "T", "queueId", "+7")
	f.Add("suspendTimeoutMillis", "-9223372036854775808", "oway", "TRUE")
	codec := CodecOf[PullHeader]("rmq")
	f.Fuzz(func(t *testing.T, key1, value1, key2, value2 string) {
		var h, back PullHeader
		if codec.Decode([]Field{{key1, value1}, {key2, value2}}, &h) != nil {
			return
		}
		require.NoError(t, codec.Decode(codec.Append(nil, &h), &back))
		require.Equal(t, h, back)
	})
}

// FuzzDecodeRegisterBrokerBody: no body makes the decoder panic or allocate by an unchecked count.
func FuzzDecodeRegisterBrokerBody(f *testing.F) {
	body := newRegisterBody()
	for _, compressed := range []bool{false, true} {
		data, err := body.Encode(compressed)
		require.NoError(f, err)
		f.Add(data, compressed, int32(513))
	}
	f.Fuzz(func(t *testing.T, data []byte, compressed bool, version int32) {
		r, err := DecodeRegisterBrokerBody(data, compressed, version)
		if err == nil {
			_, err = r.Encode(compressed)
			require.NoError(t, err)
		}
		// Fuzzing seldom finds its way through zlib, so the pieces are tried bare too.
		_ = new(RegisterBrokerBody).decodePieces(data, version >= versionMapping)
	})
}
