// SPDX-License-Identifier: Apache-2.0

package message

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestIndexedPropertiesAreTheProperties(t *testing.T) {
	part := rapid.SampledFrom([]string{"UNIQ_KEY", "KEYS", "TAGS", "TAG", "K", "\x01", "\x02", "\x01", "\x02", "v", ""})
	rapid.Check(t, func(t *rapid.T) {
		props := strings.Join(rapid.SliceOfN(part, 0, 20).Draw(t, "parts"), "")
		uniqKey, keys, tags := IndexedProperties(props)
		for name, got := range map[string]string{PropUniqKey: uniqKey, PropKeys: keys, PropTags: tags} {
			want, _ := Property(props, name)
			if got != want {
				t.Fatalf("%s of %q: %q, not %q", name, props, got, want)
			}
		}
	})
}

// A sender may repeat a name as often as a frame has room for. Were each pair taken out by itself, this would not end in
// the time that a test has.
func TestAllOfManyPairsAreRemoved(t *testing.T) {
	const pairs = 4_000_000
	require.Equal(t, "B\x012\x02", RemoveProperty(strings.Repeat("A\x011\x02", pairs)+"B\x012\x02"+strings.Repeat("A\x011\x02", pairs), "A"))
}

// FuzzPropertyText holds all that reads and changes a property text against a map of its pairs.
func FuzzPropertyText(f *testing.F) {
	f.Add("KEYS\x01a b\x02TAGS\x01TagA\x02EMPTY\x01\x02X\x011", "TAGS", "TagB")
	f.Add("A\x011\x02A\x012\x02A\x01\x02", "A", "")
	f.Add("\x02\x01\x02\x01v\x02n\x01\x02a\x03\x00\x01\r\n\x02", "n", "v\x01w")
	f.Fuzz(func(t *testing.T, props, name, value string) {
		if name == "" || strings.ContainsAny(name, "\x01\x02") || strings.Contains(value, "\x02") {
			return // neither is a property
		}
		pairs := map[string]string{}
		for pair := range strings.SplitSeq(props, "\x02") {
			if name, value, _ := strings.Cut(pair, "\x01"); name != "" && value != "" {
				pairs[name] = value
			}
		}
		require.Equal(t, pairs, ParseProperties(props))
		got, ok := Property(props, name)
		require.Equal(t, pairs[name], got)
		require.Equal(t, pairs[name] != "", ok)
		uniqKey, keys, tags := IndexedProperties(props)
		require.Equal(t, []string{pairs[PropUniqKey], pairs[PropKeys], pairs[PropTags]}, []string{uniqKey, keys, tags})
		for _, more := range []int{0, 2 * fewNames} { // looked through, looked up
			names, wanted := new(Names), []string{name, "TA", "TAGS", "TAGSX"}
			for i := range more {
				wanted = append(wanted, fmt.Sprint("T", i))
			}
			for name := range pairs {
				wanted = append(wanted, name)
			}
			for _, name := range wanted {
				names.Number(name)
			}
			spans := names.Find(props, nil)
			for _, name := range wanted {
				span := spans[names.Number(name)]
				require.Equal(t, pairs[name], props[span.Start:span.End])
			}
		}

		removed, set := RemoveProperty(props, name), SetProperty(props, name, value)
		delete(pairs, name)
		require.Equal(t, pairs, ParseProperties(removed))
		if value != "" {
			pairs[name] = value
		}
		require.Equal(t, pairs, ParseProperties(set))
		require.Equal(t, pairs, ParseProperties(EncodeProperties(pairs)))
	})
}
