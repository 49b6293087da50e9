// SPDX-License-Identifier: Apache-2.0

// spoilt.go: bad input for handlers, to be tried on every request that is served.

package testkit

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// GarbageBodies are no bodies of any request.
var GarbageBodies = []string{
	"", "x", "{}", "[]", "null", "0", `""`, "{", `{"a":`, "\x00\xff\xfe", strings.Repeat("[", 100_000), strings.Repeat(`{"a":`, 100_000),
}

// NoNumbers are values that a number of 32 or 64 bits cannot have.
func NoNumbers(bits int) []string {
	bad := []string{"x", "", " ", "1e9", "0x10", "1.0", "--1", "+", "\u0663", "99999999999999999999", strings.Repeat("9", 10_000)}
	switch bits {
	case 0:
		return nil
	case 32:
		bad = append(bad, "2147483648", "-2147483649", "9223372036854775807")
	}
	return bad
}

// ExtremeNumbers are values that a number of 32 or 64 bits can have and that are seldom meant.
func ExtremeNumbers(bits int) []int64 {
	numbers := []int64{-2, -1, 0, 1, math.MaxInt32, math.MinInt32}
	switch bits {
	case 0:
		return nil
	case 64:
		numbers = append(numbers, math.MaxInt64, math.MaxInt64-1, math.MinInt64, math.MinInt64+1, math.MaxUint32, 1<<40)
	}
	return numbers
}

// SpoiltJSON returns texts in which one value of body, at any depth, is another one.
func SpoiltJSON(t testing.TB, body string) (texts []string) {
	var root any
	require.NoError(t, json.Unmarshal([]byte(body), &root))
	bad := []any{
		nil, true, "", "x", "../x", strings.Repeat("n", 100_000), 0, -1, math.MaxInt32, math.MinInt32, json.Number("9223372036854775807"),
		json.Number("-9223372036854775808"), json.Number("99999999999999999999"), json.Number("1e400"), 1.5,
		[]any{}, []any{nil, nil}, []any{[]any{}}, map[string]any{}, map[string]any{"": nil, "+": "", "a": map[string]any{}},
	}
	add := func() {
		text, err := json.Marshal(root)
		require.NoError(t, err)
		texts = append(texts, string(text))
	}
	var spoil func(node any, set func(any))
	spoil = func(node any, set func(any)) {
		for _, value := range bad {
			set(value)
			add()
		}
		set(node)
		switch node := node.(type) {
		case map[string]any:
			for key, value := range node {
				spoil(value, func(v any) { node[key] = v })
			}
		case []any:
			for i, value := range node {
				spoil(value, func(v any) { node[i] = v })
			}
		}
	}
	spoil(root, func(v any) { root = v })
	return texts
}
