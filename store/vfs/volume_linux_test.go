// SPDX-License-Identifier: Apache-2.0

package vfs

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKernelRelease(t *testing.T) {
	for release, want := range map[string]bool{
		"5.17": true, "5.17.0-rc1": true, "6.1.0-18-amd64": true, "10.0": true,
		"5.16.9": false, "5.8.0": false, "4.18.0-553.el8.x86_64": false, "": false, "linux": false, "6": false,
	} {
		require.Equal(t, want, releaseSince(release, 5, 17), release)
	}
}

// /proc is no file system whose sync tells anything; a closed volume is no
// descriptor of something else.
func TestVolumesThatAreNone(t *testing.T) {
	_, err := OS.OpenVolume("/proc")
	require.ErrorIs(t, err, errors.ErrUnsupported)
	v, err := OS.OpenVolume(t.TempDir())
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("the directory for temporary files is on another kind of file system, or the kernel is old")
	}
	require.NoError(t, err)
	require.NoError(t, v.Close())
	require.ErrorIs(t, v.Sync(), fs.ErrClosed)
}
