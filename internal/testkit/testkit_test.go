// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"os"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { Main(m) }

func TestEventually(t *testing.T) {
	var done atomic.Bool
	go done.Store(true)
	Eventually(t, done.Load, "the other goroutine")
}

func TestGolden(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv(updateVariable, "1")
	Golden(t, "sub/a.txt", "text\n")
	require.Equal(t, "text\n", Recorded(t, "sub/a.txt"))
	require.NoError(t, os.Unsetenv(updateVariable))
	Golden(t, "sub/a.txt", "text\n")
}
