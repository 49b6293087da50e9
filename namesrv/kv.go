// SPDX-License-Identifier: Apache-2.0

// kv.go: PUT_KV_CONFIG(100), GET_KV_CONFIG(101), DELETE_KV_CONFIG(102), GET_KVLIST_BY_NAMESPACE(219), and
// kvConfig.json. Sent by mqadmin and by Java's admin API. Java: KVConfigManager.
// Outcomes: Success; QueryNotFound for 101 and 219; SystemError when the file cannot be written.
// Deviations: a change that could not be saved is refused and not kept (Java logs and answers success); the table's
// size is limited; a damaged file is set aside instead of ending the start.

package namesrv

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/rs/zerolog"

	"rocketd/compat/fastjson"
	"rocketd/protocol"
	"rocketd/remoting"
)

// kvTable is namespace -> key -> value. A published table is never changed.
type kvTable map[string]map[string]string

func (t kvTable) bytes() int {
	n := 0
	for namespace, pairs := range t {
		n += len(namespace)
		for k, v := range pairs {
			n += len(k) + len(v)
		}
	}
	return n
}

// kvStore is the table and its file.
type kvStore struct {
	fs   FS
	path string

	table   atomic.Pointer[kvTable] // readers take no lock
	writing sync.Mutex              // held over the file's write: the file always holds what the table holds
}

type kvFile struct {
	ConfigTable kvTable `json:"configTable"`
}

// openKV loads the table. A file that cannot be understood is set aside under a new name, its .bak is tried, and the
// start goes on.
func openKV(files FS, path string, nowMs int64, log zerolog.Logger) (*kvStore, error) {
	kv := &kvStore{fs: files, path: path}
	kv.table.Store(&kvTable{})
	table, err := readKV(files, path)
	var damage *damagedError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return kv, nil
	case errors.As(err, &damage):
		aside := path + ".damaged-" + strconv.FormatInt(nowMs, 10)
		if err := files.Rename(path, aside); err != nil {
			return nil, fmt.Errorf("set damaged %s aside: %w", path, err)
		}
		backup, backupErr := readKV(files, path+".bak")
		log.Warn().Str("file", path).Str("movedTo", aside).Err(err).Bool("backupUsed", backupErr == nil).
			Msg("kv config file is damaged")
		if backupErr == nil {
			table = backup
		}
	case err != nil:
		return nil, err
	}
	if table != nil {
		kv.table.Store(&table)
	}
	return kv, nil
}

// damagedError is a file that was read and not understood.
type damagedError struct{ err error }

func (e *damagedError) Error() string { return e.err.Error() }
func (e *damagedError) Unwrap() error { return e.err }

func readKV(files FS, path string) (kvTable, error) {
	text, err := files.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var file kvFile
	if err := fastjson.Unmarshal(text, &file); err != nil {
		return nil, &damagedError{err}
	}
	return file.ConfigTable, nil
}

// change publishes and saves the table that edit makes out of the current one. edit gets its own copy of the inner
// map of namespace, nil when there is none.
func (kv *kvStore) change(namespace string, edit func(pairs map[string]string) map[string]string, maxBytes int) error {
	kv.writing.Lock()
	defer kv.writing.Unlock()
	table := maps.Clone(*kv.table.Load())
	pairs := edit(maps.Clone(table[namespace]))
	if pairs == nil {
		return nil
	}
	table[namespace] = pairs
	if size := table.bytes(); size > maxBytes {
		return protocol.Errorf(protocol.SystemError, "kv config would hold %d bytes, more than maxKvConfigBytes %d", size, maxBytes)
	}
	text, err := fastjson.Marshal(kvFile{ConfigTable: table})
	if err != nil {
		return err
	}
	if err := kv.fs.ReplaceFile(kv.path, text); err != nil {
		return fmt.Errorf("save kv config: %w", err)
	}
	kv.table.Store(&table)
	return nil
}

func (kv *kvStore) get(namespace, key string) (string, bool) {
	v, ok := (*kv.table.Load())[namespace][key]
	return v, ok
}

// list returns a namespace's pairs, which must not be changed, or nil.
func (kv *kvStore) list(namespace string) map[string]string { return (*kv.table.Load())[namespace] }

func (s *Server) putKV(_ context.Context, c *remoting.Call, h *protocol.PutKVConfigHeader) (*protocol.Empty, error) {
	for _, name := range []string{"namespace", "key"} {
		if _, ok := c.Request().Field(name); !ok {
			return nil, protocol.Errorf(protocol.SystemError, "namespace or key is null")
		}
	}
	if _, ok := c.Request().Field("value"); !ok {
		return nil, protocol.Errorf(protocol.SystemError, "value is null")
	}
	return nil, s.kv.change(h.Namespace, func(pairs map[string]string) map[string]string {
		if pairs == nil {
			pairs = map[string]string{}
		}
		pairs[h.Key] = h.Value
		return pairs
	}, int(s.config().MaxKVConfigBytes))
}

func (s *Server) getKV(_ context.Context, _ *remoting.Call, h *protocol.GetKVConfigHeader) (*protocol.GetKVConfigResult, error) {
	value, ok := s.kv.get(h.Namespace, h.Key)
	if !ok {
		return &protocol.GetKVConfigResult{}, protocol.Errorf(protocol.QueryNotFound, "No config item, Namespace: %s Key: %s", h.Namespace, h.Key)
	}
	return &protocol.GetKVConfigResult{Value: &value}, nil
}

func (s *Server) deleteKV(_ context.Context, _ *remoting.Call, h *protocol.DeleteKVConfigHeader) (*protocol.Empty, error) {
	return nil, s.kv.change(h.Namespace, func(pairs map[string]string) map[string]string {
		delete(pairs, h.Key)
		return pairs
	}, int(s.config().MaxKVConfigBytes))
}

func (s *Server) listKV(_ context.Context, c *remoting.Call, h *protocol.KVListHeader) (*protocol.Empty, error) {
	pairs := s.kv.list(h.Namespace)
	if pairs == nil {
		return nil, protocol.Errorf(protocol.QueryNotFound, "No config item, Namespace: %s", h.Namespace)
	}
	return nil, setJSON(c, protocol.KVTable{Table: pairs})
}
