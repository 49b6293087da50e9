// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"sync"

	"rocketd/protocol/message"
)

// properties are those of one message that an expression asks for.
type properties struct {
	text  string
	spans []message.Span // of the values in text, by number of the name
}

var spareProperties = sync.Pool{New: func() any { return new(properties) }}

func newProperties(names *message.Names, text string) *properties {
	p := spareProperties.Get().(*properties)
	p.text, p.spans = text, names.Find(text, p.spans)
	return p
}

func (p *properties) release() {
	p.text = "" // which is the message's
	spareProperties.Put(p)
}

// value is that of a property, empty where it is missing, as no property is empty.
func (p *properties) value(number int) string {
	span := p.spans[number]
	return p.text[span.Start:span.End]
}
