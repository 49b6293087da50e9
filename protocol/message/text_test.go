// SPDX-License-Identifier: Apache-2.0

package message

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProperties(t *testing.T) {
	const props = "KEYS\x01a b\x02TAGS\x01TagA\x02EMPTY\x01\x02X\x011"
	for name, want := range map[string]string{"KEYS": "a b", "TAGS": "TagA", "EMPTY": "", "X": "1", "KEY": "", "EYS": "", "": ""} {
		got, ok := Property(props, name)
		require.Equal(t, want, got, name)
		require.Equal(t, want != "", ok, name)
	}
	require.Equal(t, map[string]string{"KEYS": "a b", "TAGS": "TagA", "X": "1"}, ParseProperties(props))
	require.Equal(t, map[string]string{}, ParseProperties("\x02\x01\x02\x01v\x02n\x01\x02"))

	got, _ := Property("A\x011\x02A\x012\x02A\x01\x02", "A")
	require.Equal(t, "2", got, "the last pair with a value wins")
	require.Equal(t, "2", ParseProperties("A\x011\x02A\x012\x02A\x01\x02")["A"])

	require.Equal(t, "KEYS\x01c\x02TAGS\x01TagA\x02EMPTY\x01\x02X\x011", SetProperty(props, "KEYS", "c"))
	require.Equal(t, props+"\x02NEW\x01n\x02", SetProperty(props, "NEW", "n"))
	require.Equal(t, "NEW\x01n\x02", SetProperty("", "NEW", "n"))
	require.Equal(t, "KEYS\x01a b\x02EMPTY\x01\x02X\x011", RemoveProperty(props, "TAGS"))
	require.Equal(t, "KEYS\x01a b\x02TAGS\x01TagA\x02EMPTY\x01\x02", RemoveProperty(props, "X"))
	require.Equal(t, props, RemoveProperty(props, "absent"))
	require.Equal(t, "A\x011\x02", string(AppendProperty(AppendProperty(nil, "A", "1"), "B", "")))
	require.Equal(t, map[string]string{"A": "1"}, ParseProperties(EncodeProperties(map[string]string{"A": "1", "B": ""})))
}

func TestOffsetMsgID(t *testing.T) {
	for _, host := range []string{"127.0.0.1:10911", "[2001:db8::1]:10911"} {
		h := netip.MustParseAddrPort(host)
		id := OffsetMsgID(h, 2566137236)
		back, off, err := ParseOffsetMsgID(strings.ToLower(id))
		require.NoError(t, err)
		require.Equal(t, h, back)
		require.Equal(t, int64(2566137236), off)
	}
	require.Equal(t, "7F00000100002A9F0000000098F42594", OffsetMsgID(netip.MustParseAddrPort("127.0.0.1:10911"), 2566137236))
	for _, bad := range []string{"", "7F", strings.Repeat("g", 32), strings.Repeat("0", 1<<20)} {
		_, _, err := ParseOffsetMsgID(bad)
		require.Error(t, err)
		require.Less(t, len(err.Error()), 200)
	}
}

func TestTagsCode(t *testing.T) {
	require.Equal(t, int64(2598919), TagsCode("TagA"))
	require.Equal(t, int64(0), TagsCode(""))
}

func TestNames(t *testing.T) {
	for _, good := range []string{"T", "%RETRY%g", "a|b", "A_1-2", strings.Repeat("a", 127), "%DLQ%" + strings.Repeat("a", 200)} {
		require.NoError(t, ValidTopic(good), good)
		require.True(t, SafeName(good), good)
	}
	for _, bad := range []string{"", " ", "../x", "..%2fx", "a/b", `a\b`, "a\x00", "a.b", ".", "..", "a b", "ü", strings.Repeat("a", 128), "%RETRY%" + strings.Repeat("a", 250)} {
		require.Error(t, ValidTopic(bad), bad)
	}
	for _, bad := range []string{"", ".", "..", "../x", "a/b", `a\b`, "a\x00", strings.Repeat("a", 256)} {
		require.False(t, SafeName(bad), bad)
	}
	require.True(t, SafeName("%RETRY%g+T"))
	require.NoError(t, ValidGroup(strings.Repeat("a", 120)))
	require.Error(t, ValidGroup(strings.Repeat("a", 121)))
	require.Equal(t, "%RETRY%g", RetryTopic("g"))
	require.True(t, IsDLQTopic(DLQTopic("g")))
	require.True(t, IsSystemTopic("rmq_sys_wheel_timer"))
}

func TestBatch(t *testing.T) {
	type item struct {
		flag        int32
		body, props string
	}
	want := []item{{1, "one", "A\x011\x02"}, {0, "", ""}, {-1, "three", "B\x012\x02"}}
	var body []byte
	for _, x := range want {
		body = AppendBatchItem(body, x.flag, []byte(x.body), x.props)
	}
	var got []item
	collect := func(flag int32, body []byte, props string) error {
		got = append(got, item{flag, string(body), props})
		return nil
	}
	require.NoError(t, DecodeBatch(body, collect))
	require.Equal(t, want, got)
	for n := 1; n < len(body); n++ {
		got = nil
		if err := DecodeBatch(body[:n], collect); err != nil {
			require.ErrorIs(t, err, ErrBatch)
			require.Empty(t, got, "all or nothing")
		}
	}
	stop := errors.New("stop")
	require.ErrorIs(t, DecodeBatch(body, func(int32, []byte, string) error { return stop }), stop)
}

// FuzzBatch: no body makes DecodeBatch panic, and all items are seen or none.
func FuzzBatch(f *testing.F) {
	f.Add(AppendBatchItem(AppendBatchItem(nil, 1, []byte("x"), "A\x011\x02"), 2, nil, ""))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		if err := DecodeBatch(b, func(int32, []byte, string) error { n++; return nil }); err != nil {
			require.Zero(t, n)
		}
	})
}
