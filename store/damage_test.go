// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

// damaged is a store of 300 messages in three queues that somebody has left.
type damaged struct {
	fs     *vfs.Mem
	cfg    Config
	bodies map[int32][]string
	boot   string // of the machine that opens it
}

const damagedMessages = 300

// leave makes the store and leaves it in one of the ways of endings.
func leave(t testing.TB, how string) *damaged {
	d := &damaged{fs: vfs.NewMem(), cfg: smallConfig("/store"), bodies: map[int32][]string{}}
	s := newStore(t, d.fs, d.cfg)
	for i := range damagedMessages {
		q, body := int32(i%3), fmt.Sprint(i)
		mustPut(t, s, newMessage("T", q, body))
		d.bodies[q] = append(d.bodies[q], body)
		switch i {
		case 100, 200:
			require.NoError(t, s.dispatchAll())
			require.NoError(t, s.flushAll())
		case 250:
			require.NoError(t, s.dispatchAll())
		}
	}
	d.leaveAs(t, s, how)
	return d
}

// leaveAs is the end of the process, in one of the ways of endings.
func (d *damaged) leaveAs(t testing.TB, s *Store, how string) {
	switch how {
	case "closed", "closed by Java":
		require.NoError(t, s.Close())
	case "power loss":
		require.NoError(t, s.flushAll())
		d.fs, d.boot = d.fs.CrashClone(rand.New(rand.NewSource(1))), " later"
	case "power loss without a list":
		require.NoError(t, s.flushAll())
		require.NoError(t, s.forgetList())
		d.fs, d.boot = d.fs.CrashClone(rand.New(rand.NewSource(1))), " later"
	case "killed", "killed by Java":
		d.fs = d.fs.Clone()
	}
	if strings.HasSuffix(how, "Java") {
		d.scribble(t, "checkpoint", 32, "\x00\x00\x00\x00\x00\x00\x00\x09") // which ours never writes
	}
}

var endings = []string{"closed", "killed", "power loss", "closed by Java", "killed by Java"}

// forgetOurs takes away what stands beside Java's files, as if only Java had had the store.
func forgetOurs(t testing.TB, fsys vfs.FS, cfg Config) {
	for _, name := range []string{markName, listName} {
		require.NoError(t, fsys.Remove(path.Join(cfg.StorePathRootDir, name)))
	}
}

func (d *damaged) remove(t testing.TB, names ...string) {
	for _, name := range names {
		require.NoError(t, vfs.RemoveAll(d.fs, "/store/"+name))
	}
}

func (d *damaged) resize(t testing.TB, name string, size int64) {
	f, err := d.fs.Open("/store/"+name, vfs.ReadWrite)
	require.NoError(t, err)
	require.NoError(t, f.Truncate(size))
	require.NoError(t, f.Sync())
}

func (d *damaged) scribble(t testing.TB, name string, at int64, text string) {
	overwrite(t, d.fs, "/store/"+name, at, []byte(text))
}

func (d *damaged) index(t testing.TB) string {
	names := mustList(t, d.fs, "/store/index")
	return "index/" + names[len(names)/2]
}

// open recovers and compares with what was put in. It returns what was logged.
func (d *damaged) open(t testing.TB) string {
	t.Helper()
	for range 2 {
		deps := newDeps(d.fs)
		deps.Host.BootID += d.boot
		var log strings.Builder
		deps.Log = zerolog.New(&log)
		s, err := Open(d.cfg, deps)
		require.NoError(t, err)
		for q, want := range d.bodies {
			require.Equal(t, want, readAll(t, s, "T", q), "queue %d", q)
		}
		for i := 0; i < damagedMessages; i += 13 { // some of each index file
			offs, _, _, err := s.QueryIndex("T", fmt.Sprint("U", i), 10, 0, 1<<60)
			require.NoError(t, err)
			require.Len(t, offs, 1, "key of message %d", i)
		}
		require.NoError(t, s.Close())
		if log.String() != "" {
			return log.String()
		}
	}
	return ""
}

const q1 = "consumequeue/T/1/"

