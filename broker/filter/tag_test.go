// SPDX-License-Identifier: Apache-2.0

package filter

import (
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
