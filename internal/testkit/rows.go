// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"fmt"
	"os"
	"strings"
)

// WriteRow replaces the row of a Markdown table that begins with name, in a document that has such a row.
func WriteRow(file, name string, cells ...string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "| "+name+" |") {
			lines[i] = "| " + strings.Join(append([]string{name}, cells...), " | ") + " |"
			return os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o644)
		}
	}
	return fmt.Errorf("%s has no row %q", file, name)
}
