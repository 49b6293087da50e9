// SPDX-License-Identifier: Apache-2.0

package message

import (
	"strings"
	"testing"

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
