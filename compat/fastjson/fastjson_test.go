// SPDX-License-Identifier: Apache-2.0

package fastjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

type queue struct {
	Topic      string `json:"topic"`
	QueueID    int32  `json:"queueId"`
	BrokerName string `json:"brokerName"`
}

type offsets struct {
	BrokerOffset   int64 `json:"brokerOffset"`
	ConsumerOffset int64 `json:"consumerOffset"`
	PullOffset     int64 `json:"pullOffset"`
	LastTimestamp  int64 `json:"lastTimestamp"`
}

type stats struct {
	OffsetTable map[queue]offsets `json:"offsetTable"`
	ConsumeTps  float64           `json:"consumeTps"`
}

type filter int

func (f filter) MarshalText() ([]byte, error) {
	return []byte([]string{"SINGLE_TAG", "MULTI_TAG"}[f]), nil
}
func (f *filter) UnmarshalText(text []byte) error {
	switch string(text) {
	case "SINGLE_TAG":
		*f = 0
	case "MULTI_TAG":
		*f = 1
	default:
		return fmt.Errorf("filter %q", text)
	}
	return nil
}

type base struct {
	Zone string `json:"zone,omitempty"`
	Hide int    `json:"-"`
}

type bean struct {
	base
	I    int32            `json:"i"`
	L    int64            `json:"l"`
	U    uint32           `json:"u"`
	B    bool             `json:"b"`
	S    string           `json:"s"`
	D    float64          `json:"d"`
	P    *int32           `json:"p,omitempty"`
	Ls   []string         `json:"ls,omitempty"`
	Li   []int32          `json:"li,omitzero"`
	M    map[int64]string `json:"m,omitempty"`
	F    filter           `json:"f"`
	Next *bean            `json:"next,omitempty"`
	Raw  Raw              `json:"raw,omitempty"`
}

func mustMarshal(t *testing.T, v any) string {
	t.Helper()
	text, err := Marshal(v)
	require.NoError(t, err)
	return string(text)
}

func TestMarshal(t *testing.T) {
	seven := int32(7)
	for _, c := range []struct {
		name string
		v    any
		want string
	}{
		{"nil", nil, `null`},
		{"bean", bean{I: 1, S: "x"}, `{"b":false,"d":0.0,"f":"SINGLE_TAG","i":1,"l":0,"s":"x","u":0}`},
		{"embedded, pointer, nested", &bean{base: base{Zone: "z"}, P: &seven, F: 1, Next: &bean{}},
			`{"b":false,"d":0.0,"f":"MULTI_TAG","i":0,"l":0,"next":{"b":false,"d":0.0,"f":"SINGLE_TAG","i":0,"l":0,"s":"","u":0},"p":7,"s":"","u":0,"zone":"z"}`},
		{"omitzero keeps what is empty", struct {
			A []int          `json:"a,omitzero"`
			B []int          `json:"b,omitzero"`
			C []int          `json:"c"`
			D map[string]int `json:"d"`
		}{A: []int{}}, `{"a":[],"c":[],"d":{}}`},
		{"integer keys", map[int64]string{10: "b", 9: "a", -1: "n"}, `{"-1":"n","9":"a","10":"b"}`},
		{"string keys", map[string]int{"b": 1, "a": 2}, `{"a":2,"b":1}`},
		// Java 5.5.0: ConsumeStats.toJson().
		{"struct keys", stats{OffsetTable: map[queue]offsets{{"T", 0, "b"}: {BrokerOffset: 5}}},
			`{"consumeTps":0.0,"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:{"brokerOffset":5,"consumerOffset":0,"lastTimestamp":0,"pullOffset":0}}}`},
		{"text keys", map[filter]int{1: 1, 0: 2}, `{"MULTI_TAG":1,"SINGLE_TAG":2}`},
		{"no html", "<a>&'\u2028é\x7f", "\"<a>&'\u2028é\x7f\""},
		{"escapes", "a\"b\\c/\b\f\n\r\t\x00\x01\x1f", `"a\"b\\c/\b\f\n\r\t\u0000\u0001\u001f"`},
		{"bad utf-8", "a\xffb", "\"a\ufffdb\""},
		{"interface", []any{1, "a", nil, 2.5, true}, `[1,"a",null,2.5,true]`},
		{"raw", bean{Raw: Raw("{ \"k\": [1] }")}, `{"b":false,"d":0.0,"f":"SINGLE_TAG","i":0,"l":0,"raw":{"k":[1]},"s":"","u":0}`},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, mustMarshal(t, c.v)) })
	}
}

