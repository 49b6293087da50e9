// SPDX-License-Identifier: Apache-2.0

// Package compat holds what exists only because the other side is Java: hashes, version numbers, text forms.
// It imports nothing of ours, so that everything else may import it.
//
// hash.go: java.lang.String.hashCode. Tags codes, index slots and queue hashing on disk and on the wire depend on it.

package compat

import "unicode/utf8"

// HashString returns what String.hashCode gives for s in Java: 31-polynomial over UTF-16 code units, wrapping at 32 bits.
// Invalid UTF-8 counts as U+FFFD, which is what Java's decoder would have put in the string.
func HashString(s string) int32 { return HashMore(0, s) }

// HashMore continues a hash: HashMore(HashString(a), b) is HashString(a+b), unless a character begins in a and ends in b.
func HashMore(h int32, s string) int32 {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return hashRunes(h, s[i:])
		}
		h = 31*h + int32(s[i])
	}
	return h
}

func hashRunes(h int32, s string) int32 {
	for _, r := range s {
		if r >= 0x10000 {
			r -= 0x10000
			h = 31*h + (0xd800 + r>>10)
			r = 0xdc00 + r&0x3ff
		}
		h = 31*h + r
	}
	return h
}
