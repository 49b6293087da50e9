// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// rawFrame builds a frame without its length bytes.
func rawFrame(form SerializeType, header, body string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(form)<<24|uint32(len(header)))
	return append(append(b, header...), body...)
}

func TestDecodeLenientJSON(t *testing.T) {
	fields := func(kv ...string) []Field {
		f := []Field{}
		for i := 0; i < len(kv); i += 2 {
			f = append(f, Field{kv[i], kv[i+1]})
		}
		return f
	}
	cases := []struct {
		name, header string
		want         Command
	}{
		{"empty object", `{}`, Command{}},
		{"blanks", " {\n\"code\" : 1 ,\t\"extFields\" : { \"a\" : \"b\" , \"c\":\"d\" } } \r\n", Command{Code: 1, Fields: fields("a", "b", "c", "d")}},
		{"values that are no text", `{"extFields":{"a":1,"b":true,"c":null,"d":1.50,"e":{"x":1},"f":[1]}}`,
			Command{Fields: fields("a", "1", "b", "true", "d", "1.50", "e", `{"x":1}`, "f", "[1]")}},
		{"numbers as text", `{"code":"12","flag":null,"language":9,"opaque":"","version":true}`, Command{Code: 12, Language: LangGo, Version: 1}},
		{"fraction and exponent", `{"code":1.7,"opaque":1e2}`, Command{Code: 1, Opaque: 100}},
		{"unknown language", `{"language":"COBOL"}`, Command{Language: LangUnknown}},
		{"unknown members", `{"code":1,"x":{"y":[1,{"z":null}]},"opaque":2}`, Command{Code: 1, Opaque: 2}},
		{"members twice", `{"code":1,"code":2,"extFields":{"a":"1"},"extFields":{"b":"1"}}`, Command{Code: 2, Fields: fields("b", "1")}},
		{"fields twice", `{"extFields":{"a":"1","a":"2"}}`, Command{Fields: fields("a", "1", "a", "2")}},
		{"no fields", `{"code":1}`, Command{Code: 1}},
		{"null fields", `{"extFields":null,"remark":null,"language":null}`, Command{}},
		{"empty text for fields", `{"extFields":""}`, Command{}},
		{"empty fields", `{"extFields":{}}`, Command{Fields: fields()}},
		{"empty value", `{"extFields":{"a":""}}`, Command{Fields: fields("a", "")}},
		{"remark that is a number", `{"remark":5}`, Command{Remark: "5"}},
		{"escapes", `{"remark":"\"\\\/\b\f\n\r\t\u0041\u00e9\u4E2d"}`, Command{Remark: "\"\\/\b\f\n\r\tAé中"}},
		{"surrogates", `{"remark":"\ud83d\ude00"}`, Command{Remark: "😀"}},
		{"separators", `{"extFields":{"i":"KEYS\u0001k 1\u0002TAGS\u0001t\u0002"}}`, Command{Fields: fields("i", "KEYS\x01k 1\x02TAGS\x01t\x02")}},
		{"raw text beyond ASCII", `{"extFields":{"标签":"值é😀"}}`, Command{Fields: fields("标签", "值é😀")}},
		{"bytes that are no UTF-8", "{\"extFields\":{\"a\":\"x\xffy\"}}", Command{Fields: fields("a", "x\uFFFDy")}},
		{"extremes", `{"code":-2147483648,"opaque":2147483647,"flag":-1,"version":0}`, Command{Code: -1 << 31, Opaque: 1<<31 - 1, Flag: -1}},
		{"escaped names", `{"c\u006fde":7}`, Command{Code: 7}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			// A used command must not show through.
			got := &Command{Code: 99, Remark: "old", Language: LangRust, Body: []byte("old"), Fields: make([]Field, 3, 8)}
			require.NoError(t, Decode(rawFrame(SerializeJSON, tc.header, ""), got))
			require.Equal(t, &tc.want, got)
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	fixed := strings.Repeat("\x00", binaryFixedBytes)
	manyJSON := `{"extFields":{"":""` + strings.Repeat(`,"":""`, MaxFields) + `}}`
	manyBinary := fixed + "\x00\x00\x00\x00" + int32Text((MaxFields+1)*6) + strings.Repeat("\x00", (MaxFields+1)*6)
	cases := []struct {
		name  string
		frame []byte
	}{
		{"nothing", nil},
		{"three bytes", []byte{0, 0, 0}},
		{"header longer than the frame", []byte{0, 0, 0, 3, '{', '}'}},
		{"header length of 24 bits", []byte{0, 0xff, 0xff, 0xff}},
		{"unknown form", rawFrame(2, "{}", "")},
		{"too long", make([]byte, MaxFrameBytes-3)},
		{"empty JSON header", rawFrame(SerializeJSON, "", "")},
		{"null", rawFrame(SerializeJSON, "null", "")},
		{"an array", rawFrame(SerializeJSON, "[]", "")},
		{"unfinished", rawFrame(SerializeJSON, `{"code":1`, "")},
		{"unfinished string", rawFrame(SerializeJSON, `{"remark":"abcdefgh`, "")},
		{"unfinished escape", rawFrame(SerializeJSON, `{"remark":"\u00`, "")},
		{"text behind it", rawFrame(SerializeJSON, `{"code":1} x`, "")},
		{"number too large", rawFrame(SerializeJSON, `{"version":99999999999}`, "")},
		{"no number", rawFrame(SerializeJSON, `{"code":"x"}`, "")},
		{"fields in an array", rawFrame(SerializeJSON, `{"extFields":[]}`, "")},
		{"fields in a text", rawFrame(SerializeJSON, `{"extFields":"x"}`, "")},
		{"too many fields", rawFrame(SerializeJSON, manyJSON, "")},
		{"deep nesting", rawFrame(SerializeJSON, `{"x":`+strings.Repeat("[", 1<<20), "")},
		{"binary: short", rawFrame(SerializeBinary, fixed[1:], "")},
		{"binary: no remark", rawFrame(SerializeBinary, fixed, "")},
		{"binary: negative remark", rawFrame(SerializeBinary, fixed+"\xff\xff\xff\xff\x00\x00\x00\x00", "")},
		{"binary: remark too long", rawFrame(SerializeBinary, fixed+"\x7f\xff\xff\xff\x00\x00\x00\x00", "")},
		{"binary: no fields", rawFrame(SerializeBinary, fixed+"\x00\x00\x00\x00", "")},
		{"binary: fields too long", rawFrame(SerializeBinary, fixed+"\x00\x00\x00\x00\x00\x00\x00\x01", "")},
		{"binary: key too long", rawFrame(SerializeBinary, fixed+"\x00\x00\x00\x00\x00\x00\x00\x06\x00\x05kkkk", "")},
		{"binary: negative key", rawFrame(SerializeBinary, fixed+"\x00\x00\x00\x00\x00\x00\x00\x06\xff\xffkkkk", "")},
		{"binary: negative value", rawFrame(SerializeBinary, fixed+"\x00\x00\x00\x00\x00\x00\x00\x07\x00\x01k\xff\xff\xff\xff", "")},
		{"binary: value too long", rawFrame(SerializeBinary, fixed+"\x00\x00\x00\x00\x00\x00\x00\x07\x00\x01k\x00\x00\x00\x01v", "")},
		{"binary: too many fields", rawFrame(SerializeBinary, manyBinary, "")},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			var frameError *FrameError
			require.ErrorAs(t, Decode(tc.frame, new(Command)), &frameError)
			require.NotEmpty(t, frameError.Error())
		})
	}
}

