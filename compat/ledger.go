// SPDX-License-Identifier: Apache-2.0

// Every known deviation from the Java original, and every request code that is not served.

package compat

// Status says whether a deviation is to be removed or meant to stay.
type Status string

// The states of an entry.
const (
	Open       Status = "open"
	Deliberate Status = "deliberate"
)

// Entry is one line of the ledger.
type Entry struct {
	ID     string
	Area   string
	Status Status
	What   string
	Reason string
	Codes  []int32 // request codes that the entry accounts for
}

// Ledger lists the entries in the order in which LEDGER.md prints them.
var Ledger []Entry
