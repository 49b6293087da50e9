// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"rocketd/internal/testkit"
	"rocketd/store/vfs"
)

// What is appended next has its blocks and has been read before an append gets there; a disk that is full is told to
// the append, not before.
func TestTheLogIsPreparedAheadOfItsEnd(t *testing.T) {
	fsys, cfg := vfs.NewMem(), smallConfig("/store")
	cfg.CommitLogFileSize, cfg.CommitLogAllocateStep = 1<<20, 64<<10
	s, err := Open(cfg, Deps{FS: fsys, Clock: clockwork.NewRealClock(), Host: Host{BootID: "x"}, Log: zerolog.Nop()})
	require.NoError(t, err)
	var mu sync.Mutex
	var allocated, read int64 // of the log, up to where
	full := false
	fsys.SetFault(func(op vfs.Op) error {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case !strings.Contains(op.Name, "/commitlog/"):
		case op.Kind == "allocate" && full:
			return syscall.ENOSPC
		case op.Kind == "allocate":
			allocated = max(allocated, op.Off+op.N)
		case op.Kind == "read":
			read = max(read, op.Off+op.N)
		}
		return nil
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	end := mustPut(t, s, newMessage("T", 0, "first")).EndOffset
	testkit.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return allocated == 1<<20 && read == 1<<20
	}, "the file is ready up to its end")

	mu.Lock()
	full = true
	mu.Unlock()
	s.log.prepare()
	for end < 1<<20-1<<10 {
		end = mustPut(t, s, newMessage("T", 0, strings.Repeat("x", 500))).EndOffset
	}
	_, err = s.Put(newMessage("T", 0, strings.Repeat("x", 1<<10)))
	require.ErrorIs(t, err, ErrNotWriteable, "the next file has no room")
	s.log.prepare()
	fsys.SetFault(nil)
	mustPut(t, s, newMessage("T", 0, "again"))
	stop()
	require.NoError(t, <-ended)
	require.NoError(t, s.Close())
}
