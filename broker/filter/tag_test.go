// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/protocol"
	"rocketd/protocol/message"
)

// Java: FilterAPITest.
func TestParseTags(t *testing.T) {
	for _, c := range []struct {
		text string
		tags []string
		all  bool
		bad  bool
	}{
		{text: "", all: true},
		{text: "*", all: true},
		{text: "a", tags: []string{"a"}},
		{text: " a || b||c ", tags: []string{"a", "b", "c"}},
		{text: "a||", tags: []string{"a"}},
		{text: "||a", tags: []string{"a"}},
		{text: " || "}, // Java: a subscription to nothing
		{text: "||", bad: true},
		{text: "||||", bad: true},
	} {
		sub, err := ParseTags("T", c.text)
		if c.bad {
			require.ErrorIs(t, err, ErrExpression, c.text)
			continue
		}
		require.NoError(t, err, c.text)
		require.Equal(t, c.tags, sub.TagsSet, c.text)
		match := Tags(sub)
		require.Equal(t, c.all, match == nil, c.text)
		for _, tag := range c.tags {
			require.True(t, match(message.TagsCode(tag)), c.text)
		}
		if !c.all {
			require.False(t, match(message.TagsCode("other")), c.text)
			require.False(t, match(0), "a message without tags")
		}
	}
}

func TestClassFilterModeLeavesTheWorkToTheClient(t *testing.T) {
	require.Nil(t, Tags(&protocol.SubscriptionData{SubString: "a", ClassFilterMode: true}))
}

// FuzzTags: a subscription's text asks for exactly the tags between its bars, and says the same when they are written
// out again, as a client's heartbeat does.
func FuzzTags(f *testing.F) {
	for _, seed := range []string{"", "*", "a || b||c ", "||a", " || ", "||||", "a|b|| *", "a\x00||\n||\u3000"} {
		f.Add(seed, "a")
	}
	f.Fuzz(func(t *testing.T, text, tag string) {
		sub, err := ParseTags("T", text)
		if text != "" && strings.Trim(text, "|") == "" && len(text)%2 == 0 {
			require.ErrorIs(t, err, ErrExpression)
			return
		}
		require.NoError(t, err)
		match := Tags(sub)
		if text == "" || text == "*" {
			require.Nil(t, match)
			return
		}
		var wanted []string
		for rest, more := text, true; more; {
			var part string
			part, rest, more = strings.Cut(rest, "||")
			if part = strings.TrimFunc(part, func(r rune) bool { return r <= ' ' }); part != "" { // as String.trim
				wanted = append(wanted, part)
			}
		}
		require.Equal(t, wanted, sub.TagsSet)
		asked := func(tag string) bool {
			return slices.ContainsFunc(wanted, func(w string) bool { return message.TagsCode(w) == message.TagsCode(tag) })
		}
		for _, tag := range append(wanted, tag, "") {
			require.Equal(t, asked(tag), match(message.TagsCode(tag)), "%q of %q", tag, text)
		}
		written := strings.Join(wanted, "||")
		if written != "" && written != "*" && !strings.Contains(strings.Join(wanted, ""), "|") {
			again, err := ParseTags("T", written)
			require.NoError(t, err)
			require.Equal(t, sub.CodeSet, again.CodeSet)
		}
	})
}
