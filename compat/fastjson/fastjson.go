// SPDX-License-Identifier: Apache-2.0

// Package fastjson speaks the JSON dialect of Java's RemotingSerializable.
package fastjson

// Raw is a JSON value kept as text.
type Raw []byte

// Marshal returns v as compact JSON with members in alphabetical order.
func Marshal(v any) ([]byte, error) { panic("unwritten") }

// MarshalPretty returns v in the form of Java's configuration files.
func MarshalPretty(v any) ([]byte, error) { panic("unwritten") }

// Unmarshal decodes data into v.
func Unmarshal(data []byte, v any) error { panic("unwritten") }
