// SPDX-License-Identifier: Apache-2.0

// The tolerant reader of JSON headers. It takes what Java takes: numbers and booleans where text is due and the other
// way round, null everywhere, unknown members, nested values kept as their text.
// Deviations: Java also takes trailing commas and control characters inside strings.

package protocol

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	jsoniter "github.com/json-iterator/go"
)

func decodeAnyJSON(header []byte, c *Command, fields []Field) error {
	// The scanner may have stored a part before it gave up.
	*c = Command{Serialize: c.Serialize, Body: c.Body}
	iter := jsoniter.ConfigDefault.BorrowIterator(header)
	defer jsoniter.ConfigDefault.ReturnIterator(iter)
	if iter.WhatIsNext() != jsoniter.ObjectValue {
		return &FrameError{Reason: "the header is not a JSON object"}
	}
	whole := iter.ReadObjectCB(func(iter *jsoniter.Iterator, key string) bool {
		readAnyMember(iter, key, c, fields)
		return intact(iter)
	})
	if !whole || iter.Error != nil {
		return &FrameError{Reason: "JSON header", Err: iter.Error}
	}
	// Looking for more must meet the end and nothing else.
	iter.WhatIsNext()
	if !errors.Is(iter.Error, io.EOF) {
		return &FrameError{Reason: "text after the JSON header"}
	}
	return nil
}

// intact reports whether reading may go on. The end of the text alone is no error yet: whoever misses a bracket there
// makes it one.
func intact(iter *jsoniter.Iterator) bool {
	return iter.Error == nil || errors.Is(iter.Error, io.EOF)
}

func readAnyMember(iter *jsoniter.Iterator, key string, c *Command, fields []Field) {
	switch key {
	case "code":
		c.Code = readAnyInt32(iter, key)
	case "flag":
		c.Flag = readAnyInt32(iter, key)
	case "opaque":
		c.Opaque = readAnyInt32(iter, key)
	case "version":
		c.Version = readAnyInt32(iter, key)
	case "language":
		c.Language = readAnyLanguage(iter)
	case "remark":
		c.Remark, _ = readAnyText(iter)
	case "extFields":
		c.Fields = readAnyFields(iter, fields[:0])
	default:
		iter.Skip()
	}
}

// readAnyText returns a value as text; false says that it is null.
func readAnyText(iter *jsoniter.Iterator) (string, bool) {
	switch iter.WhatIsNext() {
	case jsoniter.StringValue:
		return iter.ReadString(), true
	case jsoniter.NilValue:
		iter.Skip()
		return "", false
	default:
		return strings.TrimSpace(string(iter.SkipAndReturnBytes())), true
	}
}

func readAnyInt32(iter *jsoniter.Iterator, key string) int32 {
	text, ok := readAnyText(iter)
	if !ok || text == "" || text == "false" {
		return 0
	}
	if text == "true" {
		return 1
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err == nil {
		return int32(n)
	}
	f, err := strconv.ParseFloat(text, 64)
	if f = math.Trunc(f); err != nil || f != float64(int32(f)) {
		iter.ReportError("header", fmt.Sprintf("%s is not a number", key))
		return 0
	}
	return int32(f)
}

func readAnyLanguage(iter *jsoniter.Iterator) Language {
	ordinal := iter.WhatIsNext() == jsoniter.NumberValue
	text, ok := readAnyText(iter)
	if !ok {
		return LangJava // Java's own, as when the member is missing
	}
	if !ordinal {
		return ParseLanguage(text)
	}
	if n, err := strconv.ParseUint(text, 10, 8); err == nil && int(n) < len(languageNames) {
		return Language(n)
	}
	return LangUnknown
}

// readAnyFields reads the extension fields; nil for a value that says there are none.
func readAnyFields(iter *jsoniter.Iterator, fields []Field) []Field {
	switch iter.WhatIsNext() {
	case jsoniter.ObjectValue:
	case jsoniter.NilValue:
		iter.Skip()
		return nil
	case jsoniter.StringValue:
		if iter.ReadString() != "" {
			iter.ReportError("header", "extFields is text")
		}
		return nil
	default:
		iter.ReportError("header", "extFields is not an object")
		return nil
	}
	iter.ReadObjectCB(func(iter *jsoniter.Iterator, key string) bool {
		value, ok := readAnyText(iter)
		if len(fields) == MaxFields {
			iter.ReportError("header", fmt.Sprintf("more than %d extension fields", MaxFields))
		}
		if ok && intact(iter) {
			fields = addField(fields, key, value)
		}
		return intact(iter)
	})
	return someFields(fields)
}
