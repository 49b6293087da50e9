// SPDX-License-Identifier: Apache-2.0

// timerlog.go: the timer log. For each message that waits it has a unit, which also says where the unit before it is that
// is due at the same time: the wheel knows the last one. Units are gathered by append and written by flush.
// docs/format/timer.md. Java: TimerLog.

package delay

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"

	"rocketd/store/vfs"
)

const (
	timerUnitBytes  = 52
	timerBlankBytes = 16         // least room that a file's last unit leaves: size, 0, blankMagic
	blankMagic      = 0xCBD43194 // of the rest of a file
	readAround      = 64 << 10   // bytes read at once: units of one time lie near each other

	unitDefault int32 = 1
	unitRoll    int32 = 2 // due beyond the wheel's reach: is put in again when it is due
	unitDelete  int32 = 4 // takes back another message of its time
)

// unit is a waiting message as the timer log knows it.
type unit struct {
	prev      int64 // position of the unit before it of the same time, -1: none
	magic     int32
	writeMs   int64 // when it was entered, in whole units of the precision
	delayMs   int32 // from then on
	phyOffset int64
	size      int32
	topicHash int32 // of the real topic
}

func (u *unit) dueMs() int64 { return u.writeMs + int64(u.delayMs) }

func (u *unit) appendTo(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, timerUnitBytes)
	b = binary.BigEndian.AppendUint64(b, uint64(u.prev))
	b = binary.BigEndian.AppendUint32(b, uint32(u.magic))
	b = binary.BigEndian.AppendUint64(b, uint64(u.writeMs))
	b = binary.BigEndian.AppendUint32(b, uint32(u.delayMs))
	b = binary.BigEndian.AppendUint64(b, uint64(u.phyOffset))
	b = binary.BigEndian.AppendUint32(b, uint32(u.size))
	b = binary.BigEndian.AppendUint32(b, uint32(u.topicHash))
	return binary.BigEndian.AppendUint64(b, 0)
}

// parseUnit reads the unit at a position; false when there is none.
func parseUnit(b []byte, pos int64) (u unit, ok bool) {
	if len(b) < timerUnitBytes || binary.BigEndian.Uint32(b) != timerUnitBytes {
		return u, false
	}
	u = unit{
		prev: int64(binary.BigEndian.Uint64(b[4:])), magic: int32(binary.BigEndian.Uint32(b[12:])),
		writeMs: int64(binary.BigEndian.Uint64(b[16:])), delayMs: int32(binary.BigEndian.Uint32(b[24:])),
		phyOffset: int64(binary.BigEndian.Uint64(b[28:])), size: int32(binary.BigEndian.Uint32(b[36:])),
		topicHash: int32(binary.BigEndian.Uint32(b[40:])),
	}
	sane := u.magic&unitDefault != 0 && u.magic&^(unitDefault|unitRoll|unitDelete) == 0 &&
		u.prev >= -1 && u.prev < pos && u.writeMs > 0 && u.delayMs >= 0 && u.phyOffset >= 0 && u.size > 0
	return u, sane
}

// timerLog is the files of units. One goroutine uses it.
type timerLog struct {
	fs       vfs.FS
	dir      string
	fileSize int64
	bases    []int64 // where files begin, ascending
	open     map[int64]vfs.File
	tail     int64  // where the next unit goes
	buffer   []byte // units before tail that are not written yet

	around    []byte // what was read last
	aroundPos int64
}

var errNoUnit = errors.New("no unit is there")

