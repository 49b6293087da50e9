// SPDX-License-Identifier: Apache-2.0

// Package settings maps configuration structs to Java properties keys and back.
package settings

// Key describes one configuration key.
type Key struct {
	Name    string
	Static  bool
	Hot     bool
	Default string
	Type    string
}

// Warning reports a value that was taken, though not as its writer may have meant it.
type Warning struct{ Key, Value, Text string }

func (w *Warning) Error() string { panic("unwritten") }

// Keys lists the keys of cfg.
func Keys(cfg any) []Key { panic("unwritten") }

// Get returns the text of a key's value.
func Get(cfg any, key string) (string, bool) { panic("unwritten") }

// Set parses value into the field of key.
func Set(cfg any, key, value string) error { panic("unwritten") }

// Format prints all keys as sorted "key=value\n" lines.
func Format(cfg any) string { panic("unwritten") }

// Nearest returns the key of cfg that is most like key, or "".
func Nearest(cfg any, key string) string { panic("unwritten") }

// RewriteFile changes keys in a properties file and keeps comments and order.
func RewriteFile(old []byte, changes map[string]string) []byte { panic("unwritten") }
