// SPDX-License-Identifier: Apache-2.0

package meta

import (
	"fmt"
	"math/rand"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"rocketd/protocol"
	"rocketd/store/vfs"
)

// anyTable is one of the tables: it is given entries, and says which it has.
type anyTable struct {
	load func() error
	add  func(n int) error
	has  func(n int) bool
}

// everyTable opens each kind of table over its file.
var everyTable = map[string]func(fsys vfs.FS) anyTable{
	"topics.json": func(fsys vfs.FS) anyTable {
		topics := NewTopics(dir+"/topics.json", fsys, newClock(), zerolog.Nop())
		return anyTable{topics.Load, func(n int) error { return topics.Put(topic(fmt.Sprint("T", n), 1)) },
			func(n int) bool { _, ok := topics.Get(fmt.Sprint("T", n)); return ok }}
	},
	"subscriptionGroup.json": func(fsys vfs.FS) anyTable {
		groups := NewGroups(dir+"/subscriptionGroup.json", fsys, newClock(), zerolog.Nop())
		return anyTable{groups.Load, func(n int) error { return groups.Put(protocol.NewGroupConfig(fmt.Sprint("G", n))) },
			func(n int) bool { _, ok := groups.Get(fmt.Sprint("G", n)); return ok }}
	},
	"consumerOffset.json": func(fsys vfs.FS) anyTable {
		offsets := NewOffsets(dir+"/consumerOffset.json", fsys, newClock(), zerolog.Nop())
		return anyTable{offsets.Load, func(n int) error { offsets.Commit("g", "T", int32(n), 7); return offsets.Save() },
			func(n int) bool { at, _ := offsets.Query("g", "T", int32(n)); return at == 7 }}
	},
	"delayOffset.json": func(fsys vfs.FS) anyTable {
		delays := NewDelays(dir+"/delayOffset.json", fsys, newClock(), zerolog.Nop())
		return anyTable{delays.Load, func(n int) error { delays.Put(int32(n), 7); return delays.Save() },
			func(n int) bool { at, _ := delays.Get(int32(n)); return at == 7 }}
	},
	"consumerFilter.json": func(fsys vfs.FS) anyTable {
		filters := NewFilters(filtersFile, fsys, newClock(), zerolog.Nop(), FilterKit{
			Compile:   func(_, expression string) (Matcher, error) { return textMatcher(expression), nil },
			Positions: func(string, string) []int32 { return nil },
		})
		return anyTable{filters.Load, func(n int) error {
			filters.Register(fmt.Sprint("g", n), subscribe(1, "T", "a"), isTag)
			return filters.Save()
		}, func(n int) bool { return filters.Has(fmt.Sprint("g", n)) }}
	},
}

// copyHarms are what befalls one of the two copies.
var copyHarms = map[string]func(fsys vfs.FS, name string) error{
	"whole":   func(vfs.FS, string) error { return nil },
	"missing": func(fsys vfs.FS, name string) error { return fsys.Remove(name) },
	"empty":   func(fsys vfs.FS, name string) error { return vfs.WriteFile(fsys, name, nil) },
	"cut": func(fsys vfs.FS, name string) error {
		text, err := vfs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		return vfs.WriteFile(fsys, name, text[:len(text)/2])
	},
	"zeros": func(fsys vfs.FS, name string) error { return vfs.WriteFile(fsys, name, make([]byte, 100)) },
}

// TestEitherCopyIsEnough is the table of docs/format/tables.md: every kind of table, every harm to the file and to its
// backup. What is damaged is set aside, and from the next saves on both copies are whole again, at every moment of the
// first of them at least one.
func TestEitherCopyIsEnough(t *testing.T) {
	for base, open := range everyTable {
		for mainIs, harmMain := range copyHarms {
			for backupIs, harmBackup := range copyHarms {
				t.Run(base+"/"+mainIs+"/backup "+backupIs, func(t *testing.T) {
					fsys := vfs.NewMem()
					first := open(fsys)
					require.NoError(t, first.load())
					require.NoError(t, first.add(1))
					require.NoError(t, first.add(2))
					name := dir + "/" + base
					require.NoError(t, harmMain(fsys, name))
					require.NoError(t, harmBackup(fsys, name+backupSuffix))
					damaged := damagedCopies(t, fsys, base, mainIs, backupIs)

					table := open(fsys)
					switch err := table.load(); {
					case mainIs == "whole":
						require.NoError(t, err)
						require.True(t, table.has(1) && table.has(2))
					case backupIs == "whole":
						require.NoError(t, err)
						require.True(t, table.has(1) && !table.has(2))
					case backupIs == "missing" && (mainIs == "missing" || mainIs == "empty"):
						require.NoError(t, err)
						require.False(t, table.has(1) || table.has(2))
					default:
						require.ErrorContains(t, err, name)
						require.ErrorContains(t, err, "take both away")
						for suffix, text := range damaged {
							require.Equal(t, text, mustRead(t, fsys, base+suffix), "nothing is changed")
						}
						return
					}
					requireSaves(t, fsys, base, open, table)
					for suffix, text := range damaged {
						require.Equal(t, text, mustRead(t, fsys, base+suffix+".damaged-1700000000000"))
					}
				})
			}
		}
	}
}

// damagedCopies are the texts of those copies that cannot be read.
func damagedCopies(t *testing.T, fsys vfs.FS, base, mainIs, backupIs string) map[string]string {
	texts := map[string]string{}
	for suffix, is := range map[string]string{"": mainIs, backupSuffix: backupIs} {
		if is != "whole" && is != "missing" {
			texts[suffix] = mustRead(t, fsys, base+suffix)
		}
	}
	return texts
}

// requireSaves saves twice. Whatever a power loss leaves meanwhile has what the table had before; afterwards each copy is
// enough.
func requireSaves(t *testing.T, disk *vfs.Mem, base string, open func(vfs.FS) anyTable, table anyTable) {
	t.Helper()
	had := []int{}
	for n := range 3 {
		if table.has(n) {
			had = append(had, n)
		}
	}
	rng := rand.New(rand.NewSource(1))
	disk.SetFault(func(op vfs.Op) error {
		if op.Changes() {
			requireHas(t, open(disk.CrashClone(rng)), had)
		}
		return nil
	})
	require.NoError(t, table.add(3))
	require.NoError(t, table.add(4))
	disk.SetFault(nil)
	for _, gone := range []string{base, base + backupSuffix} {
		left := disk.Clone()
		require.NoError(t, left.Remove(dir+"/"+gone))
		requireHas(t, open(left), append(had, 3))
	}
}

func requireHas(t *testing.T, table anyTable, want []int) {
	t.Helper()
	require.NoError(t, table.load())
	for _, n := range want {
		require.True(t, table.has(n), n)
	}
}
