// SPDX-License-Identifier: Apache-2.0

// text.go: Java's text forms of plain values.

package compat

import "strings"

// ParseBool is Boolean.parseBoolean: "true" in any case is true, everything else is false.
func ParseBool(s string) bool { return strings.EqualFold(s, "true") }

// Trim is Java's String.trim: what goes are blanks and control characters, and no blank of another script.
func Trim(s string) string { return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' }) }
