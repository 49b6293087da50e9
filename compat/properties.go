// SPDX-License-Identifier: Apache-2.0

package compat

// Property is one key with its value. Line is the 1-based number of the line on which the key starts.
type Property struct {
	Key, Value string
	Line       int
}

// ParseProperties reads text as java.util.Properties.load does.
func ParseProperties(text []byte) ([]Property, error) { panic("unwritten") }

// AppendProperty appends "key=value\n".
func AppendProperty(dst []byte, key, value string) []byte {
	dst = append(dst, key...)
	dst = append(dst, '=')
	dst = append(dst, value...)
	return append(dst, '\n')
}