// damages that are repaired: everything is there afterwards. Where only the queue
// list can show the damage, it is found after our own stops.
var damages = []struct {
	name string
	harm func(t *testing.T, d *damaged)
	ours bool // found after our own stops only
}{
	{name: "nothing", harm: func(*testing.T, *damaged) {}},
	{name: "no queues", harm: func(t *testing.T, d *damaged) { d.remove(t, "consumequeue") }},
	{name: "no topic", harm: func(t *testing.T, d *damaged) { d.remove(t, "consumequeue/T") }},
	{name: "no queue", harm: func(t *testing.T, d *damaged) { d.remove(t, q1) }, ours: true},
	{name: "no first queue file", harm: func(t *testing.T, d *damaged) { d.remove(t, q1+segmentName(0)) }, ours: true},
	{name: "no middle queue file", harm: func(t *testing.T, d *damaged) { d.remove(t, q1+segmentName(400)) }},
	{name: "no last queue file", harm: func(t *testing.T, d *damaged) { d.remove(t, q1+segmentName(1200)) }},
	{name: "short first queue file", harm: func(t *testing.T, d *damaged) { d.resize(t, q1+segmentName(0), 200) }},
	{name: "short queue file", harm: func(t *testing.T, d *damaged) { d.resize(t, q1+segmentName(800), 7) }},
	{name: "empty queue file", harm: func(t *testing.T, d *damaged) { d.resize(t, q1+segmentName(400), 0) }},
	{name: "long queue file", harm: func(t *testing.T, d *damaged) { d.resize(t, q1+segmentName(1200), 4000) }},
	{name: "longer queue file", harm: func(t *testing.T, d *damaged) { d.resize(t, q1+segmentName(0), 401) }},
	{name: "queue file of another place", harm: func(t *testing.T, d *damaged) {
		require.NoError(t, d.fs.Rename("/store/"+q1+segmentName(1200), "/store/"+q1+segmentName(1300)))
	}},
	{name: "no index", harm: func(t *testing.T, d *damaged) { d.remove(t, "index") }},
	{name: "no index file", harm: func(t *testing.T, d *damaged) { d.remove(t, d.index(t)) }, ours: true},
	{name: "short index", harm: func(t *testing.T, d *damaged) { d.resize(t, d.index(t), 1000) }},
	{name: "long index", harm: func(t *testing.T, d *damaged) { d.resize(t, d.index(t), 10000) }},
	{name: "no checkpoint", harm: func(t *testing.T, d *damaged) { d.remove(t, "checkpoint") }},
	{name: "short checkpoint", harm: func(t *testing.T, d *damaged) { d.resize(t, "checkpoint", 20) }},
	{name: "wild checkpoint", harm: func(t *testing.T, d *damaged) {
		d.scribble(t, "checkpoint", 0, "\x00\x00\x01\x8b\xcf\xe5\x68\x00\xff\xff\xff\xff\xff\xff\xff\xff")
	}},
	{name: "no abort", harm: func(t *testing.T, d *damaged) { d.remove(t, "abort") }},
	{name: "no mark", harm: func(t *testing.T, d *damaged) { d.remove(t, markName) }},
	{name: "short mark", harm: func(t *testing.T, d *damaged) { makeFile(t, d.fs, "/store/"+markName, 10) }},
	{name: "wild mark", harm: func(t *testing.T, d *damaged) {
		makeFile(t, d.fs, "/store/"+markName, 512)
		d.scribble(t, markName, 60, "wild")
	}},
	{name: "no list", harm: func(t *testing.T, d *damaged) { d.remove(t, listName) }},
	{name: "wild list", harm: func(t *testing.T, d *damaged) { d.scribble(t, listName, 50, "wild") }},
	{name: "no queues, no checkpoint, no abort", harm: func(t *testing.T, d *damaged) { d.remove(t, "consumequeue", "checkpoint", "abort") }},
	{name: "no index, no mark, no abort", harm: func(t *testing.T, d *damaged) { d.remove(t, "index", markName, "abort") }},
}

func TestDamageIsRepaired(t *testing.T) {
	for _, ending := range endings {
		for _, c := range damages {
			if c.ours && strings.HasSuffix(ending, "Java") {
				continue
			}
			t.Run(ending+"/"+c.name, func(t *testing.T) {
				d := leave(t, ending)
				if c.name == "no abort" && ending == "killed by Java" {
					t.Skip("nothing shows that Java was killed; it writes its queues in the log's order, see TestJavaKilledWithoutAbort")
				}
				c.harm(t, d)
				d.open(t)
			})
		}
	}
}

// Two damages at once, after any stop of ours: some drawn, and each with those that only the list shows, because it may be
// what takes the list away.
func TestDamagesTogether(t *testing.T) {
	rng := rand.New(rand.NewSource(max(*crashSeed, 1)))
	for range 60 {
		damagesTogether(t, endings[rng.Intn(3)], rng.Intn(len(damages)), rng.Intn(len(damages)))
	}
	for a := range damages {
		for b := range damages {
			if damages[b].ours {
				damagesTogether(t, "closed", a, b)
			}
		}
	}
}

