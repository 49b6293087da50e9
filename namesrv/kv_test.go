// SPDX-License-Identifier: Apache-2.0

package namesrv

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"rocketd/protocol"
)

const kvPath = "/ns/kvConfig.json"

func kv(pairs ...string) map[string]string {
	fields := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		fields[pairs[i]] = pairs[i+1]
	}
	return fields
}

func TestKVTable(t *testing.T) {
	f := newServer(t)
	answer := f.ask(protocol.GetKVConfig, kv("namespace", "n", "key", "k"), nil)
	require.Equal(t, protocol.QueryNotFound, answer.Code)
	require.Equal(t, "No config item, Namespace: n Key: k", answer.Remark)
	answer = f.ask(protocol.GetKVListByNamespace, kv("namespace", "n"), nil)
	require.Equal(t, protocol.QueryNotFound, answer.Code)
	require.Equal(t, "No config item, Namespace: n", answer.Remark)
	answer = f.ask(protocol.PutKVConfig, kv("key", "k"), nil)
	require.Equal(t, protocol.SystemError, answer.Code)
	require.Equal(t, "namespace or key is null", answer.Remark)

	f.must(protocol.PutKVConfig, kv("namespace", "n", "key", "k", "value", "v<é>"), nil)
	value, _ := f.must(protocol.GetKVConfig, kv("namespace", "n", "key", "k"), nil).Field("value")
	require.Equal(t, "v<é>", value)
	require.Equal(t, `{"table":{"k":"v<é>"}}`, string(f.must(protocol.GetKVListByNamespace, kv("namespace", "n"), nil).Body))
	f.must(protocol.DeleteKVConfig, kv("namespace", "n", "key", "k"), nil)
	require.Equal(t, `{"table":{}}`, string(f.must(protocol.GetKVListByNamespace, kv("namespace", "n"), nil).Body))
	f.must(protocol.DeleteKVConfig, kv("namespace", "none", "key", "k"), nil)
}

func TestKVFileSurvivesARestart(t *testing.T) {
	f := newServer(t)
	f.must(protocol.PutKVConfig, kv("namespace", "n", "key", "k", "value", "1"), nil)
	f.must(protocol.PutKVConfig, kv("namespace", "n", "key", "k", "value", "2"), nil)
	require.Equal(t, `{"configTable":{"n":{"k":"2"}}}`, string(f.files.files[kvPath]))
	require.Equal(t, `{"configTable":{"n":{"k":"1"}}}`, string(f.files.files[kvPath+".bak"]))
	again := openServer(t, f.files)
	value, _ := again.must(protocol.GetKVConfig, kv("namespace", "n", "key", "k"), nil).Field("value")
	require.Equal(t, "2", value)
}

func TestUnsavedChangeIsRefusedAndForgotten(t *testing.T) {
	f := newServer(t)
	f.must(protocol.PutKVConfig, kv("namespace", "n", "key", "k", "value", "1"), nil)
	f.files.fail = errors.New("disk full")
	require.Equal(t, protocol.SystemError, f.ask(protocol.PutKVConfig, kv("namespace", "n", "key", "k", "value", "2"), nil).Code)
	require.Equal(t, protocol.SystemError, f.ask(protocol.DeleteKVConfig, kv("namespace", "n", "key", "k"), nil).Code)
	value, _ := f.must(protocol.GetKVConfig, kv("namespace", "n", "key", "k"), nil).Field("value")
	require.Equal(t, "1", value)
}

func TestKVTableIsBounded(t *testing.T) {
	f := newServer(t, func(c *Config) { c.MaxKVConfigBytes = 20 })
	f.must(protocol.PutKVConfig, kv("namespace", "n", "key", "k", "value", "1"), nil)
	answer := f.ask(protocol.PutKVConfig, kv("namespace", "n", "key", "l", "value", strings.Repeat("x", 20)), nil)
	require.Equal(t, protocol.SystemError, answer.Code)
	require.Contains(t, answer.Remark, "maxKvConfigBytes")
	f.must(protocol.PutKVConfig, kv("namespace", "n", "key", "k", "value", "2"), nil)
}

func TestDamagedKVFileIsSetAside(t *testing.T) {
	files := newMemFS()
	files.files[kvPath] = []byte(`{"configTable":{"n"`)
	files.files[kvPath+".bak"] = []byte(`{"configTable":{"n":{"k":"old"}}}`)
	f := openServer(t, files)
	value, _ := f.must(protocol.GetKVConfig, kv("namespace", "n", "key", "k"), nil).Field("value")
	require.Equal(t, "old", value, "the last good content")
	var aside []string
	for _, name := range files.names() {
		if strings.HasPrefix(name, kvPath+".damaged-") {
			aside = append(aside, name)
		}
	}
	require.Len(t, aside, 1)
	require.Equal(t, `{"configTable":{"n"`, string(files.files[aside[0]]))

	files = newMemFS()
	files.files[kvPath] = []byte("\x00\x00")
	f = openServer(t, files)
	require.Equal(t, protocol.QueryNotFound, f.ask(protocol.GetKVListByNamespace, kv("namespace", "n"), nil).Code)
}

func TestUnreadableKVFileEndsTheStart(t *testing.T) {
	cfg := DefaultConfig()
	cfg.KVConfigPath = t.TempDir() // a folder cannot be read as a file
	_, err := New(cfg, Deps{FS: OS, Clock: clockwork.NewFakeClock(), Log: zerolog.Nop()})
	require.ErrorContains(t, err, cfg.KVConfigPath)
}

func TestReplaceFileOnDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "folder", "file")
	require.NoError(t, OS.ReplaceFile(path, []byte("one")))
	require.NoError(t, OS.ReplaceFile(path, []byte("two")))
	for name, want := range map[string]string{path: "two", path + ".bak": "one"} {
		got, err := OS.ReadFile(name)
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, left, 2, "no temporary files")
	require.NoError(t, OS.Rename(path, path+".x"))
	_, err = OS.ReadFile(path)
	require.ErrorIs(t, err, os.ErrNotExist)
}
