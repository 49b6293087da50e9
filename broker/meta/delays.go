// SPDX-License-Identifier: Apache-2.0

package meta

import (
	"bufio"
	"maps"
	"sync"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"

	"rocketd/compat/fastjson"
	"rocketd/protocol"
	"rocketd/store/vfs"
)

// delaysPerVersion is after how many updates the table gets a new version (Java's
// delayOffsetUpdateVersionStep).
const delaysPerVersion = 200

// Delays is delayOffset.json: how far the queue of each delay level has been delivered. It is
// written some seconds behind; a crash makes deliveries repeat, as with Java.
// Java: ScheduleMessageService.
type Delays struct {
	file    file
	commits commits

	mu      sync.Mutex
	offsets map[int32]int64 // level -> next offset of its queue
	version protocol.DataVersion
	rest    map[string]fastjson.Raw // unknown members of the file; set by Load, then only read
	updates int64
}

// NewDelays returns the empty table of the given file.
func NewDelays(path string, fsys vfs.FS, clock clockwork.Clock, log zerolog.Logger) *Delays {
	d := &Delays{
		file:    file{path: path, fs: fsys, clock: clock, log: log},
		offsets: map[int32]int64{},
		version: protocol.DataVersion{TimestampMs: clock.Now().UnixMilli()},
	}
	d.commits.init()
	return d
}

// Load reads the file. Its errors name the file.
func (d *Delays) Load() error {
	return d.file.load(func(text []byte) error {
		content := struct {
			DataVersion protocol.DataVersion `json:"dataVersion"`
			OffsetTable map[int32]int64      `json:"offsetTable"`
		}{OffsetTable: map[int32]int64{}}
		if err := fastjson.Unmarshal(text, &content); err != nil {
			return err
		}
		rest := map[string]fastjson.Raw{}
		if err := fastjson.Unmarshal(text, &rest); err != nil {
			return err
		}
		delete(rest, "dataVersion")
		delete(rest, "offsetTable")
		d.version, d.offsets, d.rest = content.DataVersion, content.OffsetTable, rest
		return nil
	})
}

// Get returns the next offset to deliver of a level.
func (d *Delays) Get(level int32) (int64, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	offset, ok := d.offsets[level]
	return offset, ok
}

// Put stores the next offset to deliver of a level.
func (d *Delays) Put(level int32, offset int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if old, ok := d.offsets[level]; ok && old == offset {
		return
	}
	d.offsets[level] = offset
	if d.updates++; d.updates%delaysPerVersion == 0 {
		d.version.Counter++
		d.version.TimestampMs = d.file.clock.Now().UnixMilli()
	}
	d.commits.mark()
}

// All returns the next offset of every level.
func (d *Delays) All() map[int32]int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.offsets)
}

// Dirty reports whether there are changes that are not on disk.
func (d *Delays) Dirty() bool { return d.commits.dirty() }

// Save writes the table if it is dirty.
func (d *Delays) Save() error { return d.commits.await(d.commits.newest(), d.write) }

func (d *Delays) write() (upTo uint64, err error) {
	d.mu.Lock()
	upTo = d.commits.newest()
	version, offsets := d.version, maps.Clone(d.offsets)
	d.mu.Unlock()
	err = d.file.save(func(w *bufio.Writer) error {
		text, err := indented(offsets, "\n\t")
		if err != nil {
			return err
		}
		return writeObject(w, version, d.rest, member{name: "offsetTable", text: text})
	})
	return upTo, err
}
