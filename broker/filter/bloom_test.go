// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBloom(t *testing.T) {
	// The expected bits are those that Java's BloomFilter.createByFn(20, 32) gives.
	require.Equal(t, []int32{79, 21, 21}, DefaultBloom.Positions("group", "topic"))
	require.Equal(t, []int32{85, 79, 38}, DefaultBloom.Positions("ü", "é"))
	positions := DefaultBloom.Positions("please_rename_unique_group_name_4", "TopicTest")
	require.Equal(t, []int32{63, 14, 51}, positions)
	bitmap := make([]byte, DefaultBloom.Bits/8)
	require.False(t, HasBits(bitmap, positions))
	SetBits(bitmap, positions)
	require.True(t, HasBits(bitmap, positions))
	require.False(t, HasBits(bitmap[:1], []int32{50}))
}
