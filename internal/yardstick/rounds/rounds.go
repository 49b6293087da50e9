// SPDX-License-Identifier: Apache-2.0

// Package rounds is what comparisons share whose sides take turns: figures with their spread, and a table of them in a
// document.
package rounds

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
)

// Values are one figure of one side, a round each.
type Values []float64

// Median is the middle of the values, 0 without any.
func (v Values) Median() float64 {
	if len(v) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(v))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// Spread prints the median with the least and the greatest value, nothing without any.
func (v Values) Spread() string {
	if len(v) == 0 {
		return ""
	}
	return fmt.Sprintf("%s (%s to %s)", number(v.Median()), number(slices.Min(v)), number(slices.Max(v)))
}

func number(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// Ratio prints how many times b is in a, nothing when b is 0.
func Ratio(a, b float64) string {
	if b == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", a/b)
}

// TouchMemory uses n bytes of memory and gives them back. In a virtual machine the first use of a page can cost more than
// everything else that a server does for a message, and which side has to pay it is chance.
func TouchMemory(n int) {
	b := make([]byte, n)
	for i := 0; i < len(b); i += os.Getpagesize() {
		b[i] = 1
	}
	runtime.KeepAlive(b)
	debug.FreeOSMemory() // b is used no more
}

// Insert replaces what stands between the marks of a document: what a make target has made.
func Insert(file, target, text string) error {
	begin, end := "<!-- made by make "+target+": begin -->", "<!-- made by make "+target+": end -->"
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, begun := strings.Cut(string(old), begin)
	_, after, ended := strings.Cut(rest, end)
	if !begun || !ended {
		return fmt.Errorf("%s has no place for the table: %s and %s", file, begin, end)
	}
	return os.WriteFile(file, []byte(before+begin+"\n\n"+text+"\n"+end+after), 0o644)
}
