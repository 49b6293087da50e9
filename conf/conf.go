// SPDX-License-Identifier: Apache-2.0

// Package conf loads configuration files. The folder also holds the sample files that operators edit.
package conf

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/viper"

	"rocketd/compat"
	"rocketd/internal/settings"
)

// UnknownKey is a key that neither the targets nor Java know. Nearest is the key that was probably meant, or "".
type UnknownKey struct {
	Key, Nearest string
	Line         int
}

// Report says what Load did not take as it stood. None of it keeps a server from starting.
type Report struct {
	Unknown  []UnknownKey
	Ignored  []string // keys that Java knows and the targets do not, by name
	Warnings []string // values that were taken, though hardly as they were meant; ready to print
}

// Load reads a properties file as Java does and sets what it says in the targets, which are structs for package
// settings, behind pointers, and hold the defaults. A key goes to each target that has it. Of a key that occurs more
// than once the last value counts. Where Java would silently keep the default, because a number or a name cannot be
// parsed, Load fails; the error names file, line, key and value, and all such places at once. The targets must then
// not be used.
func Load(path string, targets ...any) (Report, error) {
	f, err := read(path, targets)
	if err != nil {
		return Report{}, err
	}
	report := Report{Unknown: f.unknown(targets), Ignored: f.ignored(targets)}
	var failures []error
	for _, p := range f.served {
		if n := f.times[p.Key]; n > 1 {
			report.Warnings = append(report.Warnings, fmt.Sprintf("%s:%d: %s occurs %d times, this last one counts", path, p.Line, p.Key, n))
		}
		value := f.viper.GetString(p.Key)
		for _, target := range targets {
			err := settings.Set(target, p.Key, value)
			var warning *settings.Warning
			switch {
			case err == nil, errors.Is(err, settings.ErrUnknownKey): // it is another target's
			case errors.As(err, &warning):
				report.Warnings = append(report.Warnings, fmt.Sprintf("%s:%d: %v", path, p.Line, warning))
			default:
				failures = append(failures, fmt.Errorf("%s:%d: %w", path, p.Line, err))
			}
		}
	}
	return report, errors.Join(failures...)
}

// file is one properties file, read.
type file struct {
	viper  *viper.Viper      // the values of the served keys
	served []compat.Property // keys of the targets, where they count, in the file's order
	other  []compat.Property // the rest, likewise
	times  map[string]int    // how often a key occurs
}

// noDelimiter cannot stand in a key, so that viper does not take tls.server.mode for three levels.
const noDelimiter = "\x00"

// read gives the file to viper. Viper writes all keys in lower case; that does no harm because it only gets to know
// keys of the targets, no two of which differ by case alone.
func read(path string, targets []any) (*file, error) {
	f := &file{times: map[string]int{}}
	codecs := viper.NewCodecRegistry()
	if err := codecs.RegisterCodec("properties", codec{f, targets}); err != nil {
		return nil, err
	}
	f.viper = viper.NewWithOptions(viper.KeyDelimiter(noDelimiter), viper.WithCodecRegistry(codecs))
	f.viper.SetConfigFile(path)
	f.viper.SetConfigType("properties")
	if err := f.viper.ReadInConfig(); err != nil {
		var parse viper.ConfigParseError
		if errors.As(err, &parse) {
			err = fmt.Errorf("%s: %w", path, parse.Unwrap())
		}
		return nil, err // the system's own errors name the file
	}
	return f, nil
}

// codec reads properties files for viper, exactly as Java does.
type codec struct {
	file    *file
	targets []any
}

// Decode puts the served keys into values and remembers where all keys stand.
func (c codec) Decode(text []byte, values map[string]any) error {
	properties, err := compat.ParseProperties(text)
	if err != nil {
		return err
	}
	for _, p := range slices.Backward(properties) {
		if c.file.times[p.Key]++; c.file.times[p.Key] > 1 {
			continue
		}
		if slices.ContainsFunc(c.targets, func(target any) bool { return has(target, p.Key) }) {
			values[p.Key] = p.Value
			c.file.served = append(c.file.served, p)
		} else {
			c.file.other = append(c.file.other, p)
		}
	}
	slices.Reverse(c.file.served)
	slices.Reverse(c.file.other)
	return nil
}

// Encode refuses: viper has lost the case of the keys. Files are written by package settings.
func (codec) Encode(map[string]any) ([]byte, error) {
	return nil, errors.New("properties are not written through viper")
}

func (f *file) ignored(targets []any) []string {
	var keys []string
	known := Ignored(targets...)
	for _, p := range f.other {
		if _, ok := slices.BinarySearch(known, p.Key); ok {
			keys = append(keys, p.Key)
		}
	}
	slices.Sort(keys)
	return keys
}

func (f *file) unknown(targets []any) []UnknownKey {
	var unknown []UnknownKey
	known := Ignored(targets...)
	for _, p := range f.other {
		if _, ok := slices.BinarySearch(known, p.Key); ok || p.Key == "" {
			continue // Java makes an empty key of a backslash that ends the file
		}
		u := UnknownKey{Key: p.Key, Line: p.Line}
		for _, target := range targets {
			if u.Nearest == "" {
				u.Nearest = settings.Nearest(target, p.Key)
			}
		}
		unknown = append(unknown, u)
	}
	return unknown
}
