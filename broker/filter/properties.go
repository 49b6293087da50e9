// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"sync"

	"rocketd/protocol/message"
)

// properties are those of one message that an expression asks for. They are found when it asks for the first.
type properties struct {
	names  *message.Names
	text   string
	found  bool
	values []string // by number of the name; empty: missing
}

var spareProperties = sync.Pool{New: func() any { return new(properties) }}

func newProperties(names *message.Names, text string) *properties {
	p := spareProperties.Get().(*properties)
	p.names, p.text, p.found = names, text, false
	return p
}

func (p *properties) release() {
	clear(p.values) // they are slices of the message
	p.names, p.text = nil, ""
	spareProperties.Put(p)
}

func (p *properties) value(number int) string {
	if !p.found {
		p.values = p.names.Find(p.text, p.values)
		p.found = true
	}
	return p.values[number]
}
