// SPDX-License-Identifier: Apache-2.0

// Package testkit holds what the tests of all packages share. Only tests and conformance import it.
package testkit

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// Main runs the tests of a package that starts goroutines, and fails if some are left over:
//
//	func TestMain(m *testing.M) { testkit.Main(m) }
func Main(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait. It is generous, because machines that run tests are slow and shared.
const patience = 30 * time.Second

// Eventually waits until cond holds and fails the test, naming what, when it does not. Only the test's own goroutine
// may call it; cond runs there too.
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

// updateVariable is the environment variable that makes goldens be recorded instead of compared. It is no flag, so
// that `go test ./...` accepts it for packages without goldens too.
const updateVariable = "UPDATE_GOLDEN"

// Golden compares got with the file testdata/<name>, or records it when UPDATE_GOLDEN is set.
// Only texts of our own making are recorded so; what Java has printed is never overwritten: use Recorded.
func Golden(t testing.TB, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", filepath.FromSlash(name))
	if os.Getenv(updateVariable) != "" {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
		return
	}
	require.Equal(t, Recorded(t, name), got, "differs from %s; %s=1 records it anew", path, updateVariable)
}

// Recorded returns the text of testdata/<name>.
func Recorded(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(name)))
	require.NoError(t, err)
	return string(text)
}
