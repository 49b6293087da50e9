// SPDX-License-Identifier: Apache-2.0

// Package settings maps configuration structs to the keys of Java's properties files and back.
//
// A field is a key when it has a tag `conf:"key"`. `conf:"key,static"` says that the value only counts at the start,
// `conf:"key,hot"` that a running server may be told another one. Embedded structs are flat. A field is a string,
// bool, integer or float, or a type with UnmarshalText and MarshalText.
package settings

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"rocketd/compat"
)

// Key describes one configuration key.
type Key struct {
	Name    string
	Static  bool
	Hot     bool
	Default string // the value in the configuration that was asked
	Type    string // string, bool, int, long, double, or the name of a type of ours
}

// ErrUnknownKey is wrapped by the error of Set for a key that the configuration does not have.
var ErrUnknownKey = errors.New("unknown key")

// Warning is the error of Set for a value that was taken, though hardly as its writer meant it.
type Warning struct{ Key, Value, Text string }

func (w *Warning) Error() string { return Show(w.Key, w.Value) + ": " + w.Text }

// field is where a key's value is.
type field struct {
	Key
	index []int
}

var plans sync.Map // reflect.Type -> []field, sorted by name

// planOf returns the keys of a struct type. It panics where the struct itself is wrong.
func planOf(t reflect.Type) []field {
	if p, ok := plans.Load(t); ok {
		return p.([]field)
	}
	fields := appendFields(nil, t, nil)
	slices.SortFunc(fields, func(a, b field) int { return strings.Compare(a.Name, b.Name) })
	for i := range fields[min(1, len(fields)):] {
		if fields[i].Name == fields[i+1].Name {
			panic(fmt.Sprintf("settings: %v has the key %s twice", t, fields[i].Name))
		}
	}
	plans.Store(t, fields)
	return fields
}

func appendFields(fields []field, t reflect.Type, index []int) []field {
	for i := range t.NumField() {
		f := t.Field(i)
		path := append(slices.Clone(index), i)
		tag, tagged := f.Tag.Lookup("conf")
		switch {
		case tagged && f.IsExported():
			name, options, _ := strings.Cut(tag, ",")
			key := Key{Name: name, Type: typeName(f.Type)}
			for _, option := range strings.Split(options, ",") {
				switch option {
				case "static":
					key.Static = true
				case "hot":
					key.Hot = true
				case "":
				default:
					panic(fmt.Sprintf("settings: %v.%s: unknown option %s", t, f.Name, option))
				}
			}
			if key.Type == "" {
				panic(fmt.Sprintf("settings: %v.%s cannot be a key", t, f.Name))
			}
			fields = append(fields, field{Key: key, index: path})
		case f.Anonymous && f.Type.Kind() == reflect.Struct:
			fields = appendFields(fields, f.Type, path)
		}
	}
	return fields
}

var (
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	textMarshaler   = reflect.TypeFor[encoding.TextMarshaler]()
)

// typeName names a field's type in Java's words; "" means that it cannot be a field.
func typeName(t reflect.Type) string {
	if p := reflect.PointerTo(t); p.Implements(textUnmarshaler) && p.Implements(textMarshaler) {
		return t.Name()
	}
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "bool"
	case reflect.Int, reflect.Int32:
		return "int"
	case reflect.Int64:
		return "long"
	case reflect.Float64:
		return "double"
	}
	return ""
}

// open returns the struct behind cfg, a struct or a pointer to one. What is not a pointer is copied.
func open(cfg any) (reflect.Value, []field) {
	v := reflect.ValueOf(cfg)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	} else {
		c := reflect.New(v.Type()).Elem()
		c.Set(v)
		v = c
	}
	return v, planOf(v.Type())
}

func find(fields []field, key string) (*field, bool) {
	i, ok := slices.BinarySearchFunc(fields, key, func(f field, key string) int { return strings.Compare(f.Name, key) })
	if !ok {
		return nil, false
	}
	return &fields[i], true
}

// Keys lists the keys of cfg by name.
func Keys(cfg any) []Key {
	v, fields := open(cfg)
	keys := make([]Key, len(fields))
	for i, f := range fields {
		keys[i] = f.Key
		keys[i].Default = text(v.FieldByIndex(f.index))
	}
	return keys
}

// Get returns the text of a key's value.
func Get(cfg any, key string) (string, bool) {
	v, fields := open(cfg)
	f, ok := find(fields, key)
	if !ok {
		return "", false
	}
	return text(v.FieldByIndex(f.index)), true
}

// Set parses value, blanks around it cut, into the field of key. After a *Warning the value has been set all the
// same; after any other error the field is as it was. Errors name the key and the value, but not a secret one.
func Set(cfg any, key, value string) error {
	v, fields := open(cfg)
	f, ok := find(fields, key)
	if !ok {
		return fmt.Errorf("%w %s", ErrUnknownKey, key)
	}
	value = strings.Trim(value, javaBlanks)
	err := parse(v.FieldByIndex(f.index), value)
	if warning := (*Warning)(nil); errors.As(err, &warning) {
		warning.Key, warning.Value = key, value
		return warning
	}
	if err != nil {
		return fmt.Errorf("%s: %w", Show(key, value), err)
	}
	return nil
}

// javaBlanks is what String.trim cuts.
const javaBlanks = "\x00\x01\x02\x03\x04\x05\x06\a\b\t\n\v\f\r\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f "

func parse(v reflect.Value, value string) error {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		old := reflect.New(v.Type()).Elem()
		old.Set(v)
		err := u.UnmarshalText([]byte(value))
		if err != nil {
			v.Set(old)
		}
		return err
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(value)
	case reflect.Bool:
		v.SetBool(compat.ParseBool(value))
		if !v.Bool() && !strings.EqualFold(value, "false") {
			return &Warning{Text: "neither true nor false, counts as false"}
		}
	case reflect.Float64:
		f, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return errors.New("not a number")
		}
		v.SetFloat(f)
	default:
		n, err := strconv.ParseInt(value, 10, v.Type().Bits())
		switch {
		case errors.Is(err, strconv.ErrRange):
			return fmt.Errorf("too large for %d bits", v.Type().Bits())
		case err != nil:
			return errors.New("not a whole number")
		}
		v.SetInt(n)
	}
	return nil
}

func text(v reflect.Value) string {
	if m, ok := v.Addr().Interface().(encoding.TextMarshaler); ok {
		b, err := m.MarshalText()
		if err != nil {
			return err.Error() // shown instead of the value: Format has no other way to tell
		}
		return string(b)
	}
	switch v.Kind() {
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Float64:
		s := strconv.FormatFloat(v.Float(), 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	return strconv.FormatInt(v.Int(), 10)
}

// Format prints all keys as "key=value\n" lines, by name.
func Format(cfg any) string {
	v, fields := open(cfg)
	var out []byte
	for _, f := range fields {
		out = compat.AppendProperty(out, f.Name, text(v.FieldByIndex(f.index)))
	}
	return string(out)
}

// secretWords mark keys whose values are never shown: passwords, and what may carry tokens.
var secretWords = []string{"password", "passwd", "secret", "credential", "token", "accesskey", "privatekey", "authenticationuser", "exporterheader"}

// Secret says whether the value of key must stay out of logs and messages.
func Secret(key string) bool {
	lower := strings.ToLower(key)
	return slices.ContainsFunc(secretWords, func(word string) bool { return strings.Contains(lower, word) })
}

// Show is key=value for messages; a secret value is replaced.
func Show(key, value string) string {
	if Secret(key) {
		value = "******"
	}
	return key + "=" + value
}
