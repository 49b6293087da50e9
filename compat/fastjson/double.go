// SPDX-License-Identifier: Apache-2.0

// double.go: java.lang.Double.toString. Bodies with rates and multipliers carry it, and mqadmin prints it.

package fastjson

import (
	"math"
	"strconv"
)

// appendDouble appends f as Java prints it: 0.0, 100.0, 0.001, then 1.0E-4 below and 1.0E7 above. What is no number is null.
func appendDouble(dst []byte, f float64, bits int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...)
	}
	if abs := math.Abs(f); f == 0 || abs >= 1e-3 && abs < 1e7 {
		start := len(dst)
		dst = strconv.AppendFloat(dst, f, 'f', -1, bits)
		for _, c := range dst[start:] {
			if c == '.' {
				return dst
			}
		}
		return append(dst, ".0"...)
	}
	var scratch [32]byte
	text := strconv.AppendFloat(scratch[:0], f, 'e', -1, bits) // -d.ddde±dd, or -de±dd
	e := len(text) - 1
	point := false
	for ; text[e] != 'e'; e-- {
	}
	for _, c := range text[:e] {
		point = point || c == '.'
	}
	dst = append(dst, text[:e]...)
	if !point {
		dst = append(dst, ".0"...)
	}
	exponent, _ := strconv.Atoi(string(text[e+1:])) // strconv wrote it
	return strconv.AppendInt(append(dst, 'E'), int64(exponent), 10)
}