func int32Text(n int) string { return string(binary.BigEndian.AppendUint32(nil, uint32(n))) }

// The frames are what Java's RocketMQSerializable wrote, fields {k=v, empty=""} and remark "ré".
func TestDecodeJavaBinary(t *testing.T) {
	cases := []struct {
		code, want int32
		header     string
	}{
		{200050, PopMessage, "DXIAAAAAAAAJAAAAAAAAAANyw6kAAAATAAFrAAAAAXYABWVtcHR5AAAAAA=="},
		{-1000, RPCUnknown, "/BgAAAAAAAAJAAAAAAAAAANyw6kAAAATAAFrAAAAAXYABWVtcHR5AAAAAA=="},
	}
	for _, tc := range cases {
		header, err := base64.StdEncoding.DecodeString(tc.header)
		require.NoError(t, err)
		c := mustDecode(t, rawFrame(SerializeBinary, string(header), "body"))
		want := &Command{Code: tc.want, Opaque: 9, Remark: "ré", Fields: []Field{{"k", "v"}}, Body: []byte("body"), Serialize: SerializeBinary}
		require.Equal(t, want, c)
	}
}

func TestBinaryCodes(t *testing.T) {
	RequestCodes(func(code int32, name string) {
		c := &Command{Code: code, Serialize: SerializeBinary}
		require.Equal(t, code, mustDecode(t, mustAppend(t, c)).Code, name)
	})
	answer := &Command{Code: 3442, Flag: FlagResponse, Serialize: SerializeBinary}
	require.Equal(t, int32(3442), mustDecode(t, mustAppend(t, answer)).Code, "answers are not widened")
}

