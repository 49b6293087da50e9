// SPDX-License-Identifier: Apache-2.0

// encode.go: writing. json-iterator cannot sort members or put an object where a key stands, so this is ours:
// per type, one function that appends its values, built once.

package fastjson

import (
	"bytes"
	"cmp"
	"encoding"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Marshal returns v as compact JSON. Members follow their json tags: "omitempty" leaves out what encoding/json would,
// "omitzero" only nil and zero values. A nil slice or map that is not left out is printed empty, a nil pointer as null.
func Marshal(v any) ([]byte, error) { return encode(v, false) }

// MarshalPretty returns v in the form of Java's configuration files: one member to a line, tabs, no blank after the
// colon, lists of integers on one line.
func MarshalPretty(v any) ([]byte, error) { return encode(v, true) }

func encode(v any, pretty bool) ([]byte, error) {
	w := writer{pretty: pretty}
	if v == nil {
		return []byte("null"), nil
	}
	rv := reflect.ValueOf(v)
	if err := encoderOf(rv.Type())(&w, rv); err != nil {
		return nil, fmt.Errorf("fastjson: %w", err)
	}
	return w.buf, nil
}

// writer is the text so far and how deep it is nested.
type writer struct {
	buf    []byte
	pretty bool
	depth  int
}

// open begins an object or array.
func (w *writer) open(c byte) error {
	if w.depth == MaxDepth {
		return fmt.Errorf("nested deeper than %d", MaxDepth)
	}
	w.depth++
	w.buf = append(w.buf, c)
	return nil
}

// item goes to where the next member or element begins.
func (w *writer) item(first bool) {
	if !first {
		w.buf = append(w.buf, ',')
	}
	w.line()
}

func (w *writer) line() {
	if w.pretty {
		w.buf = append(w.buf, '\n')
		for range w.depth {
			w.buf = append(w.buf, '\t')
		}
	}
}

func (w *writer) close(c byte, empty bool) {
	w.depth--
	if !empty {
		w.line()
	}
	w.buf = append(w.buf, c)
}

type encoder func(w *writer, v reflect.Value) error

var encoders sync.Map // reflect.Type -> encoder

// encoderOf returns the encoder of t. While t's encoder is being built, which meets t again in a recursive type,
// others receive a stand-in that waits for it when it is used.
func encoderOf(t reflect.Type) encoder {
	if e, ok := encoders.Load(t); ok {
		return e.(encoder)
	}
	var built sync.WaitGroup
	var e encoder
	built.Add(1)
	standIn := encoder(func(w *writer, v reflect.Value) error {
		built.Wait()
		return e(w, v)
	})
	if other, loaded := encoders.LoadOrStore(t, standIn); loaded {
		return other.(encoder)
	}
	e = buildEncoder(t)
	built.Done()
	encoders.Store(t, e)
	return e
}

var (
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

func buildEncoder(t reflect.Type) encoder {
	if t == reflect.TypeFor[json.Number]() {
		return encodeNumber
	}
	if t.Implements(jsonMarshaler) {
		return encodeMarshaler
	}
	if t.Implements(textMarshaler) {
		return encodeText
	}
	switch t.Kind() {
	case reflect.Bool:
		return func(w *writer, v reflect.Value) error {
			w.buf = strconv.AppendBool(w.buf, v.Bool())
			return nil
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return encodeInteger
	case reflect.Float32, reflect.Float64:
		return func(w *writer, v reflect.Value) error {
			w.buf = appendDouble(w.buf, v.Float(), t.Bits())
			return nil
		}
	case reflect.String:
		return func(w *writer, v reflect.Value) error {
			w.buf = appendString(w.buf, v.String())
			return nil
		}
	case reflect.Interface, reflect.Pointer:
		return encodeElem
	case reflect.Slice, reflect.Array:
		return listEncoder(t)
	case reflect.Map:
		return mapEncoder(t)
	case reflect.Struct:
		return structEncoder(t)
	}
	return func(*writer, reflect.Value) error { return fmt.Errorf("%v has no JSON form", t) }
}

func encodeInteger(w *writer, v reflect.Value) error {
	if v.CanInt() {
		w.buf = strconv.AppendInt(w.buf, v.Int(), 10)
	} else {
		w.buf = strconv.AppendUint(w.buf, v.Uint(), 10)
	}
	return nil
}

// encodeNumber prints a number as it was read.
func encodeNumber(w *writer, v reflect.Value) error {
	text := v.String()
	if text == "" {
		text = "0"
	}
	if c := text[0]; c != '-' && (c < '0' || c > '9') || !json.Valid([]byte(text)) {
		return fmt.Errorf("%.40q is not a number", text)
	}
	w.buf = append(w.buf, text...)
	return nil
}

// encodeElem prints what a pointer or interface holds.
func encodeElem(w *writer, v reflect.Value) error {
	if v.IsNil() {
		w.buf = append(w.buf, "null"...)
		return nil
	}
	return encoderOf(v.Elem().Type())(w, v.Elem())
}

// encodeMarshaler prints what the value itself gives. The pretty form keeps the line breaks it has.
func encodeMarshaler(w *writer, v reflect.Value) error {
	if v.Kind() == reflect.Pointer && v.IsNil() {
		w.buf = append(w.buf, "null"...)
		return nil
	}
	text, err := v.Interface().(json.Marshaler).MarshalJSON()
	if err != nil {
		return err
	}
	compact := bytes.NewBuffer(w.buf)
	if err := json.Compact(compact, text); err != nil {
		return err
	}
	if w.pretty {
		w.buf = append(w.buf, text...)
	} else {
		w.buf = compact.Bytes()
	}
	return nil
}

func encodeText(w *writer, v reflect.Value) error {
	if v.Kind() == reflect.Pointer && v.IsNil() {
		w.buf = append(w.buf, "null"...)
		return nil
	}
	text, err := v.Interface().(encoding.TextMarshaler).MarshalText()
	if err == nil {
		w.buf = appendString(w.buf, string(text))
	}
	return err
}

func listEncoder(t reflect.Type) encoder {
	if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 {
		return func(w *writer, v reflect.Value) error {
			w.buf = appendString(w.buf, base64.StdEncoding.EncodeToString(v.Bytes()))
			return nil
		}
	}
	elem := encoderOf(t.Elem())
	kind := t.Elem().Kind()
	inline := kind == reflect.Int || kind == reflect.Int32 || kind == reflect.Int64
	return func(w *writer, v reflect.Value) error {
		if err := w.open('['); err != nil {
			return err
		}
		for i := range v.Len() {
			if inline && i > 0 {
				w.buf = append(w.buf, ',')
			} else if !inline {
				w.item(i == 0)
			}
			if err := elem(w, v.Index(i)); err != nil {
				return err
			}
		}
		w.close(']', inline || v.Len() == 0)
		return nil
	}
}

// member is one field of a struct, possibly of an embedded one.
type member struct {
	name                string
	index               []int
	omitEmpty, omitZero bool
	encode              encoder
}

func structEncoder(t reflect.Type) encoder {
	members := membersOf(t, nil)
	slices.SortStableFunc(members, func(a, b member) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(len(a.index), len(b.index)))
	})
	members = slices.CompactFunc(members, func(a, b member) bool { return a.name == b.name }) // the outermost counts
	return func(w *writer, v reflect.Value) error {
		if err := w.open('{'); err != nil {
			return err
		}
		empty := true
		for i := range members {
			m := &members[i]
			field, err := v.FieldByIndexErr(m.index)
			if err != nil || m.omitEmpty && isEmpty(field) || m.omitZero && field.IsZero() {
				continue // an error means that the embedded pointer is nil
			}
			w.item(empty)
			empty = false
			w.buf = append(appendString(w.buf, m.name), ':')
			if err := m.encode(w, field); err != nil {
				return err
			}
		}
		w.close('}', empty)
		return nil
	}
}

func membersOf(t reflect.Type, index []int) []member {
	var members []member
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		path := append(slices.Clone(index), i)
		embedded := f.Type
		if embedded.Kind() == reflect.Pointer {
			embedded = embedded.Elem()
		}
		switch {
		case name == "-" && options == "":
		case f.Anonymous && name == "" && embedded.Kind() == reflect.Struct:
			members = append(members, membersOf(embedded, path)...)
		case f.IsExported():
			if name == "" {
				name = f.Name
			}
			flags := strings.Split(options, ",")
			members = append(members, member{
				name: name, index: path, encode: encoderOf(f.Type),
				omitEmpty: slices.Contains(flags, "omitempty"), omitZero: slices.Contains(flags, "omitzero"),
			})
		}
	}
	return members
}

