// SPDX-License-Identifier: Apache-2.0

// find.go: several properties, found in one walk over the text.

package message

import (
	"slices"
	"strings"
)

// Names are names of properties. A name's number is its place.
type Names struct {
	list    []string
	first   [256]bool      // bytes that a name begins with
	numbers map[string]int // of more names than are looked through quicker than looked up
}

// fewNames are looked through.
const fewNames = 16

// Number is that of a name, which is entered if it is new.
func (n *Names) Number(name string) int {
	if i := n.find(name); i >= 0 {
		return i
	}
	n.list = append(n.list, name)
	if name != "" {
		n.first[name[0]] = true
	}
	switch {
	case n.numbers != nil:
		n.numbers[name] = len(n.list) - 1
	case len(n.list) > fewNames:
		n.numbers = make(map[string]int, len(n.list))
		for i, name := range n.list {
			n.numbers[name] = i
		}
	}
	return len(n.list) - 1
}

// find is the number of a name, -1 where it is not among them.
func (n *Names) find(name string) int {
	if n.numbers == nil {
		return slices.Index(n.list, name)
	}
	if i, ok := n.numbers[name]; ok {
		return i
	}
	return -1
}

// Span is where a value stands in the text of the properties. Start is 0 for what is absent.
type Span struct{ Start, End int32 }

// Find writes where each name's value is that Property returns to spans, by number of the name, and returns it.
func (n *Names) Find(props string, spans []Span) []Span {
	spans = slices.Grow(spans[:0], len(n.list))[:len(n.list)]
	clear(spans)
	for at := 0; at < len(props); {
		end := len(props)
		if i := strings.IndexByte(props[at:], valueEnd); i >= 0 {
			end = at + i
		}
		if n.first[props[at]] {
			n.note(props[at:end], int32(at), spans)
		}
		at = end + 1
	}
	return spans
}

// note enters a pair, which begins at start, if its name is wanted and its value is not empty.
func (n *Names) note(pair string, start int32, spans []Span) {
	end := strings.IndexByte(pair, nameEnd)
	if end < 0 || end == len(pair)-1 {
		return
	}
	if i := n.find(pair[:end]); i >= 0 {
		spans[i] = Span{start + int32(end) + 1, start + int32(len(pair))}
	}
}