// openTimerLog looks at what is there. Files keep the size that they have; fileSize is that of the first one.
func openTimerLog(fsys vfs.FS, dir string, fileSize int64) (*timerLog, error) {
	l := &timerLog{fs: fsys, dir: dir, fileSize: fileSize, open: map[int64]vfs.File{}}
	exists, err := vfs.Exists(fsys, dir)
	if err != nil || !exists {
		return l, err
	}
	infos, err := fsys.List(dir)
	if err != nil {
		return nil, err
	}
	infos = slices.DeleteFunc(infos, func(info vfs.Info) bool {
		_, err := strconv.ParseUint(info.Name, 10, 63)
		return err != nil || info.Dir || len(info.Name) != 20
	})
	if len(infos) > 0 && infos[0].Size >= LeastTimerLogBytes {
		l.fileSize = infos[0].Size
	}
	for i, info := range infos {
		base, _ := strconv.ParseInt(info.Name, 10, 64) // it was parsed above
		torn := i == len(infos)-1 && info.Size < l.fileSize
		if info.Size != l.fileSize && !torn || i > 0 && base != l.bases[i-1]+l.fileSize || base%l.fileSize != 0 {
			return nil, fmt.Errorf("%s has %d bytes, %d are expected: it does not belong to the files beside it", path.Join(dir, info.Name), info.Size, l.fileSize)
		}
		l.bases = append(l.bases, base)
		if torn {
			if err := l.grow(base); err != nil {
				return nil, err
			}
		}
	}
	l.tail = l.begin()
	return l, nil
}

// grow gives a file its size that lost the power when it was made.
func (l *timerLog) grow(base int64) error {
	f, err := l.file(base)
	if err != nil {
		return err
	}
	return f.Truncate(l.fileSize)
}

// begin is the position of the oldest unit that is kept.
func (l *timerLog) begin() int64 {
	if len(l.bases) == 0 {
		return 0
	}
	return l.bases[0]
}

// end is the end of the last file.
func (l *timerLog) end() int64 {
	if len(l.bases) == 0 {
		return 0
	}
	return l.bases[len(l.bases)-1] + l.fileSize
}

func (l *timerLog) name(base int64) string { return path.Join(l.dir, fmt.Sprintf("%020d", base)) }

// file is the open file of a position.
func (l *timerLog) file(base int64) (vfs.File, error) {
	if f := l.open[base]; f != nil {
		return f, nil
	}
	f, err := l.fs.Open(l.name(base), vfs.ReadWrite)
	if err == nil {
		l.open[base] = f
	}
	return f, err
}

// append adds a unit behind the others and returns its position.
func (l *timerLog) append(u *unit) (pos int64, err error) {
	if len(l.bases) == 0 || l.tail == l.end() {
		if err := l.addFile(); err != nil {
			return 0, err
		}
	}
	if room := l.end() - l.tail; room < timerUnitBytes+timerBlankBytes {
		if err := l.fill(room); err != nil {
			return 0, err
		}
		return l.append(u)
	}
	pos = l.tail
	l.buffer = u.appendTo(l.buffer)
	l.tail += timerUnitBytes
	return pos, nil
}

// fill ends a file that has no room for a unit any more.
func (l *timerLog) fill(room int64) error {
	blank := binary.BigEndian.AppendUint32(l.buffer, uint32(room))
	blank = binary.BigEndian.AppendUint64(blank, 0)
	l.buffer = binary.BigEndian.AppendUint32(blank, blankMagic)
	l.tail += timerBlankBytes
	if err := l.flush(); err != nil {
		l.tail -= timerBlankBytes
		l.buffer = l.buffer[:len(l.buffer)-timerBlankBytes]
		return err
	}
	l.tail = l.end()
	return nil
}

func (l *timerLog) addFile() error {
	if err := vfs.MkdirAllSync(l.fs, l.dir); err != nil {
		return err
	}
	base := l.tail
	f, err := l.fs.Open(l.name(base), vfs.Create)
	if err != nil {
		return err
	}
	if err = f.Truncate(l.fileSize); err == nil {
		err = f.Sync() // no file has another size than the last one, whatever happens
	}
	if err == nil {
		err = l.fs.SyncDir(l.dir)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	l.open[base] = f
	l.bases = append(l.bases, base)
	return nil
}

// flush writes what has been appended. After an error it can be tried again.
func (l *timerLog) flush() error {
	if len(l.buffer) == 0 {
		return nil
	}
	pos := l.tail - int64(len(l.buffer))
	base := l.bases[len(l.bases)-1]
	f, err := l.file(base)
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(l.buffer, pos-base); err != nil {
		return err
	}
	l.buffer = l.buffer[:0]
	return nil
}

// sync makes all units from a position on durable.
func (l *timerLog) sync(from int64) error {
	for _, base := range l.bases {
		if base+l.fileSize <= from {
			continue
		}
		f, err := l.file(base)
		if err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return fmt.Errorf("%s: %w: %w", l.name(base), errSync, err)
		}
	}
	return nil
}

