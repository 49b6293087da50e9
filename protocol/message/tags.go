// SPDX-License-Identifier: Apache-2.0

// Tag codes: what a consume-queue unit remembers of a message's tag.

package message

import "rocketd/compat"

// TagsCode is the number that stands for a tag in a consume queue and in a
// subscription: Java's String.hashCode, sign-extended; 0 without a tag.
func TagsCode(tags string) int64 {
	if tags == "" {
		return 0
	}
	return int64(compat.HashString(tags))
}
