// SPDX-License-Identifier: Apache-2.0

// Package ledgertext prints the ledger as the page people read.
package ledgertext

import (
	"fmt"
	"strings"

	"rocketd/compat"
)

// Markdown returns the text of LEDGER.md: open lines first, then deliberate ones.
func Markdown() string {
	var b strings.Builder
	b.WriteString("# Ledger\n\nWhere this server is known to differ from Apache RocketMQ 5.5.0. Generated from `compat/ledger.go`\n(`go generate ./compat`); do not edit.\n")
	section(&b, compat.Open, "Open", "Still to be removed.")
	section(&b, compat.Deliberate, "Deliberate", "Meant to stay.")
	return b.String()
}

func section(b *strings.Builder, status compat.Status, title, intro string) {
	fmt.Fprintf(b, "\n## %s\n\n%s\n\n| id | area | what | reason | codes |\n|---|---|---|---|---|\n", title, intro)
	for _, e := range compat.Ledger {
		if e.Status != status {
			continue
		}
		codes := make([]string, len(e.Codes))
		for i, c := range e.Codes {
			codes[i] = fmt.Sprint(c)
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", e.ID, e.Area, cell(e.What), cell(e.Reason), strings.Join(codes, ", "))
	}
}

func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }
