// SPDX-License-Identifier: Apache-2.0

// What can go wrong, as callers see it. Expected outcomes of a read are
// statuses (GetStatus), not errors.

package store

import (
	"errors"
	"fmt"

	"rocketd/protocol/message"
)

var (
	// ErrClosed says that the store has been closed.
	ErrClosed = errors.New("store is closed")
	// ErrNotWriteable says that the store takes no messages now: a full disk, a
	// slave, a failed file. The cause is wrapped with it.
	ErrNotWriteable = errors.New("store is not writeable")
	// ErrNotReadable says that the store cannot be read now.
	ErrNotReadable = errors.New("store is not readable")
	// ErrMessageIllegal says that a message breaks a limit of the store.
	ErrMessageIllegal = errors.New("message is illegal")
	// ErrPropertiesTooLarge says that a message's properties exceed 32767 bytes.
	ErrPropertiesTooLarge = message.ErrPropertiesTooLarge
	// ErrPageCacheBusy says that the append lock has been held for longer than
	// osPageCacheBusyTimeOutMills.
	ErrPageCacheBusy = errors.New("page cache is busy")
	// ErrFlushTimeout says that the disk was slower than syncFlushTimeout. The
	// message is stored.
	ErrFlushTimeout = errors.New("flush to disk timed out")
	// ErrNotFound says that there is no message at that place.
	ErrNotFound = errors.New("no message there")
	// ErrOffsetMismatch says that raw bytes do not continue the log.
	ErrOffsetMismatch = errors.New("bytes do not continue the log")
)

// CorruptError names the place of bytes that cannot be what was written.
type CorruptError struct {
	File   string
	Offset int64 // within the file
	Err    error
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s: corrupt at byte %d: %v", e.File, e.Offset, e.Err)
}

func (e *CorruptError) Unwrap() error { return e.Err }
