// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The expected sizes and bits are those that Java's BloomFilter gives.

func TestBloomSizes(t *testing.T) {
	for _, c := range []struct{ percent, subscriptions, bits, hashes int32 }{
		{20, 32, 112, 3}, {20, 64, 216, 3}, {1, 1, 16, 7}, {10, 100, 480, 4}, {50, 7, 16, 1}, {99, 3, 8, 1}, {5, 1000, 6240, 5},
	} {
		got, err := NewBloom(c.percent, c.subscriptions)
		require.NoError(t, err)
		require.Equal(t, Bloom{Bits: c.bits, Hashes: c.hashes}, got)
	}
	for key, wrong := range map[string][2]int32{"maxErrorRateOfBloomFilter=0": {0, 32}, "maxErrorRateOfBloomFilter=100": {100, 32},
		"expectConsumerNumUseFilter=0": {20, 0}, "expectConsumerNumUseFilter=27001": {20, 27_001}} {
		_, err := NewBloom(wrong[0], wrong[1])
		require.ErrorContains(t, err, key)
	}
	most, err := NewBloom(1, 27_000)
	require.NoError(t, err)
	require.Less(t, most.Bits/8, int32(1<<15-1-20), "fits into an extension unit")
}

func TestBloom(t *testing.T) {
	bloom, err := NewBloom(20, 32)
	require.NoError(t, err)
	require.Equal(t, []int32{79, 21, 21}, bloom.Positions("group", "topic"))
	require.Equal(t, []int32{85, 79, 38}, bloom.Positions("ü", "é"))
	positions := bloom.Positions("please_rename_unique_group_name_4", "TopicTest")
	require.Equal(t, []int32{63, 14, 51}, positions)
	wider, err := NewBloom(10, 100)
	require.NoError(t, err)
	require.Equal(t, []int32{303, 5, 421, 112}, wider.Positions("group", "topic"))
	bitmap := make([]byte, bloom.Bits/8)
	require.False(t, HasBits(bitmap, positions))
	SetBits(bitmap, positions)
	require.True(t, HasBits(bitmap, positions))
	require.False(t, HasBits(bitmap[:1], []int32{50}))
}

func TestBitsText(t *testing.T) {
	require.Empty(t, BitsText(nil))
	require.Equal(t, "00000101\n", BitsText([]byte{5}))
	require.Equal(t, "1100100000001001\n0000100000000111000001100000010100000100000000001000000000000001\n", BitsText([]byte{1, 128, 0, 4, 5, 6, 7, 8, 9, 200}))
}
