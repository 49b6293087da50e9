// SPDX-License-Identifier: Apache-2.0

// Package testkit holds what tests of all packages share. Only tests and conformance import it.
package testkit

import (
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// Main runs the tests of a package that starts goroutines and fails if some are left over.
func Main(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait. It is generous, because machines that run tests are slow and shared.
const patience = 20 * time.Second

// Eventually waits until cond holds and fails the test, naming what, when it does not.
func Eventually(t testing.TB, cond func() bool, what string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for pause := 50 * time.Microsecond; !cond(); pause = min(2*pause, 10*time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain: %s", patience, what)
		}
		time.Sleep(pause)
	}
}

// Updating says whether golden files are to be recorded anew.
var Updating = os.Getenv("UPDATE_GOLDEN") != ""
