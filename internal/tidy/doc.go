// SPDX-License-Identifier: Apache-2.0

// Package tidy holds the tests over the source itself: who may import whom,
// where the clock and goroutines may be touched, how long a file or function
// may be, and that every request code is served, only sent, or in the ledger.
package tidy
