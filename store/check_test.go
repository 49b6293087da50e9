// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/store/vfs"
)

func findings(t *testing.T, fsys vfs.FS, cfg Config) (lines []string, damaged int) {
	t.Helper()
	damaged, err := Check(fsys, cfg, func(f Finding) { lines = append(lines, f.String()) })
	require.NoError(t, err)
	return lines, damaged
}

// Each kind of damage is found and named with file and offset, and repair mends
// it so that nothing of the log is lost.
func TestCheckFindsAndRepairMends(t *testing.T) {
	const table = `{"dataVersion":{},"topicConfigTable":{"T":{},"Other":{}}}`
	for name, one := range map[string]struct {
		harm   func(fsys *vfs.Mem)
		want   string
		atSome bool // the messages before the damage are what can be kept
	}{
		"unit": {harm: func(fsys *vfs.Mem) {
			overwrite(t, fsys, "/store/consumequeue/T/0/00000000000000000400", 40, []byte{0, 0, 0, 0, 0, 0, 0, 9})
		}, want: "/store/consumequeue/T/0/00000000000000000400: byte 40: damaged: the unit points to 9"},
		"tag code": {harm: func(fsys *vfs.Mem) {
			overwrite(t, fsys, "/store/consumequeue/T/0/00000000000000000400", 59, []byte{1})
		}, want: "/store/consumequeue/T/0/00000000000000000400: byte 40: damaged: the tag code"},
		"units gone": {harm: func(fsys *vfs.Mem) {
			require.NoError(t, fsys.Remove("/store/consumequeue/T/0/00000000000000000400"))
		}, want: "/store/consumequeue/T/0/00000000000000000800: damaged: does not follow"},
		"queue gone": {harm: func(fsys *vfs.Mem) {
			require.NoError(t, vfs.RemoveAll(fsys, "/store/consumequeue/T"))
		}, want: "/store/consumequeue/T/0/00000000000000000000: damaged: not as the queue list has it: the file is missing"},
		"queue gone, after Java": {harm: func(fsys *vfs.Mem) {
			forgetOurs(t, fsys, smallConfig("/store"))
			require.NoError(t, vfs.RemoveAll(fsys, "/store/consumequeue/T"))
		}, want: "/store/consumequeue/T/0: note: no queue for the records"},
		"index file gone": {harm: func(fsys *vfs.Mem) {
			require.NoError(t, fsys.Remove(firstFile(t, fsys, "/store/index")))
		}, want: ": damaged: missing, the queue list has it"},
		"mark gone": {harm: func(fsys *vfs.Mem) {
			require.NoError(t, fsys.Remove("/store/rocketd.mark"))
		}, want: "/store/rocketd.mark: damaged: missing, but rocketd.queues is there"},
		"mark": {harm: func(fsys *vfs.Mem) {
			overwrite(t, fsys, "/store/rocketd.mark", 40, []byte{9})
		}, want: "/store/rocketd.mark: damaged: no mark or a damaged one"},
		"mark of another store": {harm: func(fsys *vfs.Mem) {
			overwrite(t, fsys, "/store/checkpoint", 39, []byte{9})
		}, want: "/store/rocketd.mark: note: it knows another checkpoint"},
		"list gone": {harm: func(fsys *vfs.Mem) {
			require.NoError(t, fsys.Remove("/store/rocketd.queues"))
		}, want: "/store/rocketd.queues: damaged: missing; the next start reads the whole commit log"},
		"list": {harm: func(fsys *vfs.Mem) {
			overwrite(t, fsys, "/store/rocketd.queues", 60, []byte{9})
		}, want: "/store/rocketd.queues: damaged: no queue list or a damaged one"},
		"another list": {harm: func(fsys *vfs.Mem) {
			b, _ := (&queueList{fileSize: 400}).encode()
			require.NoError(t, vfs.WriteFile(fsys, "/store/rocketd.queues", b))
		}, want: "/store/rocketd.queues: damaged: not the list that rocketd.mark names"},
		"lock": {harm: func(fsys *vfs.Mem) {
			require.NoError(t, vfs.WriteFile(fsys, "/store/lock", []byte("look")))
		}, want: "/store/lock: byte 0: note: holds \"look\""},
		"queue file size": {harm: func(fsys *vfs.Mem) {
			makeFile(t, fsys, "/store/consumequeue/T/0/00000000000000000400", 300)
		}, want: "/store/consumequeue/T/0/00000000000000000400: damaged: 300 bytes"},
		"queue file name": {harm: func(fsys *vfs.Mem) {
			makeFile(t, fsys, "/store/consumequeue/T/0/notes", 300)
		}, want: "/store/consumequeue/T/0/notes: damaged: the name"},
		"unit too many": {harm: func(fsys *vfs.Mem) {
			overwrite(t, fsys, "/store/consumequeue/T/0/00000000000000001600", 10*unitBytes, append(make([]byte, 7), 7, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0))
		}, want: "/store/consumequeue/T/0/00000000000000001600: byte 200: damaged: a unit that points to 7"},
		"index entry": {harm: func(fsys *vfs.Mem) {
			overwrite(t, fsys, firstFile(t, fsys, "/store/index"), 40+50*4+20*20, []byte{0, 0, 0, 1})
		}, want: ": damaged: entry 20"},
		"index slot": {harm: func(fsys *vfs.Mem) {
			overwrite(t, fsys, firstFile(t, fsys, "/store/index"), 40, []byte{0, 0, 0, 1})
		}, want: ": damaged: slot 0 begins with entry 1"},
		"index size": {harm: func(fsys *vfs.Mem) {
			makeFile(t, fsys, firstFile(t, fsys, "/store/index"), 99)
		}, want: "maxHashSlotNum=50 and maxIndexNum=200 make 4240: give the configuration"},
		"checkpoint": {harm: func(fsys *vfs.Mem) {
			require.NoError(t, vfs.WriteFile(fsys, "/store/checkpoint", []byte("x")))
		}, want: "/store/checkpoint: damaged: 1 bytes instead of 4096"},
		"table": {harm: func(fsys *vfs.Mem) {
			require.NoError(t, fsys.MkdirAll("/store/config"))
			require.NoError(t, vfs.WriteFile(fsys, "/store/config/topics.json", []byte("{")))
			require.NoError(t, vfs.WriteFile(fsys, "/store/config/topics.json.bak", []byte(table)))
		}, want: "/store/config/topics.json: damaged: no JSON object"},
		"table's backup": {harm: func(fsys *vfs.Mem) {
			require.NoError(t, fsys.MkdirAll("/store/config"))
			require.NoError(t, vfs.WriteFile(fsys, "/store/config/topics.json", []byte(table)))
			require.NoError(t, vfs.WriteFile(fsys, "/store/config/topics.json.bak", []byte("[]")))
		}, want: "/store/config/topics.json.bak: note: the backup cannot be read: no JSON object"},
		"table gone": {harm: func(fsys *vfs.Mem) {
			require.NoError(t, fsys.MkdirAll("/store/config"))
			require.NoError(t, vfs.WriteFile(fsys, "/store/config/consumerOffset.json.bak", []byte(`{"offsetTable":{}}`)))
		}, want: "/store/config/consumerOffset.json: note: missing; the next start uses its backup"},
		"log": {harm: func(fsys *vfs.Mem) {
			overwrite(t, fsys, "/store/commitlog/00000000000000008192", 3, []byte{255, 1})
		}, want: "/store/commitlog/00000000000000008192: byte 0: damaged: no record", atSome: true},
		"log file gone": {harm: func(fsys *vfs.Mem) {
			require.NoError(t, fsys.Remove("/store/commitlog/00000000000000008192"))
		}, want: "/store/commitlog/00000000000000016384: damaged: does not follow", atSome: true},
	} {
		t.Run(name, func(t *testing.T) {
			fsys, cfg, bodies := filled(t, 90)
			lines, damaged := findings(t, fsys, cfg)
			require.Empty(t, lines)
			require.Zero(t, damaged)
			grown := newStore(t, fsys, cfg)
			mustPut(t, grown, newMessage("Other", 0, strings.Repeat("x", 1500)))
			require.NoError(t, grown.Close())
			one.harm(fsys)
			before := fsys.Clone()
			lines, damaged = findings(t, fsys, cfg)
			require.Contains(t, strings.Join(lines, "\n"), one.want)
			require.Equal(t, !strings.Contains(one.want, ": note: "), damaged > 0)
			requireSameFiles(t, before, fsys)

			deps := newDeps(fsys)
			err := Repair(cfg, deps, false, func(Finding) {})
			if one.atSome {
				require.ErrorContains(t, err, "with --cut")
				err = Repair(cfg, deps, true, func(Finding) {})
			}
			require.NoError(t, err)
			lines, damaged = findings(t, fsys, cfg)
			require.Zero(t, damaged, lines)
			require.NotContains(t, strings.Join(lines, "\n"), "/store/config")
			s := newStore(t, fsys, cfg)
			got := readAll(t, s, "T", 0)
			if one.atSome {
				require.NotEmpty(t, got)
				require.Equal(t, bodies[:len(got)], got)
				require.NotEmpty(t, mustList(t, fsys, path.Join("/store", fmt.Sprint("damaged-", deps.Clock.Now().UnixMilli()), "commitlog")))
			} else {
				require.Equal(t, bodies, got)
			}
			for _, body := range got {
				found, _, _, err := s.QueryIndex("T", "K"+body, 9, 0, 1<<60)
				require.NoError(t, err)
				require.Len(t, found, 1, body)
			}
			require.NoError(t, s.Close())
		})
	}
}

