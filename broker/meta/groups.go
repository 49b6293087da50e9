// SPDX-License-Identifier: Apache-2.0

package meta

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"

	"rocketd/compat/fastjson"
	"rocketd/protocol"
	"rocketd/store/vfs"
)

const forbiddenMember = "forbiddenTable"

// Groups is subscriptionGroup.json: every consumer group of this broker, and which topics a group
// may not read. Values are immutable: change a copy and Put it. Java: SubscriptionGroupManager.
type Groups struct {
	table      *records[protocol.GroupConfig]
	forbidding sync.Mutex                                  // orders changes of forbidden
	forbidden  atomic.Pointer[map[string]map[string]int32] // group -> topic -> bits; a change swaps the whole table
}

// NewGroups returns the empty table of the given file.
func NewGroups(path string, fsys vfs.FS, clock clockwork.Clock, log zerolog.Logger) *Groups {
	g := &Groups{
		table: newRecords[protocol.GroupConfig](path, "subscriptionGroupTable", fsys, clock, log),
	}
	g.forbidden.Store(&map[string]map[string]int32{})
	g.table.rest[forbiddenMember] = fastjson.Raw("{}")
	return g
}

// Load reads the file. Its errors name the file.
func (g *Groups) Load() error {
	return g.table.load(func(name string, cfg *protocol.GroupConfig) { cfg.GroupName = name }, func(rest map[string]fastjson.Raw) error {
		if rest[forbiddenMember] == nil {
			rest[forbiddenMember] = fastjson.Raw("{}")
		}
		table := map[string]map[string]int32{}
		if err := fastjson.Unmarshal(rest[forbiddenMember], &table); err != nil {
			return err
		}
		g.forbidden.Store(&table)
		return nil
	})
}

// Get returns the group of that name. It takes no lock.
func (g *Groups) Get(name string) (*protocol.GroupConfig, bool) { return g.table.get(name) }

// All returns every group and the version of the table.
func (g *Groups) All() (map[string]*protocol.GroupConfig, protocol.DataVersion) { return g.table.all() }

// ForbiddenTable returns for each group the topics that it may not read. It must not be changed.
func (g *Groups) ForbiddenTable() map[string]map[string]int32 { return *g.forbidden.Load() }

// Forbid sets or clears a bit of what a group may not do with a topic, and returns when it is on disk.
func (g *Groups) Forbid(group, topic string, bit int32, forbidden bool) error {
	g.forbidding.Lock()
	defer g.forbidding.Unlock()
	old := g.ForbiddenTable()
	bits := old[group][topic] &^ bit
	if forbidden {
		bits |= bit
	}
	if bits == old[group][topic] {
		return nil
	}
	topics := maps.Clone(old[group])
	if topics == nil {
		topics = map[string]int32{}
	}
	if topics[topic] = bits; bits == 0 {
		delete(topics, topic)
	}
	table := maps.Clone(old)
	if table[group] = topics; len(topics) == 0 {
		delete(table, group)
	}
	text, err := fastjson.Marshal(table)
	if err != nil {
		return err
	}
	if err := g.table.setRest(forbiddenMember, text); err != nil {
		return err
	}
	g.forbidden.Store(&table)
	return nil
}

// Put adds or replaces a group and returns when it is on disk.
func (g *Groups) Put(cfg *protocol.GroupConfig) error {
	return g.PutAll([]*protocol.GroupConfig{cfg})
}

// PutAll is Put for many groups in one write and one version.
func (g *Groups) PutAll(cfgs []*protocol.GroupConfig) error {
	values := make(map[string]*protocol.GroupConfig, len(cfgs))
	for _, cfg := range cfgs {
		values[cfg.GroupName] = cfg
	}
	return g.table.put(values)
}

// Ensure adds a group unless one of its name exists, and returns when it is on disk.
func (g *Groups) Ensure(cfg *protocol.GroupConfig) (created bool, err error) {
	n, err := g.table.ensure(map[string]*protocol.GroupConfig{cfg.GroupName: cfg})
	return n > 0, err
}

// EnsureAll is Ensure for many in one write.
func (g *Groups) EnsureAll(cfgs []*protocol.GroupConfig) (created int, err error) {
	values := make(map[string]*protocol.GroupConfig, len(cfgs))
	for _, cfg := range cfgs {
		values[cfg.GroupName] = cfg
	}
	return g.table.ensure(values)
}

// Delete removes groups and returns when that is on disk.
func (g *Groups) Delete(names ...string) error { return g.table.remove(names...) }

// Dirty reports whether there are changes that are not on disk, which only a failed write leaves.
func (g *Groups) Dirty() bool { return g.table.dirty() }

// Save writes the table if it is dirty.
func (g *Groups) Save() error { return g.table.save() }