func damagesTogether(t *testing.T, ending string, first, second int) {
	a, b := damages[first], damages[second]
	t.Run(ending+"/"+a.name+"/"+b.name, func(t *testing.T) {
		d := leave(t, ending)
		a.harm(t, d)
		if !d.canHarm(b.name) {
			return
		}
		b.harm(t, d)
		d.open(t)
	})
}

// A queue that is gone together with what says that it was there: all its messages are in the oldest part of the log,
// which a start would not read for anything else.
func TestAnOldQueueIsMissed(t *testing.T) {
	for _, ending := range []string{"closed", "killed", "power loss"} {
		for _, gone := range []string{listName, markName, "checkpoint"} {
			t.Run(ending+"/"+gone, func(t *testing.T) {
				d := leaveOld(t, ending, 20)
				d.remove(t, q1, gone)
				log := d.open(t)
				require.Contains(t, log, `"from":0`)
			})
		}
	}
}

// flushEverything has queues, index and log on the disk.
func (r *retained) flushEverything() error { return errors.Join(r.dispatchAll(), r.flushAll()) }

// canHarm says whether what a damage is done to is still there.
func (d *damaged) canHarm(name string) bool {
	needs := []string{"checkpoint", markName, listName}
	for _, base := range []int64{0, 400, 800, 1200} {
		needs = append(needs, q1+segmentName(base))
	}
	for _, n := range needs {
		if ok, err := vfs.Exists(d.fs, "/store/"+n); err != nil || !ok {
			return strings.HasPrefix(name, "no ") && !strings.Contains(name, "index file")
		}
	}
	infos, err := d.fs.List("/store/index")
	return err == nil && len(infos) > 0
}

// Java puts a record's units in the log's order, so the newest unit shows what
// is missing even when somebody has removed the abort file.
func TestJavaKilledWithoutAbort(t *testing.T) {
	d := leave(t, "closed by Java")
	for q, keep := range map[int32]int64{0: 90, 1: 89, 2: 89} { // all behind record 269
		file := fmt.Sprintf("consumequeue/T/%d/%s", q, segmentName(1600))
		at := (keep - 80) * unitBytes
		d.scribble(t, file, at, strings.Repeat("\x00", int(400-at)))
	}
	d.open(t)
}

// What is not the store's survives, untouched.
func TestForeignFilesAmongQueuesSurvive(t *testing.T) {
	foreign := map[string]string{
		"notes.txt": "a", "consumequeue/readme": "b", "consumequeue/T/zero": "c", "consumequeue/T/1/0000": "d",
		"consumequeue/a b/0/x": "e", "consumequeue/T/-1/00000000000000000000": "f", "consumequeue/T/007/00000000000000000000": "g",
		"index/copy": "h", "index/old/20261124101530123": "i", "rocksdbstore/CURRENT": "j", "timerwheel": "k",
		"consumequeue/T/1/keep/00000000000000000000": "m",
	}
	for _, ending := range endings {
		for _, gone := range []string{"", "consumequeue/T/0", "index"} {
			if gone != "" && ending == "closed by Java" {
				continue
			}
			t.Run(ending+gone, func(t *testing.T) {
				d := leave(t, ending)
				if gone != "" {
					d.remove(t, gone)
				}
				for name, text := range foreign {
					require.NoError(t, d.fs.MkdirAll(path.Dir("/store/"+name)))
					require.NoError(t, vfs.WriteFile(d.fs, "/store/"+name, []byte(text)))
				}
				d.open(t)
				for name, text := range foreign {
					require.Equal(t, text, string(readFile(t, d.fs, "/store/"+name)), name)
				}
			})
		}
	}
}

// A repair is one line that names the file.
func TestRepairsAreLogged(t *testing.T) {
	for _, ending := range []string{"killed", "closed"} {
		d := leave(t, ending)
		d.resize(t, q1+segmentName(400), 7)
		log := d.open(t)
		require.Equal(t, 1, strings.Count(log, "/store/"+q1+segmentName(400)+`","message":"the file has 7 bytes`), log)
		require.Contains(t, log, `"from":0`)
	}
	require.NotContains(t, leave(t, "killed").open(t), "warn")
	log := leave(t, "closed").open(t)
	require.Contains(t, log, `"records":0`)
}