// Tables that no start can read are damage that only an operator can mend.
func TestCheckNamesTablesWithoutAReadableCopy(t *testing.T) {
	for main, want := range map[string]string{"{": "no JSON object", "": "the file is empty", "-": "file does not exist", "null": "no JSON object"} {
		fsys, cfg, _ := filled(t, 3)
		name := "/store/config/delayOffset.json"
		require.NoError(t, fsys.MkdirAll("/store/config"))
		if main != "-" {
			require.NoError(t, vfs.WriteFile(fsys, name, []byte(main)))
		}
		require.NoError(t, vfs.WriteFile(fsys, name+".bak", []byte(`{"offsetTable":5}`)))
		require.NoError(t, Repair(cfg, newDeps(fsys), false, func(Finding) {}))
		lines, damaged := findings(t, fsys, cfg)
		require.Equal(t, 1, damaged, lines)
		require.Contains(t, lines[0], name+": damaged: ")
		require.Contains(t, lines[0], want)
		require.Contains(t, lines[0], "its backup cannot be read either: offsetTable: ")
		require.Equal(t, `{"offsetTable":5}`, string(readFile(t, fsys, name+".bak")))
	}
}

func firstFile(t *testing.T, fsys vfs.FS, dir string) string {
	return path.Join(dir, mustList(t, fsys, dir)[0])
}