func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

// entry is one member of a map. Keys are sorted, so that equal values give equal text.
type entry struct {
	key  reflect.Value
	text []byte
}

func mapEncoder(t reflect.Type) encoder {
	printKey, compare := keyEncoder(t.Key())
	elem := encoderOf(t.Elem())
	return func(w *writer, v reflect.Value) error {
		if err := w.open('{'); err != nil {
			return err
		}
		entries := make([]entry, 0, v.Len())
		keys := writer{depth: w.depth} // all keys printed one after the other
		for it := v.MapRange(); it.Next(); {
			start := len(keys.buf)
			if err := printKey(&keys, it.Key()); err != nil {
				return err
			}
			entries = append(entries, entry{it.Key(), keys.buf[start:]})
		}
		slices.SortFunc(entries, compare)
		for i, e := range entries {
			w.item(i == 0)
			w.buf = append(append(w.buf, e.text...), ':')
			if err := elem(w, v.MapIndex(e.key)); err != nil {
				return err
			}
		}
		w.close('}', len(entries) == 0)
		return nil
	}
}

// keyEncoder returns how keys of type t are printed and in which order.
func keyEncoder(t reflect.Type) (encoder, func(a, b entry) int) {
	byText := func(a, b entry) int { return bytes.Compare(a.text, b.text) }
	switch kind := t.Kind(); {
	case t.Implements(textMarshaler), kind == reflect.String, kind == reflect.Struct:
		return encoderOf(t), byText
	case kind >= reflect.Int && kind <= reflect.Int64:
		return encodeQuoted, func(a, b entry) int { return cmp.Compare(a.key.Int(), b.key.Int()) }
	case kind >= reflect.Uint && kind <= reflect.Uint64:
		return encodeQuoted, func(a, b entry) int { return cmp.Compare(a.key.Uint(), b.key.Uint()) }
	}
	return func(*writer, reflect.Value) error { return fmt.Errorf("%v cannot be a key", t) }, byText
}

func encodeQuoted(w *writer, v reflect.Value) error {
	w.buf = append(w.buf, '"')
	err := encodeInteger(w, v)
	w.buf = append(w.buf, '"')
	return err
}
