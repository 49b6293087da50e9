// SPDX-License-Identifier: Apache-2.0

// nearest.go: which key was meant.

package settings

import "strings"

// Nearest returns the key of cfg that key is most likely a misspelling of, or "". Case does not count.
func Nearest(cfg any, key string) string {
	_, fields := open(cfg)
	best, least := "", len(key)/3+1
	for _, f := range fields {
		if d := distance(strings.ToLower(key), strings.ToLower(f.Name), least); d < least {
			best, least = f.Name, d
		}
	}
	return best
}

// distance is the number of letters to insert, delete, replace or swap with their neighbour between a and b, or limit
// when it is not less. Keys are ASCII.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := last[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(replace, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return min(last[len(b)], limit)
}