// requireSameFiles demands that a check has changed nothing.
func requireSameFiles(t *testing.T, want, got vfs.FS) {
	t.Helper()
	var walk func(dir string)
	walk = func(dir string) {
		wanted, err := want.List(dir)
		require.NoError(t, err)
		infos, err := got.List(dir)
		require.NoError(t, err)
		require.Len(t, infos, len(wanted), dir)
		for i, info := range infos {
			name := path.Join(dir, info.Name)
			require.Equal(t, wanted[i].Name, info.Name)
			if info.Dir {
				walk(name)
			} else {
				require.Equal(t, readFile(t, want, name), readFile(t, got, name), name)
			}
		}
	}
	walk("/store")
}

// A log that ends before where it was closed is named with the mark that says so.
func TestCheckComparesTheEndWithTheMark(t *testing.T) {
	fsys, cfg, _ := filled(t, 90)
	files := mustList(t, fsys, "/store/commitlog")
	require.NoError(t, fsys.Remove("/store/commitlog/"+files[len(files)-1]))
	lines, _ := findings(t, fsys, cfg)
	require.Contains(t, strings.Join(lines, "\n"), "/store/rocketd.mark: damaged: the store was closed with records up to ")
}

// Extension units are looked at by the queue units that point to them. Repair makes them again.
func TestCheckFindsDamagedExtensions(t *testing.T) {
	const file = "/store/consumequeue_ext/T/0/00000000000000000000"
	for name, one := range map[string]struct {
		harm func(fsys *vfs.Mem)
		want string
	}{
		"a unit":    {func(fsys *vfs.Mem) { overwrite(t, fsys, file, 0, []byte{0, 3}) }, "/store/consumequeue/T/0/00000000000000000000: byte 0: damaged: points to byte 0 of /store/consumequeue_ext/T/0: "},
		"its size":  {func(fsys *vfs.Mem) { makeFile(t, fsys, file, 77) }, file + ": damaged: 77 bytes, where files have 200"},
		"its name":  {func(fsys *vfs.Mem) { makeFile(t, fsys, path.Dir(file)+"/notes", 77) }, "/store/consumequeue_ext/T/0/notes: damaged: the name is not a 20-digit offset"},
		"its queue": {func(fsys *vfs.Mem) { require.NoError(t, vfs.RemoveAll(fsys, "/store/consumequeue")) }, "/store/consumequeue_ext/T/0: note: extension units of a queue that is not there"},
	} {
		t.Run(name, func(t *testing.T) {
			fsys, cfg := vfs.NewMem(), smallConfig("/store")
			cfg.EnableConsumeQueueExt, cfg.ConsumeQueueExtFileSize = true, 200
			s := extStore(t, fsys, cfg)
			var bodies []string
			for i := range 30 {
				bodies = append(bodies, fmt.Sprint("body", i))
				mustPut(t, s, newMessage("T", 0, bodies[i]))
			}
			require.NoError(t, s.Close())
			clean(t, fsys, cfg)
			one.harm(fsys)
			lines, _ := findings(t, fsys, cfg)
			require.Contains(t, strings.Join(lines, "\n"), one.want)
			deps := newDeps(fsys)
			deps.FilterBits = bodyBits
			require.NoError(t, Repair(cfg, deps, false, func(Finding) {}))
			clean(t, fsys, cfg)
			s = extStore(t, fsys, cfg)
			requireExts(t, s, bodies)
			require.NoError(t, s.Close())
		})
	}
}