// haste is a clock that is read only now and then: between two looks at it a third of a second passes.
type haste struct{ *clockwork.FakeClock }

func (h haste) Now() time.Time {
	h.Advance(time.Second / 3)
	return h.FakeClock.Now()
}

// Long work says each second how far it is, and no more often.
func TestLongWorkIsLogged(t *testing.T) {
	const records = 40_000
	fsys, cfg := vfs.NewMem(), DefaultConfig()
	cfg.StorePathRootDir, cfg.CommitLogFileSize, cfg.ConsumeQueueFileSize = "/store", 16<<20, records*unitBytes
	cfg.MaxHashSlotNum, cfg.MaxIndexNum = 1000, records*5
	s := newStore(t, fsys, cfg)
	for i := range records {
		mustPut(t, s, newMessage("T", 0, fmt.Sprint(i)))
	}
	end := s.Marks().Appended
	require.NoError(t, s.Close())
	require.NoError(t, vfs.RemoveAll(fsys, "/store/consumequeue"))
	deps := newDeps(fsys)
	deps.Clock = haste{deps.Clock.(*clockwork.FakeClock)}
	var log strings.Builder
	deps.Log = zerolog.New(&log)
	s, err := Open(cfg, deps)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	told := 0
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "reading the commit log") {
			told++
			require.Contains(t, line, fmt.Sprintf(`"of":%d`, cfg.CommitLogFileSize), "of what is there, the end is not known yet")
		}
	}
	require.Less(t, end, cfg.CommitLogFileSize)
	require.GreaterOrEqual(t, told, 2, log.String())
	require.LessOrEqual(t, told, records/4096/3+1, log.String())
}

// When Java has had the store in between, what we knew of it does not count.
func TestJavaInBetween(t *testing.T) {
	for _, ending := range []string{"closed", "killed"} {
		t.Run(ending, func(t *testing.T) {
			d := leave(t, ending)
			was := map[string][]byte{}
			for _, name := range []string{markName, listName} {
				was[name] = readFile(t, d.fs, "/store/"+name)
			}
			// A broker without mark and list takes the store over and goes on.
			d.remove(t, markName, listName)
			s := newStoreAfter(t, d.fs, d.cfg, d.boot)
			s.startMs += 60_000
			for i := range 100 {
				body := fmt.Sprint("more", i)
				m := newMessage("T", int32(i%3), body)
				s.log.lastStoreMs = s.startMs + int64(i)
				mustPut(t, s, m)
				d.bodies[int32(i%3)] = append(d.bodies[int32(i%3)], body)
			}
			require.NoError(t, s.DeleteTopic("None"))
			require.NoError(t, s.Close())
			for name, b := range was {
				require.NoError(t, vfs.WriteFile(d.fs, "/store/"+name, b))
			}
			log := d.open(t)
			require.Contains(t, log, `"listed":false`)
			require.NotContains(t, log, "warn")
		})
	}
}

// A unit that points at something else than its record is never followed: an
// error names it, and the next start makes the queue again.
func TestUnitsThatPointNowhere(t *testing.T) {
	for name, u := range map[string]unit{
		"zeros":             {},
		"negative":          {phyOffset: -5, size: 100},
		"huge":              {phyOffset: 0, size: 1 << 30},
		"behind the end":    {phyOffset: 1 << 40, size: 100},
		"into a record":     {phyOffset: 10, size: 100},
		"of a shorter size": {phyOffset: 0, size: 100},
		"another record's":  {phyOffset: 0, size: 131},
	} {
		for _, ending := range []string{"closed", "killed"} {
			t.Run(name+"/"+ending, func(t *testing.T) {
				d := leave(t, ending)
				var b [unitBytes]byte
				u.put(b[:])
				d.scribble(t, q1+segmentName(400), 100, string(b[:]))
				s := newStoreAfter(t, d.fs, d.cfg, d.boot)
				batch, ms := mustGet(t, s, GetRequest{Topic: "T", QueueID: 1, Offset: 20, MaxMsgs: 32})
				require.Equal(t, d.bodies[1][20:25], bodiesOf(ms), "what is before it")
				require.Equal(t, int64(25), batch.NextOffset)
				_, err := s.Get(GetRequest{Topic: "T", QueueID: 1, Offset: 25, MaxMsgs: 32})
				var corrupt *CorruptError
				require.ErrorAs(t, err, &corrupt)
				require.Equal(t, "/store/"+q1+segmentName(400), corrupt.File)
				require.Equal(t, int64(100), corrupt.Offset)
				require.NoError(t, s.Close())
				require.Contains(t, d.open(t), "wrong units")
			})
		}
	}
}

