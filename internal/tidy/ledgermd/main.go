// SPDX-License-Identifier: Apache-2.0

// Command ledgermd writes LEDGER.md from compat.Ledger.
package main

import (
	"flag"
	"fmt"
	"os"

	"rocketd/internal/tidy/ledgertext"
)

func main() {
	out := flag.String("o", "LEDGER.md", "file to write")
	flag.Parse()
	if err := os.WriteFile(*out, []byte(ledgertext.Markdown()), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
