// SPDX-License-Identifier: Apache-2.0

// The header codec: a command's fields to and from a struct, by tags. Java: RemotingCommand.decodeCommandCustomHeader,
// makeCustomHeaderToNet, FastCodesHeader. A struct's tags are compiled once into a flat plan of key, kind and offset;
// decoding walks the fields once and allocates only for pointers to numbers and booleans that are present.
// Deviations: a malformed number is an error on every path (Java: only on the fast one). A required field is one without
// which Java's handler ends in a NullPointerException; here it is refused by name, with the same code.

package protocol

import (
	"fmt"
	"math"
	"math/bits"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"unsafe"
)

type fieldKind uint8

const (
	kindString fieldKind = iota
	kindInt32
	kindInt64
	kindBool
)

// planEntry describes one struct field.
type planEntry struct {
	key       string
	offset    uintptr // from the start of the outermost struct
	kind      fieldKind
	pointer   bool // a nil pointer is an absent field
	omitEmpty bool // an empty value is an absent field
	required  bool // a request without the field is refused
}

// Codec converts between fields and a T. It is immutable and safe for concurrent use.
type Codec[T any] struct {
	plan     []planEntry
	required uint64 // a bit for each entry of the plan
}

type codecKey struct {
	typ     reflect.Type
	variant string
}

var codecs sync.Map // codecKey -> *Codec[T]

// CodecOf returns the codec of T for the tags named by variant ("rmq" or "v2"). A field without that tag is left
// alone. It panics on a field that cannot travel, which is a mistake in this program.
func CodecOf[T any](variant string) *Codec[T] {
	key := codecKey{typ: reflect.TypeFor[T](), variant: variant}
	if c, ok := codecs.Load(key); ok {
		return c.(*Codec[T])
	}
	if key.typ.Kind() != reflect.Struct {
		panic(fmt.Sprintf("protocol: header %v is not a struct", key.typ))
	}
	made := &Codec[T]{plan: compilePlan(nil, key.typ, variant, 0)}
	for i, e := range made.plan {
		if i >= 64 {
			panic(fmt.Sprintf("protocol: %v has more than 64 fields", key.typ))
		}
		if e.required {
			made.required |= 1 << i
		}
	}
	c, _ := codecs.LoadOrStore(key, made)
	return c.(*Codec[T])
}

// HeaderField describes one field of a header, for those who want to know what a request may carry.
type HeaderField struct {
	Key      string
	Bits     int // 32 or 64 for a number, else 0
	Required bool
}

// Fields lists the fields in the struct's order.
func (c *Codec[T]) Fields() []HeaderField {
	fields := make([]HeaderField, len(c.plan))
	for i, e := range c.plan {
		fields[i] = HeaderField{Key: e.key, Required: e.required}
		switch e.kind {
		case kindInt32:
			fields[i].Bits = 32
		case kindInt64:
			fields[i].Bits = 64
		}
	}
	return fields
}

func compilePlan(plan []planEntry, t reflect.Type, variant string, base uintptr) []planEntry {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous && f.Type.Kind() == reflect.Struct {
			plan = compilePlan(plan, f.Type, variant, base+f.Offset)
			continue
		}
		tag, ok := f.Tag.Lookup(variant)
		if !ok {
			continue
		}
		e := planEntry{offset: base + f.Offset}
		var option string
		e.key, option, _ = strings.Cut(tag, ",")
		e.omitEmpty, e.required = option == "omitempty", option == "required"
		ft := f.Type
		if ft.Kind() == reflect.Pointer {
			e.pointer = true
			ft = ft.Elem()
		}
		switch {
		case e.key == "" || !f.IsExported() || option != "" && !e.omitEmpty && !e.required:
			panic(fmt.Sprintf("protocol: bad tag %q on %v.%s", tag, t, f.Name))
		case ft == reflect.TypeFor[string]():
			e.kind = kindString
		case ft == reflect.TypeFor[int32]():
			e.kind = kindInt32
		case ft == reflect.TypeFor[int64]():
			e.kind = kindInt64
		case ft == reflect.TypeFor[bool]():
			e.kind = kindBool
		default:
			panic(fmt.Sprintf("protocol: %v.%s has a type that headers cannot carry", t, f.Name))
		}
		for _, other := range plan {
			if other.key == e.key {
				panic(fmt.Sprintf("protocol: %v has the key %q twice", t, e.key))
			}
		}
		plan = append(plan, e)
	}
	return plan
}

// Decode fills *dst from the fields; what is missing is zero or nil afterwards, what is unknown is skipped, and the
// last of equal keys wins. A malformed number is an *Error naming the field, and so is a missing one that is required.
// Strings are not copied.
func (c *Codec[T]) Decode(fields []Field, dst *T) error {
	var zero T
	*dst = zero
	base := unsafe.Pointer(dst)
	// Senders mostly keep the struct's order, so the search for a key starts behind the previous hit.
	next := 0
	var seen uint64
	for i := range fields {
		f := &fields[i]
		at := c.find(f.Key, next)
		if at < 0 {
			continue
		}
		next = at + 1
		seen |= 1 << at
		if err := c.plan[at].set(base, f.Value); err != nil {
			return err
		}
	}
	if missing := c.required &^ seen; missing != 0 {
		return Errorf(SystemError, "the request header field %s is missing", c.plan[bits.TrailingZeros64(missing)].key)
	}
	return nil
}

// find returns the index of a key in the plan, or -1, looking at from first.
func (c *Codec[T]) find(key string, from int) int {
	for i := from; i < len(c.plan); i++ {
		if c.plan[i].key == key {
			return i
		}
	}
	for i := range min(from, len(c.plan)) {
		if c.plan[i].key == key {
			return i
		}
	}
	return -1
}

func (e *planEntry) set(base unsafe.Pointer, value string) error {
	p := unsafe.Add(base, e.offset)
	switch e.kind {
	case kindString:
		if e.pointer {
			v := value // a copy, so that the parameter need not live on the heap
			*(**string)(p) = &v
		} else {
			*(*string)(p) = value
		}
	case kindInt32:
		n, ok := parseInt(value)
		if !ok || n < math.MinInt32 || n > math.MaxInt32 {
			return e.malformed(value)
		}
		if e.pointer {
			v := int32(n)
			*(**int32)(p) = &v
		} else {
			*(*int32)(p) = int32(n)
		}
	case kindInt64:
		n, ok := parseInt(value)
		if !ok {
			return e.malformed(value)
		}
		if e.pointer {
			v := n
			*(**int64)(p) = &v
		} else {
			*(*int64)(p) = n
		}
	case kindBool:
		// Java's Boolean.parseBoolean: everything but true is false.
		v := len(value) == 4 && strings.EqualFold(value, "true")
		if e.pointer {
			b := v
			*(**bool)(p) = &b
		} else {
			*(*bool)(p) = v
		}
	}
	return nil
}

// malformedShown bounds how much of a bad value a remark repeats.
const malformedShown = 64

func (e *planEntry) malformed(value string) *Error {
	if len(value) > malformedShown {
		value = value[:malformedShown] + "..."
	}
	return Errorf(SystemError, "the request header field %s is not a number: %q", e.key, value)
}

// parseInt reads a decimal number as Java's Long.parseLong does, without allocating.
func parseInt(s string) (int64, bool) {
	neg := false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		neg = s[0] == '-'
		s = s[1:]
	}
	if s == "" {
		return 0, false
	}
	// The limit is counted downwards because the negative range is the larger one.
	var n int64
	for i := range len(s) {
		d := int64(s[i]) - '0'
		if d < 0 || d > 9 || n < math.MinInt64/10 {
			return 0, false
		}
		n *= 10
		if n < math.MinInt64+d {
			return 0, false
		}
		n -= d
	}
	if neg {
		return n, true
	}
	return -n, n != math.MinInt64
}

// Append appends the fields of *src in the struct's order. Absent pointers and, where the tag says so, empty values
// are left out.
func (c *Codec[T]) Append(dst []Field, src *T) []Field {
	base := unsafe.Pointer(src)
	for i := range c.plan {
		e := &c.plan[i]
		if value, ok := e.get(base); ok {
			dst = append(dst, Field{Key: e.key, Value: value})
		}
	}
	return dst
}

func (e *planEntry) get(base unsafe.Pointer) (string, bool) {
	p := unsafe.Add(base, e.offset)
	if e.pointer {
		if p = *(*unsafe.Pointer)(p); p == nil {
			return "", false
		}
	}
	var value string
	var empty bool
	switch e.kind {
	case kindString:
		value = *(*string)(p)
		empty = value == ""
	case kindInt32:
		n := *(*int32)(p)
		value, empty = strconv.Itoa(int(n)), n == 0
	case kindInt64:
		n := *(*int64)(p)
		value, empty = strconv.FormatInt(n, 10), n == 0
	case kindBool:
		b := *(*bool)(p)
		value, empty = strconv.FormatBool(b), !b
	}
	// A pointer that is set was meant, whatever it points to.
	return value, e.pointer || !empty || !e.omitEmpty
}