func TestMarshalRefuses(t *testing.T) {
	type loop struct {
		Next *loop `json:"next"`
	}
	ring := &loop{}
	ring.Next = ring
	for _, v := range []any{func() {}, map[float64]int{1: 1}, ring, Raw("{")} {
		_, err := Marshal(v)
		require.Error(t, err)
	}
}

// The first encoders of a type are built while others already want to use them.
func TestMarshalConcurrently(t *testing.T) {
	type node struct {
		Children []*node          `json:"children"`
		ByName   map[string]*node `json:"byName"`
		Queue    map[queue]bool   `json:"queue"`
	}
	v := node{Children: []*node{{}}, ByName: map[string]*node{"a": {}}}
	texts := make([]string, 16)
	var group errgroup.Group
	for i := range texts {
		group.Go(func() error {
			text, err := Marshal(v)
			texts[i] = string(text)
			return err
		})
	}
	require.NoError(t, group.Wait())
	require.Len(t, slices.Compact(texts), 1)
}

// The doubles that Java 5.5.0 prints for the same values.
func TestMarshalDouble(t *testing.T) {
	values := []float64{0, 1, math.Copysign(0, -1), 1.5, 100, 1e6, 1234567, 12345678.9, 1e7, 1e21, 1e-3, 1e-4, 0.1, 1e300, math.NaN(), math.Inf(1), -2.5e-7}
	require.Equal(t, `[0.0,1.0,-0.0,1.5,100.0,1000000.0,1234567.0,1.23456789E7,1.0E7,1.0E21,0.001,1.0E-4,0.1,1.0E300,null,null,-2.5E-7]`, mustMarshal(t, values))
	require.Equal(t, `[1.5,1.0E10]`, mustMarshal(t, []float32{1.5, 1e10}))
}

// As Java 5.5.0 prints it, but for the quoted integer keys and the empty list.
func TestMarshalPretty(t *testing.T) {
	type table struct {
		Offsets map[string]map[int32]int64 `json:"offsetTable"`
		Next    []int64                    `json:"next"`
		Names   []string                   `json:"names"`
		Empty   []string                   `json:"empty"`
		Attrs   map[string]string          `json:"attributes"`
		Raw     Raw                        `json:"raw,omitempty"`
	}
	text, err := MarshalPretty(table{
		Offsets: map[string]map[int32]int64{"T@g": {0: 100, 1: 7}}, Next: []int64{1000, 5000}, Names: []string{"a", "b"}, Raw: Raw("{\n\t\t\"x\":1\n\t}"),
	})
	require.NoError(t, err)
	require.Equal(t, strings.Join([]string{
		"{",
		"\t\"attributes\":{},",
		"\t\"empty\":[],",
		"\t\"names\":[",
		"\t\t\"a\",",
		"\t\t\"b\"",
		"\t],",
		"\t\"next\":[1000,5000],",
		"\t\"offsetTable\":{",
		"\t\t\"T@g\":{",
		"\t\t\t\"0\":100,",
		"\t\t\t\"1\":7",
		"\t\t}",
		"\t},",
		"\t\"raw\":{",
		"\t\t\"x\":1",
		"\t}",
		"}",
	}, "\n"), string(text))
}

