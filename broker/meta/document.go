// SPDX-License-Identifier: Apache-2.0

package meta

import (
	"bufio"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"

	"rocketd/store/vfs"
)

// Document is one JSON file whose content belongs to another package, such as
// consumerFilter.json and consumerOrderInfo.json. It is kept with the care of the tables:
// replaced whole with its predecessor as .bak, written only when it has changed, set aside when
// it is damaged. It is a Table, so Run can save it.
type Document struct {
	file    file
	commits commits
	print   func(w *bufio.Writer) error
}

// NewDocument returns the document of the given file. print writes its content, from a snapshot
// of its own making; Save calls it without a lock.
func NewDocument(path string, fsys vfs.FS, clock clockwork.Clock, log zerolog.Logger, print func(w *bufio.Writer) error) *Document {
	d := &Document{file: file{path: path, fs: fsys, clock: clock, log: log}, print: print}
	d.commits.init()
	return d
}

// Load hands the newest readable content to decode, which must leave the owner's state as it was
// when it fails. Without a file decode is not called. Errors name the file.
func (d *Document) Load(decode func(text []byte) error) error { return d.file.load(decode) }

// Mark notes a change. The caller holds the lock that print will take.
func (d *Document) Mark() { d.commits.mark() }

// Dirty reports whether there are changes that are not on disk.
func (d *Document) Dirty() bool { return d.commits.dirty() }

// Save writes the document if it has changed.
func (d *Document) Save() error { return d.commits.await(d.commits.newest(), d.write) }

func (d *Document) write() (upTo uint64, err error) {
	upTo = d.commits.newest() // what changes from here on may be in the file, but does not count
	return upTo, d.file.save(d.print)
}
