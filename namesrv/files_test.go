// SPDX-License-Identifier: Apache-2.0

package namesrv

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReplacedFilesKeepTheirPermissions(t *testing.T) {
	name := filepath.Join(t.TempDir(), "new", "namesrv.conf")
	require.NoError(t, OS.ReplaceFile(name, []byte("first")))
	require.NoError(t, os.Chmod(name, 0o600))
	require.NoError(t, OS.ReplaceFile(name, []byte("second")))
	for file, want := range map[string]string{name: "second", name + ".bak": "first"} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, want, string(text))
		info, err := os.Stat(file)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), file)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(name), "*.tmp"))
	require.NoError(t, err)
	require.Empty(t, left)
}
