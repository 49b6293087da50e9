// SPDX-License-Identifier: Apache-2.0

package interop

import (
	"archive/tar"
	"compress/gzip"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/compat/fastjson"
)

// recordVariable makes the tests keep Java's directories for the tests of the
// store, which need no Java then.
const recordVariable = "RECORD_JAVA_DIRECTORIES"

// record packs a directory that Java has left, with what Java read in it.
// The timer wheel, 38 MB of zeros, stays out.
func record(t *testing.T, name, storeDir string, view map[string]any) {
	t.Helper()
	if os.Getenv(recordVariable) == "" {
		return
	}
	out, err := os.Create(filepath.Join("../../store/testdata/java-5.5.0", name+".tar.gz"))
	require.NoError(t, err)
	zip, err := gzip.NewWriterLevel(out, gzip.BestCompression)
	require.NoError(t, err)
	archive := tar.NewWriter(zip)
	add := func(name string, text []byte) {
		require.NoError(t, archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}))
		_, err := archive.Write(text)
		require.NoError(t, err)
	}
	read, err := fastjson.Marshal(map[string]any{"Plain": view["Plain"], "Batch": view["Batch"], "Large": view["Large"]})
	require.NoError(t, err)
	add("read.json", read)
	require.NoError(t, filepath.Walk(storeDir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() || info.Name() == "timerwheel" || filepath.Base(filepath.Dir(path)) == "foreign" {
			return err
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		within, err := filepath.Rel(storeDir, path)
		require.NoError(t, err)
		add(filepath.ToSlash(filepath.Join("store", within)), text)
		return nil
	}))
	require.NoError(t, archive.Close())
	require.NoError(t, zip.Close())
	require.NoError(t, out.Close())
}
