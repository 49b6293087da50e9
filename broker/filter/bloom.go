// SPDX-License-Identifier: Apache-2.0

// bloom.go: which bits of a message's bitmap stand for a subscription. The bitmaps lie in the consume queue's extension
// units when enableCalcFilterBitMap and enableConsumeQueueExt are on. Java: BloomFilter, BloomFilterData, BitsArray.

package filter

import "github.com/twmb/murmur3"

// Bloom is a filter for a number of subscriptions with a rate of false positives.
type Bloom struct {
	Bits   int32 // of a bitmap, a multiple of 8
	Hashes int32 // bits of it for each subscription
}

// DefaultBloom is Java's: an error rate of 20 % at 32 subscriptions.
var DefaultBloom = Bloom{Bits: 112, Hashes: 3}

// Positions are the bits of a group's subscription to a topic.
func (b Bloom) Positions(group, topic string) []int32 {
	sum, _ := murmur3.StringSum128(group + "#" + topic)
	first, second := int32(sum), int32(sum>>32)
	positions := make([]int32, b.Hashes)
	for i := range positions {
		combined := first + (int32(i)+1)*second
		if combined < 0 {
			combined = ^combined
		}
		positions[i] = combined % b.Bits
	}
	return positions
}

// SetBits sets the bits at positions in a bitmap.
func SetBits(bitmap []byte, positions []int32) {
	for _, p := range positions {
		bitmap[p/8] |= 1 << (p % 8)
	}
}

// HasBits says whether all bits at positions are set in a bitmap.
func HasBits(bitmap []byte, positions []int32) bool {
	for _, p := range positions {
		if int(p/8) >= len(bitmap) || bitmap[p/8]&(1<<(p%8)) == 0 {
			return false
		}
	}
	return true
}