func TestBinaryLenient(t *testing.T) {
	fixed := "\x00\x0a\xc8" + strings.Repeat("\x00", binaryFixedBytes-3)
	c := mustDecode(t, rawFrame(SerializeBinary, fixed+"\x00\x00\x00\x00\x80\x00\x00\x00trailing", ""))
	require.Equal(t, &Command{Code: 10, Language: 0xc8, Serialize: SerializeBinary}, c, "a negative length reads as none")
	require.Equal(t, "OTHER", c.Language.String())

	c = mustDecode(t, rawFrame(SerializeBinary, fixed+"\x00\x00\x00\x00\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00", ""))
	require.Equal(t, []Field{}, c.Fields, "entries without a key are skipped")

	c = mustDecode(t, rawFrame(SerializeBinary, fixed+"\x00\x00\x00\x01\xff\x00\x00\x00\x00", ""))
	require.Equal(t, "\uFFFD", c.Remark)
}

func TestAppend(t *testing.T) {
	c := &Command{Code: 0, Opaque: 5, Flag: FlagResponse, Version: 513, Fields: []Field{}, Body: []byte("body")}
	frame, err := Append([]byte("before"), c)
	require.NoError(t, err)
	header := `{"code":0,"extFields":{},"flag":1,"language":"JAVA","opaque":5,"serializeTypeCurrentRPC":"JSON","version":513}`
	want := "before" + int32Text(4+len(header)+4) + int32Text(len(header)) + header + "body"
	require.Equal(t, want, string(frame))

	c = &Command{Code: -1, Language: LangNodeJS, Opaque: -5, Remark: "a\"b", Version: 1}
	require.Equal(t, `{"code":-1,"flag":0,"language":"NODE_JS","opaque":-5,"remark":"a\"b","serializeTypeCurrentRPC":"JSON","version":1}`,
		string(mustAppend(t, c)[4:]))
}

func TestAppendRefuses(t *testing.T) {
	head := []byte("kept")
	long := strings.Repeat("x", MaxFrameBytes)
	cases := []struct {
		name    string
		c       Command
		bodyLen int
	}{
		{"body", Command{}, MaxFrameBytes},
		{"negative body", Command{}, -1},
		{"body that overflows", Command{}, int(^uint(0) >> 1)},
		{"remark", Command{Remark: long}, 0},
		{"field", Command{Serialize: SerializeBinary, Fields: []Field{{"k", long}}}, 0},
		{"key", Command{Serialize: SerializeBinary, Fields: []Field{{long[:1<<15], "v"}}}, 0},
		{"form", Command{Serialize: 7}, 0},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			out, err := AppendHead(head, &tc.c, tc.bodyLen)
			var frameError *FrameError
			require.ErrorAs(t, err, &frameError)
			require.Equal(t, "kept", string(out))
		})
	}
	// The largest frame there is.
	c := new(Command)
	empty := mustAppend(t, c)
	c.Body = make([]byte, MaxFrameBytes-4-len(empty))
	require.Len(t, mustAppend(t, c), MaxFrameBytes-4)
	_, err := AppendHead(nil, c, len(c.Body)+1)
	require.Error(t, err)
}

// The escapes are those that fastjson2 2.0.59 writes for every character of the basic plane.
func TestAppendJSONString(t *testing.T) {
	short := map[rune]string{'\b': `\b`, '\t': `\t`, '\n': `\n`, '\f': `\f`, '\r': `\r`, '"': `\"`, '\\': `\\`}
	for r := rune(0); r < 0x10000; r++ {
		if r >= 0xD800 && r < 0xE000 {
			continue
		}
		want, ok := short[r]
		switch {
		case ok:
		case r < ' ':
			want = fmt.Sprintf(`\u%04x`, r)
		default:
			want = string(r)
		}
		require.Equal(t, `"x`+want+`y"`, string(appendJSONString(nil, "x"+string(r)+"y")))
	}
	require.Equal(t, "\"a\uFFFDb\"", string(appendJSONString(nil, "a\xffb")))
}

func TestPlainPrefix(t *testing.T) {
	for n := range 40 {
		for _, special := range []string{`"`, `\`, "\x00", "\x1f"} {
			for _, around := range []string{"a", "\x7f", "é", " ", "!", "#", "[", "]", "\xff"} {
				text := strings.Repeat(around, n) + special + strings.Repeat(`"`, 9)
				require.Equal(t, n*len(around), plainPrefix([]byte(text)), "%q", text)
			}
		}
		require.Equal(t, n, plainPrefix(bytes.Repeat([]byte{'a'}, n)))
	}
}

