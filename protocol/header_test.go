// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/compat"
)

type codecInner struct {
	Name *string `rmq:"name"`
	B    bool    `rmq:"b,omitempty"`
}

type codecSample struct {
	S    string  `rmq:"s" v2:"x"`
	Opt  string  `rmq:"opt,omitempty"`
	I    int32   `rmq:"i"`
	L    int64   `rmq:"l,omitempty"`
	PI   *int32  `rmq:"pi"`
	PL   *int64  `rmq:"pl"`
	PB   *bool   `rmq:"pb"`
	Skip float64 // no tag: never travels
	codecInner
}

func TestCodecDecode(t *testing.T) {
	codec := CodecOf[codecSample]("rmq")
	i, l, yes, no, name := int32(-7), int64(1)<<40, true, false, "n"
	cases := []struct {
		name   string
		fields []Field
		want   codecSample
	}{
		{"nothing", nil, codecSample{}},
		{"all", []Field{{"s", "a"}, {"opt", "o"}, {"i", "5"}, {"l", "-6"}, {"pi", "-7"}, {"pl", "1099511627776"}, {"pb", "true"}, {"name", "n"}, {"b", "TRUE"}},
			codecSample{S: "a", Opt: "o", I: 5, L: -6, PI: &i, PL: &l, PB: &yes, codecInner: codecInner{Name: &name, B: true}}},
		{"backwards", []Field{{"b", "true"}, {"pi", "-7"}, {"i", "5"}, {"s", "a"}}, codecSample{S: "a", I: 5, PI: &i, codecInner: codecInner{B: true}}},
		{"unknown", []Field{{"zz", "1"}, {"", "2"}, {"Skip", "3"}, {"x", "4"}}, codecSample{}},
		{"last wins", []Field{{"i", "1"}, {"i", "2"}}, codecSample{I: 2}},
		{"odd booleans", []Field{{"pb", "yes"}, {"b", "1"}}, codecSample{PB: &no}},
		{"extremes", []Field{{"i", "-2147483648"}, {"l", "-9223372036854775808"}}, codecSample{I: -1 << 31, L: -1 << 63}},
		{"plus sign", []Field{{"i", "+2147483647"}, {"l", "+9223372036854775807"}}, codecSample{I: 1<<31 - 1, L: 1<<63 - 1}},
		{"leading zeros", []Field{{"i", "007"}}, codecSample{I: 7}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			got := codecSample{S: "old", I: 9, PI: new(int32)}
			require.NoError(t, codec.Decode(tc.fields, &got))
			require.Equal(t, tc.want, got)
		})
	}
}

func TestCodecMalformed(t *testing.T) {
	codec := CodecOf[codecSample]("rmq")
	for _, value := range []string{"", "-", "+", "x", "1x", " 1", "1 ", "1.0", "1e3", "--1", "0x1", "1_0",
		"2147483648", "-2147483649", "9223372036854775808", "-9223372036854775809", "99999999999999999999"} {
		var h codecSample
		err := codec.Decode([]Field{{"i", value}}, &h)
		var answer *Error
		require.ErrorAs(t, err, &answer, "%q", value)
		require.Equal(t, SystemError, answer.Code)
		require.Contains(t, answer.Remark, "field i ")
		require.Error(t, codec.Decode([]Field{{"pi", value}}, &h))
		if len(value) < 9 || len(value) > 18 {
			require.Error(t, codec.Decode([]Field{{"l", value}}, &h), "%q", value)
			require.Error(t, codec.Decode([]Field{{"pl", value}}, &h), "%q", value)
		}
	}
	err := codec.Decode([]Field{{"l", string(make([]byte, 1<<20))}}, new(codecSample))
	require.Less(t, len(err.Error()), 400, "a remark repeats only the start of a value")
}

func TestCodecAppend(t *testing.T) {
	codec := CodecOf[codecSample]("rmq")
	require.Equal(t, []Field{{"s", ""}, {"i", "0"}}, codec.Append(nil, &codecSample{}))
	zero, off, empty := int32(0), false, ""
	require.Equal(t, []Field{{"s", "a"}, {"opt", "o"}, {"i", "-1"}, {"l", "5"}, {"pi", "0"}, {"pb", "false"}, {"name", ""}, {"b", "true"}},
		codec.Append(nil, &codecSample{S: "a", Opt: "o", I: -1, L: 5, PI: &zero, PB: &off, codecInner: codecInner{Name: &empty, B: true}}))
	require.Equal(t, []Field{{"x", "a"}}, CodecOf[codecSample]("v2").Append(nil, &codecSample{S: "a"}))
	require.Same(t, codec, CodecOf[codecSample]("rmq"))
}

func TestCodecOfPanics(t *testing.T) {
	require.Panics(t, func() { CodecOf[int]("rmq") })
	require.Panics(t, func() {
		CodecOf[struct {
			F float64 `rmq:"f"`
		}]("rmq")
	})
	require.Panics(t, func() {
		CodecOf[struct {
			A int32 `rmq:"a"`
			B int32 `rmq:"a"`
		}]("rmq")
	})
	require.Panics(t, func() {
		CodecOf[struct {
			A int32 `rmq:"a,optional"`
		}]("rmq")
	})
	require.Panics(t, func() {
		CodecOf[struct {
			a int32 `rmq:"a"`
		}]("rmq")
	})
}

