// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"rocketd/protocol/message"
	"rocketd/store"
	"rocketd/store/vfs"
)

// run executes a store command.
func runStore(args ...string) error { return runStoreInto(io.Discard, args...) }

func runStoreInto(out io.Writer, args ...string) error {
	cmd := storeCommand()
	cmd.SetOut(out)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	return cmd.Execute()
}

func TestStoreCommands(t *testing.T) {
	root := t.TempDir()
	conf := filepath.Join(t.TempDir(), "broker.conf")
	require.NoError(t, os.WriteFile(conf, []byte("maxHashSlotNum=50\nmaxIndexNum=200\nmappedFileSizeConsumeQueue=400\n"), 0o644))
	cfg, err := storeConfig(root, conf)
	require.NoError(t, err)
	cfg.CommitLogFileSize = 64 << 10
	s, err := store.Open(cfg, store.Deps{FS: vfs.OS, Clock: clockwork.NewRealClock(), Log: zerolog.Nop()})
	require.NoError(t, err)
	for i := range 50 {
		_, err := s.Put(&message.Message{Topic: "T", Body: fmt.Append(nil, i)})
		require.NoError(t, err)
	}
	require.ErrorContains(t, runStore("check", root, "-c", conf), root+" is in use")
	require.NoError(t, s.Close())
	var said strings.Builder
	require.NoError(t, runStoreInto(&said, "check", root, "-c", conf))
	require.Equal(t, root+": commit log, queues, index, checkpoint and tables were checked, no damage found.\n", said.String())
	require.NoError(t, runStore("dump", root, "-c", conf))
	require.NoError(t, runStore("dump", root, "commitlog/00000000000000000000"))

	unit := filepath.Join(root, "consumequeue/T/0/00000000000000000400")
	b, err := os.ReadFile(unit)
	require.NoError(t, err)
	b[7] ^= 1
	require.NoError(t, os.WriteFile(unit, b, 0o644))
	require.ErrorContains(t, runStore("check", root, "-c", conf), root+" is damaged: 1 findings")
	said.Reset()
	require.NoError(t, runStoreInto(&said, "repair", root, "-c", conf))
	require.Contains(t, said.String(), "no damage found.\n", "nobody has to guess how it went")
	require.NoError(t, runStore("check", root, "-c", conf))
	require.Error(t, runStore("check"))
	require.ErrorContains(t, runStore("check", filepath.Join(root, "nowhere")), "is no data directory")
}