func TestField(t *testing.T) {
	c := &Command{Fields: []Field{{"a", "1"}, {"b", "2"}, {"a", "3"}}}
	v, ok := c.Field("a")
	require.True(t, ok)
	require.Equal(t, "3", v)
	_, ok = c.Field("c")
	require.False(t, ok)
	c.SetField("a", "4")
	require.Equal(t, []Field{{"b", "2"}, {"a", "4"}}, c.Fields)
	empty := new(Command)
	empty.SetField("x", "y")
	require.Equal(t, []Field{{"x", "y"}}, empty.Fields)
	require.True(t, (&Command{Flag: FlagResponse}).IsResponse())
	require.True(t, (&Command{Flag: FlagOneway}).IsOneway())
}

func TestNames(t *testing.T) {
	require.Equal(t, "SEND_MESSAGE_V2", RequestName(SendMessageV2))
	require.Equal(t, "99999", RequestName(99999))
	for l := LangJava; l <= LangNodeJS; l++ {
		require.Equal(t, l, ParseLanguage(l.String()))
	}
	require.Equal(t, LangUnknown, ParseLanguage(""))
	require.Equal(t, "ROCKETMQ", SerializeBinary.String())
	require.Equal(t, "JSON", SerializeJSON.String())
	require.Equal(t, "code 17: no w", Errorf(TopicNotExist, "no %s", "w").Error())
	cause := errors.New("cause")
	require.ErrorIs(t, &FrameError{Reason: "r", Err: cause}, cause)
	count := 0
	RequestCodes(func(int32, string) { count++ })
	require.Equal(t, 169, count, "158 codes and the 11 that 5.5.0 adds")
}

// sendFrames are one send request in each of the shapes that matter.
func sendFrames(tb testing.TB) map[string][]byte {
	frames := map[string][]byte{}
	props := "KEYS\x01order-4711\x02UNIQ_KEY\x01FD000000000000000000000000000002432630946E0972150CE70000\x02WAIT\x01true\x02TAGS\x01TagA\x02"
	maxTimes := int32(16)
	h := &SendHeader{ProducerGroup: "please_rename_unique_group_name", Topic: "TopicTest", DefaultTopic: "TBW102",
		DefaultTopicQueueNums: 4, QueueID: 3, BornTimestampMs: 1795405182183, Properties: props, MaxReconsumeTimes: &maxTimes,
		RPC: RPC{BrokerName: "broker-a"}}
	for _, form := range []SerializeType{SerializeJSON, SerializeBinary} {
		for code, variant := range map[int32]string{SendMessage: "rmq", SendMessageV2: "v2"} {
			c := &Command{Code: code, Version: 513, Opaque: 4711, Serialize: form, Body: []byte("Hello RocketMQ 0")}
			c.Fields = CodecOf[SendHeader](variant).Append([]Field{}, h)
			frames[form.String()+"-"+strconv.Itoa(int(code))] = mustAppend(tb, c)
		}
	}
	return frames
}

func TestSendAllocs(t *testing.T) {
	for name, frame := range sendFrames(t) {
		codec := CodecOf[SendHeader]("rmq")
		if strings.HasSuffix(name, "-310") {
			codec = CodecOf[SendHeader]("v2")
		}
		var c Command
		var h SendHeader
		decode := func() {
			if err := Decode(frame, &c); err != nil {
				t.Fatal(err)
			}
			if err := codec.Decode(c.Fields, &h); err != nil {
				t.Fatal(err)
			}
		}
		decode()
		require.Equal(t, "TopicTest", h.Topic)
		require.Equal(t, int32(16), *h.MaxReconsumeTimes)
		require.Equal(t, "broker-a", h.BrokerName)
		// One text for all strings and one number behind a pointer.
		require.LessOrEqual(t, testing.AllocsPerRun(100, decode), 2.0, name)

		out := make([]byte, 0, 4096)
		encode := func() {
			if _, err := AppendHead(out, &c, len(c.Body)); err != nil {
				t.Fatal(err)
			}
		}
		require.Zero(t, testing.AllocsPerRun(100, encode), name)
	}
}

func BenchmarkDecode(b *testing.B) {
	for name, frame := range sendFrames(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var c Command
			for b.Loop() {
				if err := Decode(frame, &c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendHead(b *testing.B) {
	for name, frame := range sendFrames(b) {
		b.Run(name, func(b *testing.B) {
			c := mustDecode(b, frame)
			b.ReportAllocs()
			out := make([]byte, 0, 4096)
			for b.Loop() {
				if _, err := AppendHead(out, c, len(c.Body)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