func TestRequiredFields(t *testing.T) {
	type header struct {
		A string `rmq:"a,required"`
		B int32  `rmq:"b"`
		C int64  `rmq:"c,required"`
	}
	codec, got := CodecOf[header]("rmq"), header{}
	require.NoError(t, codec.Decode([]Field{{"c", "3"}, {"a", ""}}, &got))
	require.Equal(t, header{C: 3}, got, "an empty text is there")
	require.Equal(t, Errorf(SystemError, "the request header field c is missing"), codec.Decode([]Field{{"a", "x"}, {"b", "1"}}, &got))
	require.Equal(t, Errorf(SystemError, "the request header field a is missing"), codec.Decode(nil, &got))
}

// TestHeadersCompile: every header struct makes a codec.
func TestHeadersCompile(t *testing.T) {
	for _, codec := range []any{
		CodecOf[Empty]("rmq"), CodecOf[SendHeader]("rmq"), CodecOf[SendHeader]("v2"), CodecOf[SendResult]("rmq"), CodecOf[SendBackHeader]("rmq"),
		CodecOf[PullHeader]("rmq"), CodecOf[PullResult]("rmq"), CodecOf[QueryConsumerOffsetHeader]("rmq"), CodecOf[QueryConsumerOffsetResult]("rmq"),
		CodecOf[UpdateConsumerOffsetHeader]("rmq"), CodecOf[SearchOffsetHeader]("rmq"), CodecOf[SearchOffsetResult]("rmq"), CodecOf[GetMaxOffsetHeader]("rmq"),
		CodecOf[GetMaxOffsetResult]("rmq"), CodecOf[GetMinOffsetHeader]("rmq"), CodecOf[GetMinOffsetResult]("rmq"), CodecOf[EarliestStoreTimeHeader]("rmq"),
		CodecOf[EarliestStoreTimeResult]("rmq"), CodecOf[QueryMessageHeader]("rmq"), CodecOf[QueryMessageResult]("rmq"), CodecOf[ViewMessageHeader]("rmq"),
		CodecOf[UnregisterClientHeader]("rmq"), CodecOf[ConsumerListHeader]("rmq"), CodecOf[NotifyConsumerIDsChangedHeader]("rmq"),
		CodecOf[ConsumerConnectionHeader]("rmq"), CodecOf[ProducerConnectionHeader]("rmq"), CodecOf[PutKVConfigHeader]("rmq"), CodecOf[GetKVConfigHeader]("rmq"),
		CodecOf[GetKVConfigResult]("rmq"), CodecOf[DeleteKVConfigHeader]("rmq"), CodecOf[KVListHeader]("rmq"), CodecOf[GetBrokerConfigResult]("rmq"),
		CodecOf[TopicStatsHeader]("rmq"), CodecOf[ConsumeStatsHeader]("rmq"), CodecOf[GroupConfigTableHeader]("rmq"), CodecOf[GroupConfigTableResult]("rmq"),
		CodecOf[DeleteGroupHeader]("rmq"), CodecOf[GetGroupConfigHeader]("rmq"), CodecOf[CreateTopicHeader]("rmq"), CodecOf[DeleteTopicHeader]("rmq"),
		CodecOf[GetTopicConfigHeader]("rmq"), CodecOf[TopicConfigTableHeader]("rmq"), CodecOf[TopicConfigTableResult]("rmq"), CodecOf[RouteHeader]("rmq"),
		CodecOf[DeleteTopicInNamesrvHeader]("rmq"), CodecOf[RegisterTopicHeader]("rmq"), CodecOf[TopicsByClusterHeader]("rmq"), CodecOf[WipeWritePermHeader]("rmq"),
		CodecOf[WipeWritePermResult]("rmq"), CodecOf[AddWritePermHeader]("rmq"), CodecOf[AddWritePermResult]("rmq"), CodecOf[RegisterBrokerHeader]("rmq"),
		CodecOf[RegisterBrokerResult]("rmq"), CodecOf[UnregisterBrokerHeader]("rmq"), CodecOf[QueryDataVersionHeader]("rmq"), CodecOf[QueryDataVersionResult]("rmq"),
		CodecOf[BrokerHeartbeatHeader]("rmq"), CodecOf[BrokerMemberGroupHeader]("rmq"),
	} {
		require.NotNil(t, codec)
	}
}

func TestNewRequest(t *testing.T) {
	c := NewRequest(ViewMessageByID, &ViewMessageHeader{PhyOffset: 5})
	require.Equal(t, &Command{Code: 33, Version: compat.Version, Fields: []Field{{"offset", "5"}}}, c)
	require.Equal(t, []Field{}, NewRequest(HeartBeat, &Empty{}).Fields)
	require.Nil(t, NewRequest[Empty](HeartBeat, nil).Fields)
}

func BenchmarkHeaderDecode(b *testing.B) {
	for name, frame := range sendFrames(b) {
		b.Run(name, func(b *testing.B) {
			c := mustDecode(b, frame)
			codec := CodecOf[SendHeader]("rmq")
			if c.Code == SendMessageV2 {
				codec = CodecOf[SendHeader]("v2")
			}
			b.ReportAllocs()
			var h SendHeader
			for b.Loop() {
				if err := codec.Decode(c.Fields, &h); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkHeaderAppend(b *testing.B) {
	codec := CodecOf[PullResult]("rmq")
	h := &PullResult{SuggestWhichBrokerID: 0, NextBeginOffset: 4711, MinOffset: 0, MaxOffset: 4800}
	fields := make([]Field, 0, 16)
	b.ReportAllocs()
	for b.Loop() {
		fields = codec.Append(fields[:0], h)
	}
}