// disks cannot rename files from one to the other, as file systems cannot.
type disks struct{ *vfs.Mem }

func (d disks) Rename(from, to string) error {
	if strings.Split(from, "/")[1] != strings.Split(to, "/")[1] {
		return fmt.Errorf("rename %s to %s: %w", from, to, syscall.EXDEV)
	}
	return d.Mem.Rename(from, to)
}

// What is taken out of a path of the log stays on its disk.
func TestRepairOfSeveralLogPaths(t *testing.T) {
	fsys := disks{vfs.NewMem()}
	cfg := smallConfig("/store")
	cfg.StorePathCommitLog = "/a/log,/b/log"
	r := newRetained(t, fsys, cfg)
	r.fill(t, 5)
	require.NoError(t, r.Close())
	clean(t, fsys, cfg)
	makeFile(t, fsys.Mem, "/a/log/notes", 5)
	require.NoError(t, fsys.Remove("/b/log/"+segmentName(8192)))
	lines, _ := findings(t, fsys, cfg)
	require.Contains(t, lines, "/a/log/notes: damaged: the name is not a 20-digit offset")
	require.Contains(t, lines, "/a/log/"+segmentName(16384)+": damaged: does not follow /a/log/"+segmentName(0))
	require.ErrorContains(t, Repair(cfg, newDeps(fsys), false, func(Finding) {}), "with --cut")
	require.NoError(t, Repair(cfg, newDeps(fsys), true, func(Finding) {}))
	clean(t, fsys, cfg)
	require.Equal(t, []string{segmentName(16384), segmentName(32768), "notes"}, mustList(t, fsys, "/a/log/damaged-1700000000000"))
	require.Equal(t, []string{segmentName(24576)}, mustList(t, fsys, "/b/log/damaged-1700000000000"))
	s := newStore(t, fsys, cfg)
	got := readAll(t, s, "T", 0)
	require.NotEmpty(t, got)
	require.Equal(t, r.bodies[:len(got)], got)
	require.NoError(t, s.Close())
}

func TestCheckRefusesWhatIsInUse(t *testing.T) {
	fsys, cfg, _ := filled(t, 3)
	s := newStore(t, fsys, cfg)
	_, err := Check(fsys, cfg, nil)
	require.ErrorContains(t, err, "/store is in use")
	require.ErrorContains(t, Dump(fsys, cfg, "", nil), "/store is in use")
	require.ErrorContains(t, Repair(cfg, newDeps(fsys), false, nil), "/store is in use")
	require.NoError(t, s.Close())
	cfg.StorePathRootDir = "/nowhere"
	_, err = Check(fsys, cfg, nil)
	require.ErrorContains(t, err, "/nowhere is no data directory")
}

