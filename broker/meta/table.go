// SPDX-License-Identifier: Apache-2.0

// Package meta keeps the broker's small tables (topics, groups, offsets) in memory and in JSON
// files that a Java broker can read and write too.
//
// This file: what the tables share. How a file is read and replaced, which copy is believed, and
// how changes that wait together share one write. Java: ConfigManager.
// Deviation: a damaged file is set aside under a new name, where Java deletes it.
package meta

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"

	"rocketd/compat/fastjson"
	"rocketd/protocol"
	"rocketd/store/vfs"
)

const (
	backupSuffix  = ".bak"
	writingSuffix = ".tmp"
	damagedSuffix = ".damaged-"

	// maxFileBytes bounds what is read into memory from one table's file.
	maxFileBytes = 1 << 30
)

// file is one table's place on disk: the file itself and, beside it, its predecessor (.bak).
type file struct {
	path  string
	fs    vfs.FS
	clock clockwork.Clock
	log   zerolog.Logger
	saved bool // a save has looked at the backup, or written it
}

// load hands the newest readable content to decode, which must leave the table as it was when it
// fails. No file at all is a new table. When neither copy can be read, both stay as they are, so
// that the next start is refused as well.
func (f *file) load(decode func(text []byte) error) error {
	mainErr := f.loadFrom(f.path, decode)
	if mainErr == nil {
		return nil
	}
	backupErr := f.loadFrom(f.path+backupSuffix, decode)
	missing, noBackup := errors.Is(mainErr, fs.ErrNotExist), errors.Is(backupErr, fs.ErrNotExist)
	switch {
	case missing && noBackup:
		return nil
	case missing && backupErr == nil:
		f.log.Warn().Str("file", f.path).Msg("table file is missing, its backup is used")
		return nil
	case backupErr == nil, noBackup && errors.Is(mainErr, errEmptyFile):
		return f.setAside(f.path, mainErr)
	default:
		return fmt.Errorf("table file %s cannot be read (%w), and neither can its backup (%w): put one of them back, or take both away to begin with an empty table",
			f.path, mainErr, backupErr)
	}
}

// errEmptyFile is what a crash leaves of a file that was being created.
var errEmptyFile = errors.New("file is empty")

// errNoObject is for a file that is perhaps JSON, but no table.
var errNoObject = errors.New("the file is no JSON object")

func (f *file) loadFrom(path string, decode func(text []byte) error) error {
	info, err := f.fs.Stat(path)
	switch {
	case err != nil:
		return err
	case info.Size == 0:
		return errEmptyFile
	case info.Size > maxFileBytes:
		return fmt.Errorf("%d bytes are more than a table's file may have", info.Size)
	}
	text, err := vfs.ReadFile(f.fs, path)
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		return errNoObject
	}
	return decode(text)
}

// setAside gives a damaged file a name under which it stays for whoever wants to look at it.
func (f *file) setAside(path string, cause error) error {
	aside := path + damagedSuffix + strconv.FormatInt(f.clock.Now().UnixMilli(), 10)
	f.log.Warn().Str("file", path).Str("kept", aside).Err(cause).Msg("table file is damaged and was set aside, the other copy is used")
	if err := f.fs.Rename(path, aside); err != nil {
		return fmt.Errorf("set aside damaged table file %s: %w", path, err)
	}
	return f.fs.SyncDir(filepath.Dir(path))
}