// What Java 5.5.0 makes of the same texts, where it accepts them.
func TestUnmarshalScalars(t *testing.T) {
	preset := bean{I: 7, L: 8, B: true, S: "d", D: 1}
	for _, c := range []struct {
		in   string
		want func(b *bean)
	}{
		{`{"I":3}`, func(*bean) {}},
		{`{i:3}`, func(b *bean) { b.I = 3 }},
		{`{'i':3,'s':'x\'y"z'}`, func(b *bean) { b.I, b.S = 3, `x'y"z` }},
		{`{"i":"3"}`, func(b *bean) { b.I = 3 }},
		{`{"i":" 3 "}`, func(b *bean) { b.I = 3 }},
		{`{"i":""}`, func(b *bean) { b.I = 0 }},
		{`{"i":3.0}`, func(b *bean) { b.I = 3 }},
		{`{"i":3.7}`, func(b *bean) { b.I = 3 }},
		{`{"i":-3.7}`, func(b *bean) { b.I = -3 }},
		{`{"i":true}`, func(b *bean) { b.I = 1 }},
		{`{"i":null,"b":null,"s":null,"d":null}`, func(b *bean) { b.I, b.B, b.S, b.D = 0, false, "", 0 }},
		{`{"i":1e3}`, func(b *bean) { b.I = 1000 }},
		{`{"l":"9999999999"}`, func(b *bean) { b.L = 9999999999 }},
		{`{"l":9223372036854775807}`, func(b *bean) { b.L = math.MaxInt64 }},
		{`{"l":-9223372036854775808,"u":4294967295}`, func(b *bean) { b.L, b.U = math.MinInt64, math.MaxUint32 }},
		{`{"b":"true"}`, func(*bean) {}},
		{`{"b":"FALSE"}`, func(b *bean) { b.B = false }},
		{`{"b":0}`, func(b *bean) { b.B = false }},
		{`{"b":1}`, func(*bean) {}},
		{`{"s":12}`, func(b *bean) { b.S = "12" }},
		{`{"s":12.50}`, func(b *bean) { b.S = "12.50" }},
		{`{"s":true}`, func(b *bean) { b.S = "true" }},
		{`{"s":{"a":1}}`, func(b *bean) { b.S = `{"a":1}` }},
		{`{"s":[1,2]}`, func(b *bean) { b.S = "[1,2]" }},
		{"{\"s\":\"a\nb\x01\"}", func(b *bean) { b.S = "a\nb\x01" }},
		{`{"s":"\u00e9\/\ud83d\ude00"}`, func(b *bean) { b.S = "é/😀" }},
		{`{"d":"1.5"}`, func(b *bean) { b.D = 1.5 }},
		{`{"i":1,"i":2}`, func(b *bean) { b.I = 2 }},
		{" \t\r\n{ \"i\" : 3 } ", func(b *bean) { b.I = 3 }},
		{`null`, func(*bean) {}},
		{`{"f":"MULTI_TAG","p":"5","zone":"z","Hide":3}`, func(b *bean) { five := int32(5); b.F, b.P, b.Zone = 1, &five, "z" }},
		{`{"li":["12",13,-4],"ls":[1,"b"]}`, func(b *bean) { b.Li, b.Ls = []int32{12, 13, -4}, []string{"1", "b"} }},
		{`{"m":{1:"x","2":"y",'3':"z",-1:"n"}}`, func(b *bean) { b.M = map[int64]string{1: "x", 2: "y", 3: "z", -1: "n"} }},
		{`{"unknown":{1:2,3:[{4:5},{{"a":1}:'x'}]},"i":3}`, func(b *bean) { b.I = 3 }},
		{`{"raw":{0:'a'},"next":{"i":1}}`, func(b *bean) { b.Raw, b.Next = Raw(`{"0":"a"}`), &bean{I: 1} }},
	} {
		t.Run(c.in, func(t *testing.T) {
			want, got := preset, preset
			c.want(&want)
			require.NoError(t, Unmarshal([]byte(c.in), &got))
			require.Equal(t, want, got)
		})
	}
}

