// SPDX-License-Identifier: Apache-2.0

package tidy

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// outside matches what only makes sense on somebody's machine.
var outside = regexp.MustCompile(`/work/|\.\./shared|/root/|/home/[a-z]+/(go|src)|proxy\.golang\.org|repo1?\.maven|/tmp/(team|jpeer|tools)`)

func TestFilesSpeakOfTheProjectAlone(t *testing.T) {
	root := moduleRoot(t)
	out, err := exec.Command("git", "-C", root, "grep", "-InE", "--untracked", outside.String(), "--", ".", ":!internal/tidy/words_test.go", ":!*.jsonl", ":!go.sum").Output()
	if err != nil {
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
		require.Equal(t, 1, exit.ExitCode(), "git grep: %s", exit.Stderr)
		return
	}
	t.Errorf("paths of a machine or hosts of a registry in the project:\n%s", out)
}

// TestServersCannotStartPrograms keeps the remote-execution attacks of the
// past impossible: the server binary holds no code that starts a process.
func TestServersCannotStartPrograms(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "./cmd/rocketd")
	cmd.Dir = filepath.Clean(moduleRoot(t))
	out, err := cmd.Output()
	require.NoError(t, err)
	deps := strings.Fields(string(out))
	require.Contains(t, deps, "rocketd/broker")
	for _, banned := range []string{"os/exec", "plugin", "testing"} {
		require.NotContains(t, deps, banned)
	}
}
