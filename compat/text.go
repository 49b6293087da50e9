// SPDX-License-Identifier: Apache-2.0

// text.go: Java's text forms of plain values.

package compat

import "strings"

// ParseBool is Boolean.parseBoolean: "true" in any case is true, everything else is false.
func ParseBool(s string) bool { return strings.EqualFold(s, "true") }
