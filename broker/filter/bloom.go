// SPDX-License-Identifier: Apache-2.0

// bloom.go: which bits of a message's bitmap stand for a subscription. The bitmaps lie in the consume queue's extension
// units when enableCalcFilterBitMap and enableConsumeQueueExt are on. Java: BloomFilter, BloomFilterData, BitsArray.

package filter

import (
	"fmt"
	"math"

	"github.com/twmb/murmur3"
)

// Bloom is a filter for a number of subscriptions with a rate of false positives.
type Bloom struct {
	Bits   int32 // of a bitmap, a multiple of 8
	Hashes int32 // bits of it for each subscription
}

// NewBloom sizes a filter for a number of subscriptions of which errorPercent in a hundred may be taken for another.
func NewBloom(errorPercent, subscriptions int32) (Bloom, error) {
	switch {
	case errorPercent < 1 || errorPercent >= 100:
		return Bloom{}, fmt.Errorf("maxErrorRateOfBloomFilter=%d is not between 1 and 99", errorPercent)
	case subscriptions < 1 || subscriptions > maxSubscriptions:
		return Bloom{}, fmt.Errorf("expectConsumerNumUseFilter=%d is not between 1 and %d", subscriptions, maxSubscriptions)
	}
	// The logarithms are divided as Java divides them, so that rounding up gives its figures.
	rate := float64(errorPercent) / 100
	bits := math.Ceil(float64(subscriptions) * (math.Log(1/rate) / math.Log(2)) * (math.Log(math.E) / math.Log(2)))
	return Bloom{Bits: 8 * int32(math.Ceil(bits/8)), Hashes: int32(math.Ceil(math.Log(rate) / math.Log(0.5)))}, nil
}

// maxSubscriptions lets the bitmap of the lowest error rate fit into an extension unit.
const maxSubscriptions = 27_000

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

// BitsText is a bitmap as tools print it: the last byte first and of each its highest bit, a line for eight bytes.
func BitsText(bitmap []byte) string {
	text := make([]byte, 0, len(bitmap)*8+len(bitmap)/8+1)
	for i := len(bitmap) - 1; i >= 0; i-- {
		for bit := 7; bit >= 0; bit-- {
			text = append(text, '0'+bitmap[i]>>bit&1)
		}
		if i%8 == 0 {
			text = append(text, '\n')
		}
	}
	return string(text)
}
