// SPDX-License-Identifier: Apache-2.0

// Package invariant states what must be impossible. It is compiled in with -tags invariants or -race and costs nothing otherwise.
// What a client, a file or the system can bring about is an error, never an invariant.
package invariant

import "fmt"

// Check panics with msg when cond is false and invariants are on. Where computing cond or args costs
// something, the caller guards the call with `if invariant.On`.
func Check(cond bool, msg string, args ...any) {
	if On && !cond {
		panic("invariant violated: " + fmt.Sprintf(msg, args...))
	}
}
