// SPDX-License-Identifier: Apache-2.0

// find.go: several properties, found in one walk over the text.

package message

import (
	"slices"
	"strings"
)

// Names are names of properties. A name's number is its place.
type Names struct {
	list  []string
	first [256]bool // bytes that a name begins with
}

// Number is that of a name, which is entered if it is new.
func (n *Names) Number(name string) int {
	i := slices.Index(n.list, name)
	if i < 0 {
		i = len(n.list)
		n.list = append(n.list, name)
		if name != "" {
			n.first[name[0]] = true
		}
	}
	return i
}

// Find writes what Property returns for each name to values, by number, and returns it; what is absent is empty, as no
// property is. The strings are slices of props.
func (n *Names) Find(props string, values []string) []string {
	values = slices.Grow(values[:0], len(n.list))[:len(n.list)]
	clear(values)
	for props != "" {
		pair := props
		if i := strings.IndexByte(props, valueEnd); i >= 0 {
			pair, props = props[:i], props[i+1:]
		} else {
			props = ""
		}
		if pair == "" || !n.first[pair[0]] {
			continue
		}
		for i, name := range n.list {
			if len(name) < len(pair)-1 && pair[len(name)] == nameEnd && pair[:len(name)] == name {
				values[i] = pair[len(name)+1:]
				break
			}
		}
	}
	return values
}
