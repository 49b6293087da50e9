// SPDX-License-Identifier: Apache-2.0

// Package fastjson speaks the JSON dialect of Java's RemotingSerializable (fastjson 1.2.83 and 2.0.59 behind it).
//
// What is written: members in alphabetical order, as Java prints beans; integer map keys quoted, which is valid JSON
// and accepted by all readers; map keys that are structs written as objects, because the Go client knows no other form.
// What is read: all of that, and what the Java versions and the Go client write differently.
//
// decode.go: reading, on json-iterator.

package fastjson

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unsafe"

	jsoniter "github.com/json-iterator/go"
	"github.com/modern-go/reflect2"
)

// Raw is a JSON value kept as text: members that a table must preserve although it does not know them.
// Keys inside it have been made strict JSON.
type Raw []byte

// MarshalJSON returns r; a nil Raw is null.
func (r Raw) MarshalJSON() ([]byte, error) {
	if r == nil {
		return []byte("null"), nil
	}
	return r, nil
}

// UnmarshalJSON keeps a copy of data.
func (r *Raw) UnmarshalJSON(data []byte) error {
	*r = append(Raw(nil), data...)
	return nil
}

var decoder = func() jsoniter.API {
	api := jsoniter.Config{CaseSensitive: true, UseNumber: true}.Froze()
	api.RegisterExtension(&dialect{})
	return api
}()

// Unmarshal decodes data into v, a pointer. Integer keys may stand without quotes, struct keys as objects or as
// strings that hold JSON, strings in single quotes, numbers and booleans in quotes; unknown members are skipped and
// null sets a plain field to its zero, as in Java. An interface receives numbers as json.Number. Nesting is bounded by
// MaxDepth. Unmarshal keeps no part of data.
func Unmarshal(data []byte, v any) error {
	strict, err := normalise(data)
	if err != nil {
		return err
	}
	if err := decoder.Unmarshal(strict, v); err != nil {
		return fmt.Errorf("fastjson: %w", err)
	}
	return nil
}

// dialect replaces json-iterator's decoders of plain values and of map keys by lenient ones.
type dialect struct{ jsoniter.DummyExtension }

var (
	textUnmarshaler = reflect2.TypeOfPtr((*encoding.TextUnmarshaler)(nil)).Elem()
	jsonUnmarshaler = reflect2.TypeOfPtr((*json.Unmarshaler)(nil)).Elem()
)

// decodesItself says whether a type brings its own decoding, which is then left alone.
func decodesItself(t reflect2.Type) bool {
	p := reflect2.PtrTo(t)
	return p.Implements(textUnmarshaler) || p.Implements(jsonUnmarshaler)
}

// CreateDecoder is called by json-iterator, once per type.
func (*dialect) CreateDecoder(t reflect2.Type) jsoniter.ValDecoder {
	if decodesItself(t) {
		return nil
	}
	switch kind := t.Kind(); kind {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64:
		return numberDecoder{t.Type1()}
	case reflect.String:
		return stringDecoder{}
	case reflect.Bool:
		return boolDecoder{}
	}
	return nil
}

// CreateMapKeyDecoder is called by json-iterator, once per type. After normalise every key is a string.
func (*dialect) CreateMapKeyDecoder(t reflect2.Type) jsoniter.ValDecoder {
	if decodesItself(t) {
		return nil
	}
	switch t.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return numberKeyDecoder{numberDecoder{t.Type1()}}
	case reflect.Struct:
		return structKeyDecoder{t}
	}
	return nil
}

// numberDecoder reads integers and floats from numbers, strings that hold numbers, booleans, and null.
type numberDecoder struct{ t reflect.Type }

func (d numberDecoder) Decode(ptr unsafe.Pointer, iter *jsoniter.Iterator) {
	text := "0"
	switch iter.WhatIsNext() {
	case jsoniter.NumberValue:
		text = string(iter.ReadNumber())
	case jsoniter.StringValue:
		if s := strings.TrimSpace(iter.ReadString()); s != "" {
			text = s
		}
	case jsoniter.BoolValue:
		if iter.ReadBool() {
			text = "1"
		}
	case jsoniter.NilValue:
		iter.ReadNil()
	default:
		report(iter, errors.New("a number is expected"))
		return
	}
	if sound(iter) {
		report(iter, d.set(ptr, text))
	}
}