func TestUnmarshalRefuses(t *testing.T) {
	for _, in := range []string{
		``, ` `, `[]`, `{`, `{"i"`, `{"i":`, `{"i":3`, `{"i":3}x`, `{"i":3]`, `}`, `{"i":"x"}`, `{"i":99999999999}`, `{"i":"1e99"}`, `{"i":[1]}`, `{"u":-1}`,
		`{"l":9223372036854775808}`, `{"l":9223372036854775808.0}`, `{"b":"x"}`, `{"b":{}}`, `{"s":"abc`, `{"s":'abc`, `{"s":"\`, `{"f":"NONE"}`, `{"m":{"x":"y"}}`, `{[1]:2}`, `{"i":#}`, `{"i":03}`, `{"i":1-2}`, `{"x":00}`,
		`{"x":{{{"a":1}:2}:3}}`, `{"d":"NaN"}`, `{"d":1e999}`, "{\"i\":\x003}",
	} {
		require.Error(t, Unmarshal([]byte(in), &bean{}), "%s", in)
	}
	require.Error(t, Unmarshal([]byte(`{}`), bean{}))
	require.Error(t, Unmarshal([]byte(`{"a":1}`), &map[queue]int{}), "a struct key that is no object")
}

func TestUnmarshalStructKeys(t *testing.T) {
	want := map[queue]int64{{"T", 0, "b"}: 9, {"T", 1, "b"}: 10}
	for _, in := range []string{
		`{{"brokerName":"b","queueId":0,"topic":"T"}:9,{"brokerName":"b","queueId":1,"topic":"T"}:10}`,
		"{ {'topic' : 'T',queueId:\"0\",\n\"brokerName\":\"b\",\"x\":{\"y\":[]}} : 9 , {\"brokerName\":\"b\",\"queueId\":1,\"topic\":\"T\"}:\"10\" }",
		`{"{\"brokerName\":\"b\",\"queueId\":0,\"topic\":\"T\"}":9,"{brokerName:'b',queueId:1,topic:'T'}":10}`,
		mustMarshal(t, want),
	} {
		var got map[queue]int64
		require.NoError(t, Unmarshal([]byte(in), &got))
		require.Equal(t, want, got)
	}
}

func TestUnmarshalDepth(t *testing.T) {
	nested := func(n int) []byte { return []byte(strings.Repeat("[", n) + strings.Repeat("]", n)) }
	var v any
	require.NoError(t, Unmarshal(nested(MaxDepth), &v))
	require.ErrorContains(t, Unmarshal(nested(MaxDepth+1), &v), "nested deeper")
	require.ErrorContains(t, Unmarshal([]byte(strings.Repeat(`{"a":`, 1<<20)), &v), "nested deeper")
}

// Unknown members survive a rewrite.
func TestRawKeepsUnknownMembers(t *testing.T) {
	var members map[string]Raw
	require.NoError(t, Unmarshal([]byte(`{"offsetTable":{"T@g":{0:1}},"pullOffsetTable":{}, "n" : 1.50 }`), &members))
	require.Equal(t, `{"n":1.50,"offsetTable":{"T@g":{"0":1}},"pullOffsetTable":{}}`, mustMarshal(t, members))
}

// Numbers of members that nobody declared stay as they were.
func TestInterfaceKeepsNumbers(t *testing.T) {
	const text = `{"n":[9223372036854775807,1.50,-0,1e3]}`
	var v any
	require.NoError(t, Unmarshal([]byte(text), &v))
	require.Equal(t, text, mustMarshal(t, v))
	require.Equal(t, "0", mustMarshal(t, json.Number("")))
	for _, n := range []json.Number{"x", `"1"`, "1,2", "[1]", " 1"} {
		_, err := Marshal(n)
		require.Error(t, err, "%s", n)
	}
}

func TestNormaliseCopiesNothingStrict(t *testing.T) {
	in := []byte(`{"a":[1,-2.5e3,true,null,"x\"y{"],"b":{}}`)
	out, err := normalise(in)
	require.NoError(t, err)
	require.Same(t, &in[0], &out[0])
}

// standard is what the standard library makes of text.
func standard(t *testing.T, text []byte) (v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	require.NoError(t, d.Decode(&v))
	return v
}

// FuzzUnmarshal: no text makes Unmarshal panic. What normalise gives for JSON that the standard library accepts means the
// same (our own bound on depth aside). Whatever was read can be written, and reads as the same again.
func FuzzUnmarshal(f *testing.F) {
	for _, seed := range []string{
		`{"i":3,"s":"a","m":{0:"x"},"next":{"li":["1",2]}}`, `{{"brokerName":"b","queueId":0,"topic":"T"}:{"brokerOffset":1}}`,
		`{'a':'b\'c"'}`, `{"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:{}},"consumeTps":1.5}`, `[[[1]]]`, `"\ud800\u0000"`, `1e400`, `00`, `{"raw":{1:2}}`,
		`{"d":1e-7,"b":"true","u":"4294967295","f":"MULTI_TAG","p":null}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		strict, err := normalise(data)
		if err == nil && json.Valid(data) {
			require.Equal(t, standard(t, data), standard(t, strict))
		}
		for _, v := range []func() any{
			func() any { return &bean{} }, func() any { return &stats{} }, func() any { return &map[queue]offsets{} },
			func() any { return &map[int32]string{} }, func() any { return &map[string]Raw{} }, func() any { var a any; return &a },
		} {
			first, second := v(), v()
			if Unmarshal(data, first) != nil {
				continue
			}
			text, err := Marshal(first)
			require.NoError(t, err)
			require.NoError(t, Unmarshal(text, second), "%s", text)
			again, err := Marshal(second)
			require.NoError(t, err)
			require.Equal(t, string(text), string(again))
		}
	})
}
