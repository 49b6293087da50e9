// SPDX-License-Identifier: Apache-2.0

package meta

import (
	"bufio"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"

	"rocketd/compat/fastjson"
	"rocketd/protocol"
	"rocketd/store/vfs"
)

// records is a table of named JSON objects, one file: {"dataVersion":{},"<member>":{name:object}}.
// A change becomes visible to readers once it is on disk, so that nothing is built on an entry
// that a crash would take away. Members of the file and of entries that this program does not
// know are kept as they were read.
type records[T any] struct {
	file    file
	member  string
	known   map[string]bool // member names of T
	commits commits

	live sync.Map // name -> *T, immutable; what is on disk

	mu      sync.Mutex // orders changes; never held while writing
	entries map[string]record[T]
	version protocol.DataVersion
	rest    map[string]fastjson.Raw // members of the file beside dataVersion and member; a change swaps the whole map
	fresh   []string                // names changed since the last write that succeeded
}

// record is one entry with its text in the file, printed once and not at every save.
type record[T any] struct {
	value   *T
	unknown map[string]fastjson.Raw
	text    []byte
}

func newRecords[T any](path, member string, fsys vfs.FS, clock clockwork.Clock, log zerolog.Logger) *records[T] {
	r := &records[T]{
		file:    file{path: path, fs: fsys, clock: clock, log: log},
		member:  member,
		known:   memberNames(reflect.TypeFor[T]()),
		entries: map[string]record[T]{},
		rest:    map[string]fastjson.Raw{},
		version: protocol.DataVersion{TimestampMs: clock.Now().UnixMilli()},
	}
	r.commits.init()
	return r
}

func memberNames(t reflect.Type) map[string]bool {
	names := map[string]bool{}
	for _, field := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "-" {
			names[name] = true
		}
	}
	return names
}

// load reads the file. complete gives an entry its name, which is that in the table; more reads members of the file that
// the owner keeps itself, nil: there are none.
func (r *records[T]) load(complete func(name string, value *T), more func(rest map[string]fastjson.Raw) error) error {
	return r.file.load(func(text []byte) error {
		rest := map[string]fastjson.Raw{}
		if err := fastjson.Unmarshal(text, &rest); err != nil {
			return err
		}
		var version protocol.DataVersion
		if raw, ok := rest["dataVersion"]; ok {
			if err := fastjson.Unmarshal(raw, &version); err != nil {
				return err
			}
		}
		entries, err := r.decodeEntries(rest[r.member], complete)
		if err != nil {
			return err
		}
		delete(rest, "dataVersion")
		delete(rest, r.member)
		if more != nil {
			if err := more(rest); err != nil {
				return err
			}
		}
		r.entries, r.version, r.rest = entries, version, rest
		for name, entry := range entries {
			r.live.Store(name, entry.value)
		}
		return nil
	})
}

func (r *records[T]) decodeEntries(raw fastjson.Raw, complete func(name string, value *T)) (map[string]record[T], error) {
	entries := map[string]record[T]{}
	if raw == nil {
		return entries, nil
	}
	texts := map[string]fastjson.Raw{}
	if err := fastjson.Unmarshal(raw, &texts); err != nil {
		return nil, err
	}
	for name, text := range texts {
		value, members := new(T), map[string]fastjson.Raw{}
		if err := fastjson.Unmarshal(text, value); err != nil {
			return nil, err
		}
		if err := fastjson.Unmarshal(text, &members); err != nil {
			return nil, err
		}
		complete(name, value)
		maps.DeleteFunc(members, func(name string, _ fastjson.Raw) bool { return r.known[name] })
		printed, err := r.print(name, value, members)
		if err != nil {
			return nil, err
		}
		entries[name] = record[T]{value: value, unknown: members, text: printed}
	}
	return entries, nil
}

// print returns an entry as it stands in the file, two levels deep.
func (r *records[T]) print(name string, value *T, unknown map[string]fastjson.Raw) ([]byte, error) {
	var printed any = value
	if len(unknown) > 0 {
		text, err := fastjson.Marshal(value)
		if err != nil {
			return nil, err
		}
		members := map[string]fastjson.Raw{}
		if err := fastjson.Unmarshal(text, &members); err != nil {
			return nil, err
		}
		maps.Copy(members, unknown)
		printed = members
	}
	key, err := fastjson.Marshal(name)
	if err != nil {
		return nil, err
	}
	text, err := indented(printed, "\n\t\t")
	return slices.Concat([]byte("\n\t\t"), key, []byte(":"), text), err
}

func (r *records[T]) get(name string) (*T, bool) {
	value, ok := r.live.Load(name)
	if !ok {
		return nil, false
	}
	return value.(*T), true
}

func (r *records[T]) all() (map[string]*T, protocol.DataVersion) {
	r.mu.Lock()
	defer r.mu.Unlock()
	values := make(map[string]*T, len(r.entries))
	r.live.Range(func(name, value any) bool {
		values[name.(string)] = value.(*T)
		return true
	})
	return values, r.version
}

