// SPDX-License-Identifier: Apache-2.0

// rewrite.go: changing keys in a file that somebody maintains by hand.

package settings

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"rocketd/compat"
)

// RewriteFile returns old, the text of a properties file, with the given keys changed. Comments, order and the other
// lines stay as they are. A key that occurs more than once is changed where it counts, which is the last time; new
// keys are appended by name. Text that cannot be parsed is kept whole, with all changes appended.
func RewriteFile(old []byte, changes map[string]string) []byte {
	properties, err := compat.ParseProperties(old)
	if err != nil {
		properties = nil
	}
	changed := map[int]compat.Property{} // by first line
	missing := maps.Clone(changes)
	for _, p := range slices.Backward(properties) {
		if value, ok := missing[p.Key]; ok {
			delete(missing, p.Key)
			if value != strings.Trim(p.Value, javaBlanks) {
				p.Value = value
				changed[p.Line] = p
			}
		}
	}
	lines := splitLines(old)
	out := make([]byte, 0, len(old)+64)
	for i := 0; i < len(lines); i++ {
		p, ok := changed[i+1]
		if !ok {
			out = append(out, lines[i]...)
			continue
		}
		i = p.LastLine - 1
		out = compat.AppendEscapedProperty(out, p.Key, p.Value)
		out = append(out, lineEnd(lines[i])...)
	}
	if len(missing) > 0 {
		out = append(out, gap(out)...)
	}
	for _, key := range slices.Sorted(maps.Keys(missing)) {
		out = append(compat.AppendEscapedProperty(out, key, missing[key]), '\n')
	}
	return out
}

// gap is what must stand between text and a new line for both to be read for themselves.
func gap(text []byte) string {
	last := bytes.TrimSuffix(text, []byte(lineEnd(text)))
	backslashes := len(last) - len(bytes.TrimRight(last, "\\"))
	switch {
	case backslashes%2 == 1 && (len(last) == len(text) || lineEnd(text) == "\r"):
		return "\n\n" // the last line would go on, and \r\n is one line end
	case backslashes%2 == 1 || len(last) == len(text) && len(text) > 0:
		return "\n"
	}
	return ""
}

// splitLines cuts text after each \n, \r or \r\n, as Java counts lines.
func splitLines(text []byte) [][]byte {
	var lines [][]byte
	for len(text) > 0 {
		end := bytes.IndexAny(text, "\r\n") + 1
		switch {
		case end == 0:
			end = len(text)
		case text[end-1] == '\r' && end < len(text) && text[end] == '\n':
			end++
		}
		lines = append(lines, text[:end])
		text = text[end:]
	}
	return lines
}

func lineEnd(line []byte) string {
	switch {
	case bytes.HasSuffix(line, []byte("\r\n")):
		return "\r\n"
	case bytes.HasSuffix(line, []byte("\n")):
		return "\n"
	case bytes.HasSuffix(line, []byte("\r")):
		return "\r"
	}
	return ""
}