// read returns a unit that has been flushed.
func (l *timerLog) read(pos int64) (unit, error) {
	if !l.holds(pos) {
		return unit{}, fmt.Errorf("timer log position %d: %w", pos, errNoUnit)
	}
	if pos < l.aroundPos || pos+timerUnitBytes > l.aroundPos+int64(len(l.around)) {
		base := pos - pos%l.fileSize
		first := max(base, pos+timerUnitBytes-readAround) // chains are walked backwards
		if err := l.readAt(first, int(pos+timerUnitBytes-first)); err != nil {
			return unit{}, err
		}
	}
	u, ok := parseUnit(l.around[pos-l.aroundPos:], pos)
	if !ok {
		return unit{}, fmt.Errorf("timer log position %d: %w", pos, errNoUnit)
	}
	return u, nil
}

// holds says whether a unit can stand at a position.
func (l *timerLog) holds(pos int64) bool {
	return pos >= l.begin() && pos+timerUnitBytes <= l.tail && pos%l.fileSize%timerUnitBytes == 0
}

func (l *timerLog) readAt(pos int64, n int) error {
	f, err := l.file(pos - pos%l.fileSize)
	if err != nil {
		return err
	}
	l.around = slices.Grow(l.around[:0], n)[:n]
	l.aroundPos = pos
	if _, err := f.ReadAt(l.around, pos%l.fileSize); err != nil && !errors.Is(err, io.EOF) {
		l.around = l.around[:0]
		return err
	}
	return nil
}

// walk hands the units from a position on to fn, until one is none or fn returns false. It returns where it stopped.
func (l *timerLog) walk(pos int64, fn func(pos int64, u *unit) bool) (end int64, err error) {
	defer func() { l.around = l.around[:0] }() // it reaches behind the tail
	for ; pos < l.end(); pos += timerUnitBytes {
		at := pos % l.fileSize
		room := l.fileSize - at
		if room < timerUnitBytes+timerBlankBytes {
			pos += room - timerUnitBytes // the next file
			continue
		}
		if pos < l.aroundPos || pos+timerUnitBytes > l.aroundPos+int64(len(l.around)) {
			if err := l.readAt(pos, int(min(room, readAround/timerUnitBytes*timerUnitBytes))); err != nil {
				return pos, err
			}
		}
		u, ok := parseUnit(l.around[pos-l.aroundPos:], pos)
		if !ok || !fn(pos, &u) {
			return pos, nil
		}
	}
	return pos, nil
}

// cut makes a position the tail: what stands behind it is gone, and not on the disk either.
func (l *timerLog) cut(tail int64) error {
	l.tail = tail
	for len(l.bases) > 0 {
		base := l.bases[len(l.bases)-1]
		f, err := l.file(base)
		if err != nil {
			return err
		}
		if base < tail || base == l.bases[0] {
			if tail == base+l.fileSize {
				return nil
			}
			if err := f.Truncate(tail - base); err != nil {
				return err
			}
			if err := f.Truncate(l.fileSize); err != nil {
				return err
			}
			return f.Sync()
		}
		if err := l.remove(len(l.bases) - 1); err != nil {
			return err
		}
	}
	return nil
}

// forget removes the files with nothing but units before a position. The last file stays.
func (l *timerLog) forget(before int64) error {
	for len(l.bases) > 1 && l.bases[0]+l.fileSize <= before {
		if err := l.remove(0); err != nil {
			return err
		}
	}
	return nil
}

func (l *timerLog) remove(i int) error {
	base := l.bases[i]
	if f := l.open[base]; f != nil {
		delete(l.open, base)
		if err := f.Close(); err != nil {
			return err
		}
	}
	if err := l.fs.Remove(l.name(base)); err != nil {
		return err
	}
	l.bases = slices.Delete(l.bases, i, i+1)
	return l.fs.SyncDir(l.dir)
}

func (l *timerLog) close() error {
	var err error
	for base, f := range l.open {
		err = errors.Join(err, f.Close())
		delete(l.open, base)
	}
	return err
}