// put adds or replaces entries and returns when they are on disk.
func (r *records[T]) put(values map[string]*T) error {
	seq, err := r.change(values)
	if err != nil || seq == 0 {
		return err
	}
	return r.commits.await(seq, r.write)
}

func (r *records[T]) change(values map[string]*T) (seq uint64, err error) {
	if len(values) == 0 {
		return 0, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	changed := make(map[string]record[T], len(values))
	for name, value := range values {
		unknown := r.entries[name].unknown
		text, err := r.print(name, value, unknown)
		if err != nil {
			return 0, err
		}
		changed[name] = record[T]{value: value, unknown: unknown, text: text}
	}
	for name, entry := range changed {
		r.entries[name] = entry
		r.fresh = append(r.fresh, name)
	}
	return r.bump(), nil
}

// ensure adds those of the entries that do not exist, and returns when all are on disk.
func (r *records[T]) ensure(values map[string]*T) (created int, err error) {
	missing := map[string]*T{}
	for name, value := range values {
		if _, ok := r.live.Load(name); !ok {
			missing[name] = value
		}
	}
	if len(missing) == 0 {
		return 0, nil
	}
	created, seq, err := r.add(missing)
	if err != nil {
		return 0, err
	}
	if err := r.commits.await(seq, r.write); err != nil {
		return 0, err
	}
	return created, nil
}

// add returns the number of the newest change when all entries exist already: they are on their
// way to the disk by somebody else's doing.
func (r *records[T]) add(values map[string]*T) (created int, seq uint64, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	added := map[string]record[T]{}
	for name, value := range values {
		if _, pending := r.entries[name]; pending {
			continue
		}
		text, err := r.print(name, value, nil)
		if err != nil {
			return 0, 0, err
		}
		added[name] = record[T]{value: value, text: text}
	}
	if len(added) == 0 {
		return 0, r.commits.newest(), nil
	}
	for name, entry := range added {
		r.entries[name] = entry
		r.fresh = append(r.fresh, name)
	}
	return len(added), r.bump(), nil
}

func (r *records[T]) remove(names ...string) error {
	r.mu.Lock()
	var seq uint64
	for _, name := range names {
		if _, ok := r.entries[name]; ok {
			delete(r.entries, name)
			r.fresh = append(r.fresh, name)
			seq = 1
		}
	}
	if seq != 0 {
		seq = r.bump()
	}
	r.mu.Unlock()
	if seq == 0 {
		return nil
	}
	return r.commits.await(seq, r.write)
}

// setRest replaces a member of the file that is not an entry, and returns when it is on disk.
func (r *records[T]) setRest(name string, text fastjson.Raw) error {
	r.mu.Lock()
	rest := maps.Clone(r.rest) // a write in progress reads the old one
	rest[name] = text
	r.rest = rest
	seq := r.bump()
	r.mu.Unlock()
	return r.commits.await(seq, r.write)
}

// bump gives the table its next version. r.mu is held.
func (r *records[T]) bump() uint64 {
	r.version.Counter++
	r.version.TimestampMs = r.file.clock.Now().UnixMilli()
	return r.commits.mark()
}

func (r *records[T]) dirty() bool { return r.commits.dirty() }

// save writes the table if it changed since it was last written.
func (r *records[T]) save() error { return r.commits.await(r.commits.newest(), r.write) }

// write prints the table as it is now and lets readers see what was written.
func (r *records[T]) write() (upTo uint64, err error) {
	r.mu.Lock()
	upTo = r.commits.newest()
	members, version := r.rest, r.version
	texts := make(map[string][]byte, len(r.entries))
	for name, entry := range r.entries {
		texts[name] = entry.text
	}
	fresh := make(map[string]*T, len(r.fresh))
	for _, name := range r.fresh {
		fresh[name] = r.entries[name].value
	}
	r.fresh = nil
	r.mu.Unlock()

	err = r.file.save(func(w *bufio.Writer) error {
		return writeObject(w, version, members, member{name: r.member, print: func(w *bufio.Writer) error {
			return writeEntries(w, texts)
		}})
	})

	r.mu.Lock()
	defer r.mu.Unlock()
	for name, value := range fresh {
		switch {
		case err != nil:
			r.fresh = append(r.fresh, name)
		case value == nil:
			r.live.Delete(name)
		default:
			r.live.Store(name, value)
		}
	}
	return upTo, err
}

// writeEntries prints an object of entries in the order of their names.
func writeEntries(w *bufio.Writer, texts map[string][]byte) error {
	separator := "{"
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		w.WriteString(separator)
		w.Write(texts[name])
		separator = ","
	}
	if len(texts) == 0 {
		_, err := w.WriteString("{}")
		return err
	}
	_, err := w.WriteString("\n\t}")
	return err
}
