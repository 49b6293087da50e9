// SPDX-License-Identifier: Apache-2.0

// Package conf loads configuration files. The folder also holds the sample files that operators edit.
package conf

// UnknownKey is a key of a file that neither we nor Java know.
type UnknownKey struct {
	Key, Nearest string
	Line         int
}

// Report says what Load did not take as it stood.
type Report struct {
	Unknown  []UnknownKey
	Ignored  []string
	Warnings []string
}

// Load reads a properties file into the settings targets.
func Load(path string, targets ...any) (Report, error) { panic("unwritten") }