// A unit that points behind the end of the log where we closed it is the queue's damage. Of Java's log nobody knows where it
// was closed: the refusal names the queue, too, and repair believes the log.
func TestAUnitBehindTheEndOfTheLog(t *testing.T) {
	for _, c := range []struct{ ending, gone string }{{"closed", listName}, {"closed", "consumequeue/T/2/" + segmentName(0)}, {"closed by Java", ""}} {
		t.Run(c.ending+c.gone, func(t *testing.T) {
			d := leave(t, c.ending)
			var b [unitBytes]byte
			unit{phyOffset: 1 << 40, size: 100}.put(b[:])
			d.scribble(t, q1+segmentName(1600), 19*unitBytes, string(b[:]))
			if c.gone != "" {
				d.remove(t, c.gone)
			} else {
				require.ErrorContains(t, openFail(t, d.fs, d.cfg), "; the queue /store/consumequeue/T/1 knows of records up to 1099511627876, ")
				require.NoError(t, Repair(d.cfg, newDeps(d.fs), false, func(Finding) {}))
			}
			d.open(t)
		})
	}
}

func bodiesOf(ms []message.Message) (bodies []string) {
	for _, m := range ms {
		bodies = append(bodies, string(m.Body))
	}
	return bodies
}

// The policy for the log (docs/format/commitlog.md): garbage behind the end is
// cut, damage in what was durable or is followed by records is refused.
func TestDamagedLog(t *testing.T) {
	record := func(t testing.TB, d *damaged, n int) (file string, pos int64) {
		s := newStoreAfter(t, d.fs.Clone(), d.cfg, d.boot)
		defer s.release()
		phy, _, _, ok := s.TagsCodeAt("T", int32(n%3), int64(n/3))
		require.True(t, ok)
		return "commitlog/" + segmentName(phy-phy%8192), phy % 8192
	}
	end := func(t testing.TB, d *damaged) (file string, pos int64) {
		s := newStoreAfter(t, d.fs.Clone(), d.cfg, d.boot)
		defer s.release()
		phy := s.Marks().Appended
		return "commitlog/" + segmentName(phy-phy%8192), phy % 8192
	}
	half, err := message.AppendRecord(nil, newMessage("T", 0, strings.Repeat("half", 5)))
	require.NoError(t, err)
	for name, tail := range map[string]string{
		"half a record": string(half[:100]), "garbage": "\x01garbage, and more of it", "an impossible length": "\xff\xff\xff\xff\xda\xa3\x20\xa7" + strings.Repeat("\x00", 80),
		"a tiny length": "\x00\x00\x00\x05\xda\xa3\x20\xa7", "a huge length": "\x7f\xff\xff\xff\xda\xa3\x20\xa7", "a record of another offset": string(half),
		"a filler of a wrong length": "\x00\x00\x00\x08\xcb\xd4\x31\x94",
	} {
		for _, ending := range []string{"killed", "power loss", "killed by Java"} {
			t.Run(name+" behind the end/"+ending, func(t *testing.T) {
				d := leave(t, ending)
				file, pos := end(t, d)
				d.scribble(t, file, pos, tail)
				d.open(t)
			})
		}
	}
	const (
		unread  = "" // the start does not read that far: everything else is there, and the record is an error
		refused = "refused"
		cut     = "cut" // nothing tells it from a record that was being written, or Java had no time to note more
	)
	for ending, outcomes := range map[string]map[int]string{ // of damage to a message's record; durable are 0 to 200, listed to 250
		"closed":         {10: unread, 170: unread, 260: unread, 299: refused},
		"killed":         {10: unread, 170: unread, 260: refused, 299: cut},
		"power loss":     {10: unread, 170: unread, 260: refused, 299: refused},
		"closed by Java": {10: unread, 170: unread, 260: unread, 299: refused},
		"killed by Java": {10: cut, 170: cut, 260: cut, 299: cut},
	} {
		for n, want := range outcomes {
			t.Run(fmt.Sprintf("record %d is damaged/%s", n, ending), func(t *testing.T) {
				d := leave(t, ending)
				file, pos := record(t, d, n)
				was := string(readFile(t, d.fs, "/store/"+file)[pos+90 : pos+96])
				d.scribble(t, file, pos+90, "damage")
				deps := newDeps(d.fs)
				deps.Host.BootID += d.boot
				s, err := Open(d.cfg, deps)
				var corrupt *CorruptError
				switch want {
				case unread:
					require.NoError(t, err)
					require.Equal(t, damagedMessages/3, int(must3(s.QueueRange("T", 0))))
					_, err := s.Get(GetRequest{Topic: "T", QueueID: int32(n % 3), Offset: int64(n / 3), MaxMsgs: 1})
					require.ErrorAs(t, err, &corrupt)
					s.release()
				case refused:
					require.ErrorAs(t, err, &corrupt)
					require.Equal(t, "/store/"+file, corrupt.File)
					require.Equal(t, pos, corrupt.Offset)
					d.scribble(t, file, pos+90, was) // nothing was changed: with the damage undone, all is there
					d.open(t)
				case cut:
					require.NoError(t, err)
					for q, bodies := range d.bodies {
						kept := readAll(t, s, "T", q)
						require.Equal(t, bodies[:len(kept)], kept)
						require.InDelta(t, n/3, len(kept), 1)
					}
					s.release()
				}
			})
		}
	}
}

