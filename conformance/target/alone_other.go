// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package target

import "testing"

// Alone runs the tests as they are: namespaces are Linux's.
func Alone(m *testing.M, _ func() error) int { return m.Run() }

// RequireAlone ends a test that must not run where others are.
func RequireAlone(t testing.TB) {
	t.Helper()
	t.Skip("left out: this system has no namespaces")
}

// Mount needs namespaces.
func Mount(t testing.TB, _ string, _ int) { RequireAlone(t) }

// MountReadOnly needs namespaces.
func MountReadOnly(t testing.TB, _ string) { RequireAlone(t) }
