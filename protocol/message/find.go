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
	last    [256]int       // of those that begin with a byte, the one entered last; counted from 1
	next    []int          // for each name, the one before it that begins with its first byte; counted from 1
	numbers map[string]int // of more names than are looked through quicker than looked up
}

// fewNames are looked through.
const fewNames = 16

// Number is that of a name, which is entered if it is new.
func (n *Names) Number(name string) int {
	if i, ok := n.known(name); ok {
		return i
	}
	n.list = append(n.list, name)
	previous := 0
	if name != "" {
		previous = n.last[name[0]]
		n.last[name[0]] = len(n.list)
	}
	n.next = append(n.next, previous)
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

func (n *Names) known(name string) (int, bool) {
	if n.numbers != nil {
		i, ok := n.numbers[name]
		return i, ok
	}
	i := slices.Index(n.list, name)
	return i, i >= 0
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
		if last := n.last[props[at]]; last != 0 {
			n.note(props[at:end], int32(at), last, spans)
		}
		at = end + 1
	}
	return spans
}

// note enters a pair, which begins at start, if its name is wanted and its value is not empty.
func (n *Names) note(pair string, start int32, last int, spans []Span) {
	i, ok := n.named(pair, last)
	if !ok {
		return
	}
	if value := len(n.list[i]) + 1; value < len(pair) {
		spans[i] = Span{start + int32(value), start + int32(len(pair))}
	}
}

// named is the number of a pair's name. Of the names that begin with its first byte, last is the one entered last.
func (n *Names) named(pair string, last int) (number int, ok bool) {
	if n.numbers != nil {
		end := max(strings.IndexByte(pair, nameEnd), 0)
		number, ok = n.numbers[pair[:end]]
		return number, ok
	}
	for ; last != 0; last = n.next[last-1] {
		name := n.list[last-1]
		if len(pair) > len(name) && pair[len(name)] == nameEnd && pair[:len(name)] == name {
			return last - 1, true
		}
	}
	return 0, false
}