// set parses text into the number at ptr. An integer written with a fraction or an exponent loses its fraction, as in Java.
func (d numberDecoder) set(ptr unsafe.Pointer, text string) error {
	v := reflect.NewAt(d.t, ptr).Elem()
	switch {
	case v.CanFloat():
		f, err := strconv.ParseFloat(text, v.Type().Bits())
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("%.40q is not a number in range", text)
		}
		v.SetFloat(f)
		return nil
	case v.CanInt():
		n, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err == nil {
			v.SetInt(n)
			return nil
		}
	case v.CanUint():
		n, err := strconv.ParseUint(text, 10, v.Type().Bits())
		if err == nil {
			v.SetUint(n)
			return nil
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !strings.ContainsAny(text, ".eE") {
		return fmt.Errorf("%.40q is not an integer in range", text)
	}
	// The bounds are exclusive powers of two, which floats hold exactly; a NaN fails both comparisons.
	switch f = math.Trunc(f); {
	case v.CanInt() && f >= -(1<<63) && f < 1<<63 && !v.OverflowInt(int64(f)):
		v.SetInt(int64(f))
	case v.CanUint() && f >= 0 && f < 1<<64 && !v.OverflowUint(uint64(f)):
		v.SetUint(uint64(f))
	default:
		return fmt.Errorf("%.40q is not an integer in range", text)
	}
	return nil
}

// stringDecoder reads strings, and the text of anything else.
type stringDecoder struct{}

func (stringDecoder) Decode(ptr unsafe.Pointer, iter *jsoniter.Iterator) {
	s := (*string)(ptr)
	switch iter.WhatIsNext() {
	case jsoniter.StringValue:
		*s = iter.ReadString()
	case jsoniter.NilValue:
		iter.ReadNil()
		*s = ""
	default:
		*s = strings.TrimSpace(string(iter.SkipAndReturnBytes()))
	}
}

// boolDecoder reads booleans, "true" and "false" in any case, numbers, and null.
type boolDecoder struct{}

func (boolDecoder) Decode(ptr unsafe.Pointer, iter *jsoniter.Iterator) {
	b := (*bool)(ptr)
	switch iter.WhatIsNext() {
	case jsoniter.BoolValue:
		*b = iter.ReadBool()
	case jsoniter.NumberValue:
		*b = string(iter.ReadNumber()) != "0"
	case jsoniter.NilValue:
		iter.ReadNil()
		*b = false
	case jsoniter.StringValue:
		s := iter.ReadString()
		*b = strings.EqualFold(s, "true")
		if !*b && s != "" && !strings.EqualFold(s, "false") {
			report(iter, fmt.Errorf("%.40q is not a boolean", s))
		}
	default:
		report(iter, errors.New("a boolean is expected"))
	}
}

type numberKeyDecoder struct{ number numberDecoder }

func (d numberKeyDecoder) Decode(ptr unsafe.Pointer, iter *jsoniter.Iterator) {
	text := iter.ReadString()
	if sound(iter) {
		report(iter, d.number.set(ptr, text))
	}
}

// structKeyDecoder reads a struct from a string that holds its JSON.
type structKeyDecoder struct{ t reflect2.Type }

func (d structKeyDecoder) Decode(ptr unsafe.Pointer, iter *jsoniter.Iterator) {
	text := iter.ReadString()
	if sound(iter) {
		report(iter, Unmarshal([]byte(text), reflect.NewAt(d.t.Type1(), ptr).Interface()))
	}
}

// sound says whether all went well so far. Having met the end of the text is no error yet.
func sound(iter *jsoniter.Iterator) bool { return iter.Error == nil || errors.Is(iter.Error, io.EOF) }

func report(iter *jsoniter.Iterator, err error) {
	if err != nil {
		iter.ReportError("fastjson", err.Error())
	}
}
