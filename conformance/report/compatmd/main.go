// SPDX-License-Identifier: Apache-2.0

// Command compatmd makes docs/compatibility.md of the verdicts that a run of the conformance tests has left in a folder,
// or holds the page against them.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"rocketd/conformance/report"
)

func main() {
	check := flag.Bool("check", false, "compare the page with the verdicts instead of writing it")
	flag.Usage = func() { fmt.Fprintln(flag.CommandLine.Output(), "usage: compatmd [-check] FOLDER PAGE") }
	flag.Parse()
	if err := run(*check, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "compatmd:", err)
		os.Exit(1)
	}
}

func run(check bool, args []string) error {
	if len(args) != 2 {
		return errors.New("usage: compatmd [-check] FOLDER PAGE")
	}
	folder, page := args[0], args[1]
	entries, err := report.Read(folder)
	if err != nil {
		return err
	}
	text := report.Markdown(entries)
	if !check {
		return os.WriteFile(page, []byte(text), 0o644)
	}
	committed, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	if difference := report.Difference(string(committed), text); difference != "" {
		return fmt.Errorf("%s is not what the run gave; `make compatibility` makes it anew:\n%s", page, difference)
	}
	return nil
}
