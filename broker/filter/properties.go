// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"sync"

	"rocketd/protocol/message"
)

// properties are those of one message that an expression asks for. They are found when it asks for the first.
type properties struct {
	names *message.Names
	text  string
	found bool
	spans []message.Span // of the values in text, by number of the name
}

var spareProperties = sync.Pool{New: func() any { return new(properties) }}

func newProperties(names *message.Names, text string) *properties {
	p := spareProperties.Get().(*properties)
	p.names, p.text, p.found = names, text, false
	return p
}

func (p *properties) release() {
	p.names, p.text = nil, "" // which is the message's
	spareProperties.Put(p)
}

// value is that of a property, empty where it is missing, as no property is empty.
func (p *properties) value(number int) string {
	if !p.found {
		p.spans = p.names.Find(p.text, p.spans)
		p.found = true
	}
	span := p.spans[number]
	return p.text[span.Start:span.End]
}