// After Java was killed, too, a file that is known to have been flushed is not given up for damage before it.
func TestFlushedFilesOfJavaAreNotCut(t *testing.T) {
	fsys, cfg, _ := filled(t, 200)
	forgetOurs(t, fsys, cfg)
	makeFile(t, fsys, "/store/abort", 0)
	overwrite(t, fsys, "/store/checkpoint", 0, binary.BigEndian.AppendUint64(nil, 1_700_000_000_001))
	overwrite(t, fsys, "/store/commitlog/"+segmentName(8192), 5, []byte("damage"))
	before := fsys.Clone()
	for range 2 {
		require.ErrorContains(t, openFail(t, fsys, cfg), "/store/commitlog/"+segmentName(8192)+": corrupt at byte 0")
	}
	for _, name := range mustList(t, before, "/store/commitlog") {
		require.Equal(t, readFile(t, before, "/store/commitlog/"+name), readFile(t, fsys, "/store/commitlog/"+name))
	}
}

func must3(_, max int64, _ bool) int64 { return max }

// A start that is refused for damage to the log is refused the next time, too, whatever it had to repair before it came
// upon the damage: nothing of what is behind is cut. With the damage undone, all is there.
func TestARefusalIsRepeated(t *testing.T) {
	for _, ending := range endings {
		for _, c := range damages {
			if c.ours && strings.HasSuffix(ending, "Java") || strings.Contains(c.name, "mark") || strings.Contains(c.name, "checkpoint") {
				continue // then less is known of what was durable
			}
			if ending == "killed by Java" && c.name == "no abort" {
				continue // see TestDamageIsRepaired
			}
			t.Run(ending+"/"+c.name, func(t *testing.T) {
				d := leave(t, ending)
				c.harm(t, d)
				log := "commitlog/" + segmentName(0)
				was := string(readFile(t, d.fs, "/store/"+log)[80:100])
				d.scribble(t, log, 80, "damaged all the way.")
				for n := range 3 {
					deps := newDeps(d.fs)
					deps.Host.BootID += d.boot
					s, err := Open(d.cfg, deps)
					if err == nil && n == 0 { // it does not read that far
						s.release()
						return
					}
					require.ErrorContains(t, err, "/store/commitlog/"+segmentName(0)+": corrupt at byte 0", "start %d", n)
				}
				d.scribble(t, log, 80, was)
				d.open(t)
			})
		}
	}
}

// The way on from a refused start: repair says what it would give up, and with
// cut it gives that up and keeps a copy.
func TestRepairAfterRefusal(t *testing.T) {
	for _, ending := range []string{"closed", "killed", "power loss"} {
		t.Run(ending, func(t *testing.T) {
			d := leave(t, ending)
			name := "commitlog/" + segmentName(8192)
			d.scribble(t, name, 0, "damage")
			deps := newDeps(d.fs)
			deps.Host.BootID += d.boot
			require.Error(t, Repair(d.cfg, deps, false, func(Finding) {}))
			require.NoError(t, Repair(d.cfg, deps, true, func(Finding) {}))
			s := newStoreAfter(t, d.fs, d.cfg, d.boot)
			for q, bodies := range d.bodies {
				kept := readAll(t, s, "T", q)
				require.NotEmpty(t, kept)
				require.Equal(t, bodies[:len(kept)], kept)
			}
			require.Less(t, s.Marks().Appended, int64(8192)+1)
			require.NoError(t, s.Close())
		})
	}
}
