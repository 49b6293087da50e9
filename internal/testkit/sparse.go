// SPDX-License-Identifier: Apache-2.0

package testkit

import "rocketd/internal/invariant"

// Sparse is the step at which a test walks through its many cases: n under the race detector, which makes it several times
// slower and finds nothing in the hundredth case of one goroutine, and 1 elsewhere.
func Sparse(n int) int {
	if invariant.On {
		return n
	}
	return 1
}
