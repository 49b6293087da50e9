// SPDX-License-Identifier: Apache-2.0

package meta

import (
	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"

	"rocketd/protocol"
	"rocketd/store/vfs"
)

// Topics is topics.json: every topic of this broker. Values are immutable: change a copy and Put it.
// Java: TopicConfigManager.
type Topics struct {
	table *records[protocol.TopicConfig]
}

// NewTopics returns the empty table of the given file.
func NewTopics(path string, fsys vfs.FS, clock clockwork.Clock, log zerolog.Logger) *Topics {
	return &Topics{table: newRecords[protocol.TopicConfig](path, "topicConfigTable", fsys, clock, log)}
}

// Load reads the file. Its errors name the file.
func (t *Topics) Load() error {
	return t.table.load(func(name string, cfg *protocol.TopicConfig) { cfg.TopicName = name }, nil)
}

// Get returns the topic of that name. It takes no lock.
func (t *Topics) Get(name string) (*protocol.TopicConfig, bool) { return t.table.get(name) }

// All returns every topic and the version of the table.
func (t *Topics) All() (map[string]*protocol.TopicConfig, protocol.DataVersion) { return t.table.all() }

// Put adds or replaces a topic and returns when it is on disk.
func (t *Topics) Put(cfg *protocol.TopicConfig) error {
	return t.PutAll([]*protocol.TopicConfig{cfg})
}

// PutAll is Put for many topics in one write and one version.
func (t *Topics) PutAll(cfgs []*protocol.TopicConfig) error {
	values := make(map[string]*protocol.TopicConfig, len(cfgs))
	for _, cfg := range cfgs {
		values[cfg.TopicName] = cfg
	}
	return t.table.put(values)
}

// Ensure adds a topic unless one of its name exists, and returns when it is on disk.
func (t *Topics) Ensure(cfg *protocol.TopicConfig) (created bool, err error) {
	n, err := t.table.ensure(map[string]*protocol.TopicConfig{cfg.TopicName: cfg})
	return n > 0, err
}

// EnsureAll is Ensure for many in one write.
func (t *Topics) EnsureAll(cfgs []*protocol.TopicConfig) (created int, err error) {
	values := make(map[string]*protocol.TopicConfig, len(cfgs))
	for _, cfg := range cfgs {
		values[cfg.TopicName] = cfg
	}
	return t.table.ensure(values)
}

// Delete removes topics and returns when that is on disk.
func (t *Topics) Delete(names ...string) error { return t.table.remove(names...) }

// Dirty reports whether there are changes that are not on disk, which only a failed write leaves.
func (t *Topics) Dirty() bool { return t.table.dirty() }

// Save writes the table if it is dirty.
func (t *Topics) Save() error { return t.table.save() }
