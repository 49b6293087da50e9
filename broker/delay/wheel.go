// SPDX-License-Identifier: Apache-2.0

// wheel.go: the timer wheel. A slot for each unit of time says where in the timer log the messages are that are due then.
// Those that wait are in memory; the file gets what has changed at each checkpoint, only after the units that it points
// at are durable. docs/format/timer.md. Java: TimerWheel.

package delay

import (
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"sync"

	"rocketd/store/vfs"
)

const (
	wheelSlots     = 2 * 7 * 24 * 60 * 60
	wheelSlotBytes = 32
	wheelBytes     = wheelSlots * wheelSlotBytes
	wheelReadBytes = 1 << 20
)

// slot is where the units of one time are.
type slot struct {
	first, last int64 // positions in the timer log; the way leads from last to first
	num         int32 // messages, those that were taken back not counted
}

// wheel is the slots with waiting messages, by time: milliseconds divided by the precision. One goroutine changes it.
type wheel struct {
	fs          vfs.FS
	name        string
	precisionMs int64
	file        vfs.File // nil: not opened
	dirty       map[int64]struct{}

	mu    sync.Mutex
	slots map[int64]*slot
	order times // of the slots
	total int64 // messages in all of them
}

func newWheel(fsys vfs.FS, name string, precisionMs int64) *wheel {
	return &wheel{fs: fsys, name: name, precisionMs: precisionMs, dirty: map[int64]struct{}{}, slots: map[int64]*slot{}}
}

// last is the position of the last unit of a time, -1 when there is none.
func (w *wheel) last(dueMs int64) int64 {
	if s := w.slots[dueMs/w.precisionMs]; s != nil {
		return s.last
	}
	return -1
}

// add enters a unit. One that a slot knows already, as after a restart, changes nothing.
func (w *wheel) add(u *unit, pos int64) {
	time := u.dueMs() / w.precisionMs
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.slots[time]
	if s == nil {
		s = w.insert(time, slot{first: pos, last: -1})
	}
	if s.last >= pos {
		return
	}
	n := int32(1)
	if u.magic&unitDelete != 0 {
		n = -1
	}
	s.last = pos
	s.num += n
	w.total += int64(n)
	w.dirty[time] = struct{}{}
}

func (w *wheel) insert(time int64, s slot) *slot {
	w.slots[time] = &s
	heap.Push(&w.order, time)
	w.total += int64(s.num)
	return &s
}

// next is the earliest time that messages wait for.
func (w *wheel) next() (dueMs int64, ok bool) {
	if len(w.order) == 0 {
		return 0, false
	}
	return w.order[0] * w.precisionMs, true
}

// done takes the earliest slot away.
func (w *wheel) done() {
	w.mu.Lock()
	defer w.mu.Unlock()
	time := w.order[0]
	heap.Pop(&w.order)
	w.total -= int64(w.slots[time].num)
	delete(w.slots, time)
	delete(w.dirty, time)
}

// oldest is the first position of the timer log that a slot leads to; otherwise it is the given one.
func (w *wheel) oldest(otherwise int64) int64 {
	for _, s := range w.slots {
		otherwise = min(otherwise, s.first)
	}
	return otherwise
}

// waiting is how many messages wait for a time, and in all.
func (w *wheel) waiting(dueMs int64) (then, all int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.slots[dueMs/w.precisionMs]; s != nil {
		then = int64(s.num)
	}
	return then, w.total
}

// load reads the slots of times from one on, and says whether they are to be trusted: the file must be whole and the
// newest. With timerWheelSnapshotFlush=true Java keeps the wheel in files with a suffix instead.
func (w *wheel) load(fromMs int64) (trusted bool, err error) {
	infos, err := w.fs.List(path.Dir(w.name))
	if err != nil {
		return false, err
	}
	for _, info := range infos {
		trusted = trusted || info.Name == path.Base(w.name) && info.Size == wheelBytes
		if strings.HasPrefix(info.Name, path.Base(w.name)+".") {
			return false, nil
		}
	}
	if !trusted {
		return false, nil
	}
	if err := w.openFile(); err != nil {
		return false, err
	}
	b := make([]byte, wheelReadBytes)
	for at := int64(0); at < wheelBytes; at += int64(len(b)) {
		n := min(int64(len(b)), wheelBytes-at)
		if _, err := w.file.ReadAt(b[:n], at); err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		for i := int64(0); i < n; i += wheelSlotBytes {
			w.take(b[i:i+wheelSlotBytes], fromMs)
		}
	}
	return true, nil
}

func (w *wheel) take(b []byte, fromMs int64) {
	time := int64(binary.BigEndian.Uint64(b))
	if time <= 0 || time*w.precisionMs < fromMs {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.insert(time, slot{int64(binary.BigEndian.Uint64(b[8:])), int64(binary.BigEndian.Uint64(b[16:])), int32(binary.BigEndian.Uint32(b[24:]))})
}

// reset forgets all slots, in memory.
func (w *wheel) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.slots)
	clear(w.dirty)
	w.order, w.total = w.order[:0], 0
}

// openFile opens the file, or makes one without slots.
func (w *wheel) openFile() error {
	if w.file != nil {
		return nil
	}
	f, err := w.fs.Open(w.name, vfs.Create)
	if err != nil {
		return err
	}
	size, err := f.Size()
	if err == nil && size != wheelBytes {
		if err = f.Truncate(0); err == nil {
			err = f.Truncate(wheelBytes)
		}
		if err == nil {
			err = w.fs.SyncDir(path.Dir(w.name))
		}
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	w.file = f
	return nil
}

// save writes the slots that have changed, and makes them durable.
func (w *wheel) save() error {
	if len(w.dirty) == 0 {
		return nil
	}
	if err := w.openFile(); err != nil {
		return err
	}
	changed := make([]int64, 0, len(w.dirty))
	for time := range w.dirty {
		changed = append(changed, time)
	}
	slices.SortFunc(changed, func(a, b int64) int { return int(a%wheelSlots - b%wheelSlots) })
	for len(changed) > 0 {
		n := 1
		for n < len(changed) && changed[n]%wheelSlots == changed[n-1]%wheelSlots+1 {
			n++
		}
		if err := w.write(changed[:n]); err != nil {
			return err
		}
		changed = changed[n:]
	}
	if err := w.file.Sync(); err != nil {
		return fmt.Errorf("%s: %w: %w", w.name, errSync, err)
	}
	clear(w.dirty)
	return nil
}

// write writes slots that lie side by side.
func (w *wheel) write(run []int64) error {
	var b []byte
	for _, time := range run {
		s := w.slots[time]
		b = binary.BigEndian.AppendUint64(b, uint64(time))
		b = binary.BigEndian.AppendUint64(b, uint64(s.first))
		b = binary.BigEndian.AppendUint64(b, uint64(s.last))
		b = binary.BigEndian.AppendUint32(b, uint32(s.num))
		b = binary.BigEndian.AppendUint32(b, 0)
	}
	_, err := w.file.WriteAt(b, run[0]%wheelSlots*wheelSlotBytes)
	return err
}

func (w *wheel) close() error {
	if w.file == nil {
		return nil
	}
	return w.file.Close()
}

// times is a heap, the earliest first.
type times []int64

func (t times) Len() int           { return len(t) }
func (t times) Less(i, j int) bool { return t[i] < t[j] }
func (t times) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }
func (t *times) Push(x any)        { *t = append(*t, x.(int64)) }
func (t *times) Pop() any {
	last := len(*t) - 1
	x := (*t)[last]
	*t = (*t)[:last]
	return x
}
