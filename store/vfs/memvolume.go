// SPDX-License-Identifier: Apache-2.0

// All of Mem, as a volume.

package vfs

type memVolume struct {
	m   *Mem
	dir string
}

func (m *Mem) OpenVolume(dir string) (Volume, error) {
	if !m.isDir(dir) {
		return nil, notExist("open", dir)
	}
	return &memVolume{m, dir}, nil
}

// Sync that is to fail leaves no page dirty, and no later Sync writes them.
func (v *memVolume) Sync() error {
	fault := v.m.may(Op{Kind: "syncfs", Name: v.dir})
	v.m.mu.Lock()
	defer v.m.mu.Unlock()
	for _, n := range v.m.files {
		n.sync(fault == nil)
	}
	if fault != nil {
		return fault
	}
	for dir := range v.m.pending {
		v.m.syncDir(dir)
	}
	return nil
}

func (v *memVolume) Close() error { return nil }
