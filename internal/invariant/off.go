// SPDX-License-Identifier: Apache-2.0

//go:build !invariants && !race

package invariant

// On says whether Check checks.
const On = false