// sealedDisk lets nobody write.
type sealedDisk struct{ *vfs.Mem }

func (d sealedDisk) Lock(name string) (io.Closer, error) {
	return nil, fmt.Errorf("open %s: %w", name, syscall.EROFS)
}

func (d sealedDisk) Open(name string, flag vfs.Flag) (vfs.File, error) {
	if flag != vfs.ReadOnly {
		return nil, fmt.Errorf("open %s: %w", name, syscall.EROFS)
	}
	return d.Mem.Open(name, flag)
}

// Check and dump need nothing but to read; repair says why it cannot.
func TestCheckOfAReadOnlyDisk(t *testing.T) {
	fsys, cfg, _ := filled(t, 90)
	clean(t, sealedDisk{fsys}, cfg)
	var out bytes.Buffer
	require.NoError(t, Dump(sealedDisk{fsys}, cfg, "", &out))
	require.Contains(t, out.String(), "90 records")
	require.ErrorIs(t, Repair(cfg, newDeps(sealedDisk{fsys}), false, func(Finding) {}), syscall.EROFS)
}

// What a crash leaves and the next start mends is no damage.
func TestAfterAKillThereIsNoDamage(t *testing.T) {
	fsys := vfs.NewMem()
	s := newStore(t, fsys, smallConfig("/store"))
	for i := range 100 {
		mustPut(t, s, newMessage("T", int32(i%3), fmt.Sprint(i)))
		if i == 40 {
			require.NoError(t, s.dispatchAll())
		}
	}
	killed := fsys.Clone()
	lines, damaged := findings(t, killed, smallConfig("/store"))
	require.Zero(t, damaged, lines)
	require.Contains(t, lines[0], "/store/abort: note: the last stop was no clean one")
	require.NoError(t, s.Close())
}

func TestDump(t *testing.T) {
	fsys, cfg := vfs.NewMem(), smallConfig("/store")
	s := extStore(t, fsys, cfg)
	for i := range 5 {
		mustPut(t, s, newMessage("T", 0, fmt.Sprint("body", i)))
	}
	require.NoError(t, s.Close())
	require.NoError(t, fsys.MkdirAll("/store/config"))
	require.NoError(t, vfs.WriteFile(fsys, "/store/config/topics.json", []byte("{}")))
	cfg.ConsumeQueueExtFileSize = 200
	for name, want := range map[string]string{
		"":                                      "log: 0 to 710, 5 records, the newest of 1700000000000\n/store/consumequeue/T/0: offsets 0 to 5\n",
		"commitlog/00000000000000000000":        "142: 142 bytes, T/0/1, stored 1700000000000, sysFlag 0, body 5 bytes, \"UNIQ_KEY=Ubody1 KEYS=Kbody1 common TAGS=TagA \"\n",
		"consumequeue/T/0/00000000000000000000": "1: at 142, 142 bytes, extension at 25\n",
		"consumequeue_ext/T/0/00000000000000000000": "25: tag code 2598919, stored 1700000000000, bitmap 626f647931\n",
		"rocketd.mark":       "closed true, queues distrusted false, recovery at work false, boot ",
		"rocketd.queues":     ": the log from 0 to 710, the newest record of 1700000000000, queue files of 400 bytes\nT/0: offsets 0 to 5, 1 files from 00000000000000000000 on\nindex/",
		"checkpoint":         "flushed up to: log 1700000000000, queues 1700000000000, index 0;",
		"config/topics.json": "{}",
		"index/" + mustList(t, fsys, "/store/index")[0]: "15: hash ",
	} {
		var out bytes.Buffer
		require.NoError(t, Dump(fsys, cfg, name, &out))
		require.Contains(t, out.String(), want, name)
	}
	for _, name := range []string{markName, listName} {
		require.NoError(t, vfs.WriteFile(fsys, "/store/"+name, []byte("wild")))
		require.ErrorContains(t, Dump(fsys, cfg, name, &bytes.Buffer{}), "/store/"+name+" is no ")
	}
	require.Error(t, Dump(fsys, cfg, "../../etc/passwd", &bytes.Buffer{}))
	require.ErrorContains(t, Dump(fsys, cfg, "commitlog", &bytes.Buffer{}), "is a directory")
}
