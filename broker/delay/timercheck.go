// SPDX-License-Identifier: Apache-2.0

// timercheck.go: how far the timer is, in config/timercheck. Seven numbers of eight bytes; those that only replication
// uses are kept as they are. docs/format/timer.md. Java: TimerCheckpoint.

package delay

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"path"

	"rocketd/store/vfs"
)

const (
	timerCheckFields = 7
	timerCheckBytes  = 4096 // what Java maps
)

// timerCheck is the state that is safe on the disk.
type timerCheck struct {
	readMs  int64 // everything due before is delivered
	logPos  int64 // end of the timer log
	next    int64 // offset in the queue of the wheel's topic
	version [3]int64
}

// readTimerCheck returns false when there is none.
func readTimerCheck(fsys vfs.FS, name string) (c timerCheck, ok bool, err error) {
	f, err := fsys.Open(name, vfs.ReadOnly)
	if errors.Is(err, fs.ErrNotExist) {
		return c, false, nil
	}
	if err != nil {
		return c, false, err
	}
	var b [timerCheckFields * 8]byte
	n, err := f.ReadAt(b[:], 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if err = errors.Join(err, f.Close()); err != nil || n < len(b) {
		return c, false, err
	}
	at := func(i int) int64 { return int64(binary.BigEndian.Uint64(b[8*i:])) }
	return timerCheck{readMs: at(0), logPos: at(1), next: at(2), version: [3]int64{at(4), at(5), at(6)}}, at(0) > 0, nil
}

// write replaces the file.
func (c *timerCheck) write(fsys vfs.FS, name string) error {
	b := make([]byte, 0, timerCheckBytes)
	for _, x := range [timerCheckFields]int64{c.readMs, c.logPos, c.next, c.next, c.version[0], c.version[1], c.version[2]} {
		b = binary.BigEndian.AppendUint64(b, uint64(x))
	}
	if err := vfs.MkdirAllSync(fsys, path.Dir(name)); err != nil {
		return err
	}
	return vfs.WriteFileAtomic(fsys, name, b[:timerCheckBytes])
}