// keepDamagedBackup sees to it that the first save does not replace a backup that somebody may want to look at.
func (f *file) keepDamagedBackup() error {
	if f.saved {
		return nil
	}
	backup := f.path + backupSuffix
	err := f.loadFrom(backup, func(text []byte) error {
		var members map[string]fastjson.Raw
		return fastjson.Unmarshal(text, &members)
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		if err := f.setAside(backup, err); err != nil {
			return err
		}
	}
	f.saved = true
	return nil
}

// save replaces the file by what write prints. At every moment the file or its backup holds
// either the old content or the new one in whole.
func (f *file) save(write func(w *bufio.Writer) error) error {
	if err := f.replace(write); err != nil {
		return fmt.Errorf("save table file %s: %w", f.path, err)
	}
	return nil
}

func (f *file) replace(write func(w *bufio.Writer) error) error {
	dir := filepath.Dir(f.path)
	if err := vfs.MkdirAllSync(f.fs, dir); err != nil {
		return err
	}
	next := f.path + writingSuffix
	if err := writeFile(f.fs, next, write); err != nil {
		return err
	}
	if err := f.keepDamagedBackup(); err != nil {
		return err
	}
	if err := f.fs.Rename(f.path, f.path+backupSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := f.fs.Rename(next, f.path); err != nil {
		return err
	}
	return f.fs.SyncDir(dir)
}

func writeFile(fsys vfs.FS, path string, write func(w *bufio.Writer) error) (err error) {
	out, err := fsys.Open(path, vfs.Truncate)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	w := bufio.NewWriterSize(&appender{to: out}, 64<<10)
	if err := write(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return out.Sync()
}

// appender writes a file from its start to its end.
type appender struct {
	to interface {
		WriteAt(p []byte, off int64) (int, error)
	}
	end int64
}

func (a *appender) Write(p []byte) (int, error) {
	n, err := a.to.WriteAt(p, a.end)
	a.end += int64(n)
	return n, err
}

// commits lets changes that wait together share one write (group commit). Changes are numbered;
// whoever finds nobody writing writes for all up to the newest.
type commits struct {
	mu      sync.Mutex
	done    sync.Cond
	changed uint64 // number of the newest change
	saved   uint64 // changes up to here are on disk
	failed  uint64 // the write that covered changes up to here failed with err ...
	err     error  // ... this
	writing bool
}

func (c *commits) init() { c.done.L = &c.mu }

// mark numbers a change. Its caller still holds the lock under which the table was changed, so
// that a snapshot taken later has the change in it.
func (c *commits) mark() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changed++
	return c.changed
}

func (c *commits) newest() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

func (c *commits) dirty() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.saved < c.changed
}

// await returns when change seq is on disk, or when the write that had it failed. write returns
// the number of the newest change that its snapshot has.
func (c *commits) await(seq uint64, write func() (uint64, error)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	tried := false
	for c.saved < seq {
		switch {
		case c.failed >= seq && tried:
			return c.err
		case c.writing:
			c.done.Wait()
			tried = tried || c.failed >= seq
		default:
			tried = true
			c.writing = true
			c.mu.Unlock()
			upTo, err := write()
			c.mu.Lock()
			c.writing = false
			if err == nil {
				c.saved = max(c.saved, upTo)
			} else {
				c.failed, c.err = upTo, err
			}
			c.done.Broadcast()
		}
	}
	return nil
}

// member is one member of the object that a file is.
type member struct {
	name  string
	text  []byte
	print func(w *bufio.Writer) error // for what is too large to be printed in memory
}

// writeObject prints a file: its version, the members that this program does not know, and those
// that it does, in alphabetical order.
func writeObject(w *bufio.Writer, version protocol.DataVersion, unknown map[string]fastjson.Raw, known ...member) error {
	text, err := indented(version, "\n\t")
	if err != nil {
		return err
	}
	members := append(known, member{name: "dataVersion", text: text})
	for name, text := range unknown {
		members = append(members, member{name: name, text: text})
	}
	slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	separator := "{\n\t"
	for _, m := range members {
		key, err := fastjson.Marshal(m.name)
		if err != nil {
			return err
		}
		w.WriteString(separator)
		w.Write(key)
		w.WriteByte(':')
		if m.print == nil {
			w.Write(m.text)
		} else if err := m.print(w); err != nil {
			return err
		}
		separator = ",\n\t"
	}
	_, err = w.WriteString("\n}")
	return err
}

// indented prints v as it stands inside a file, newline being a line break and what precedes each
// line there.
func indented(v any, newline string) ([]byte, error) {
	text, err := fastjson.MarshalPretty(v)
	return bytes.ReplaceAll(text, []byte("\n"), []byte(newline)), err
}
