// SPDX-License-Identifier: Apache-2.0

package store

import (
	"flag"
	"fmt"
	"math/rand"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"

	"rocketd/internal/testkit"
	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

var (
	crashSeed   = flag.Int64("seed", 0, "the crash test's run to repeat; 0: the runs from 1 on")
	crashPoints = flag.Int("crash.points", 5000, "at how many points the crash test cuts")
	crashReport = flag.String("crash.report", "", "a document to write the result into")
)

// crashModel is what must and what may be in the store.
type crashModel struct {
	t       testing.TB
	rng     *rand.Rand
	seed    int64
	fs      *vfs.Mem
	cfg     Config
	s       *Store
	log     []modelRecord // acknowledged, in log order
	flushed int64         // the log is acknowledged as durable up to here
	serial  int
	points  int
	boot    string // which start of the machine it is

	putting []modelRecord // a Put that has not returned: none, some or all of it may be there
	cutting bool          // a TruncateTo that has not returned: log[cut:] may be there
	cut     int
}

type modelRecord struct {
	topic   string
	queueID int32
	body    string
	r       Receipt
}

func (r modelRecord) queue() string { return fmt.Sprintf("%s-%d", r.topic, r.queueID) }

// TestCrash runs random operations. Before every single operation on the disk
// it takes what a killed process or a power loss would leave, opens that, and
// compares: what was flushed (after a kill: what was acknowledged) is there, in
// order, nothing else, and nothing twice. Recovery itself is cut, too.
func TestCrash(t *testing.T) {
	if *crashSeed != 0 {
		crashRun(t, *crashSeed)
		return
	}
	began, points, seed := time.Now(), 0, int64(1)
	for ; points < *crashPoints/testkit.Sparse(5); seed++ {
		ok := t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { points += crashRun(t, seed) })
		if !ok {
			t.Fatalf("repeat with: go test ./store -run TestCrash -seed %d", seed)
		}
	}
	result := fmt.Sprintf("%d points in %d runs: nothing lost, nothing twice, nothing that nobody sent", points, seed-1)
	t.Log(result)
	if *crashReport != "" {
		require.NoError(t, testkit.WriteRow(*crashReport, "crash points", result, fmt.Sprintf("%.0f s", time.Since(began).Seconds())))
	}
}

func crashRun(t testing.TB, seed int64) int {
	m := &crashModel{t: t, seed: seed, rng: rand.New(rand.NewSource(seed)), fs: vfs.NewMem(), cfg: smallConfig("/store")}
	m.cfg.CommitLogWritePath = []string{"pwrite", "mmap"}[m.rng.Intn(2)]
	m.s = m.open(m.fs, "")
	m.watch()
	for range 60 {
		m.step()
		if m.rng.Intn(25) == 0 {
			m.restart()
		}
	}
	m.fs.SetFault(nil)
	require.NoError(t, m.s.Close())
	return m.points
}

// open opens a disk. From how many files on all of it is synced depends on the seed.
func (m *crashModel) open(disk *vfs.Mem, boot string) *Store {
	s := newStoreAfter(m.t, disk, m.cfg, boot)
	s.queues.syncWholeFrom = []int{1, 3, syncWholeFrom}[m.seed%3]
	return s
}

// watch cuts at each operation that changes the disk.
func (m *crashModel) watch() {
	m.fs.SetFault(func(op vfs.Op) error {
		if op.Changes() {
			m.points++
			m.point(op)
		}
		return nil
	})
}

// point takes the disk as it is before op. What is drawn depends on the seed
// and the point only.
func (m *crashModel) point(op vfs.Op) {
	rng := rand.New(rand.NewSource(m.seed<<20 + int64(m.points)))
	disk, boot, atLeast := m.fs.CrashClone(rng), m.boot+" later", m.flushed
	if rng.Intn(3) == 0 {
		disk, boot, atLeast = m.fs.Clone(), m.boot, m.acknowledged()
	}
	defer func() {
		if m.t.Failed() {
			m.t.Logf("at point %d, before %s %s %d+%d, power loss: %v", m.points, op.Kind, op.Name, op.Off, op.N, boot != m.boot)
		}
	}()
	if rng.Intn(4) == 0 { // recovery is cut, and what it left recovers
		var again *vfs.Mem
		bootAgain := boot
		at := rng.Intn(12)
		disk.SetFault(func(op vfs.Op) error {
			if op.Changes() {
				if at--; at == 0 && rng.Intn(2) == 0 {
					again = disk.Clone()
				} else if at == 0 && boot != m.boot {
					again, bootAgain = disk.CrashClone(rng), boot+" still"
				}
			}
			return nil
		})
		m.verify(disk, boot, atLeast, false)
		disk.SetFault(nil)
		if again != nil {
			m.verify(again, bootAgain, atLeast, true)
		}
		return
	}
	m.verify(disk, boot, atLeast, rng.Intn(4) == 0)
}

func (m *crashModel) acknowledged() int64 {
	switch {
	case m.cutting && m.cut > 0:
		return m.log[m.cut-1].r.EndOffset
	case m.cutting || len(m.log) == 0:
		return 0
	}
	return m.log[len(m.log)-1].r.EndOffset
}

func (m *crashModel) step() {
	switch m.rng.Intn(14) {
	case 0:
		require.NoError(m.t, m.s.flushLog())
		m.flushed = m.s.Marks().Flushed
	case 1:
		require.NoError(m.t, m.s.dispatchAll())
	case 2:
		require.NoError(m.t, m.s.flushQueues(int64(m.rng.Intn(2)*100)))
		require.NoError(m.t, m.s.saveCheckpoint())
	case 3:
		m.s.deps.Clock.(*clockwork.FakeClock).Advance(time.Duration(m.rng.Intn(4000)) * time.Millisecond)
	case 4:
		m.truncate()
	default:
		m.put()
	}
}

func (m *crashModel) put() {
	topic, id := fmt.Sprintf("T%d", m.rng.Intn(2)), int32(m.rng.Intn(2))
	var ms []message.Message
	for range 1 + m.rng.Intn(5) {
		m.serial++
		msg := newMessage(topic, id, strconv.Itoa(m.serial))
		msg.Body = append(msg.Body, strings.Repeat(".", m.rng.Intn(600))...)
		ms = append(ms, *msg)
		m.putting = append(m.putting, modelRecord{topic: topic, queueID: id, body: string(msg.Body)})
	}
	rs, err := m.s.PutBatch(ms)
	require.NoError(m.t, err)
	for i, r := range rs {
		m.putting[i].r = r
	}
	m.log, m.putting = append(m.log, m.putting...), nil
}

// truncate drops the last few records, as a replica does that was ahead of its
// new master.
func (m *crashModel) truncate() {
	if len(m.log) == 0 {
		return
	}
	m.cut = max(len(m.log)-m.rng.Intn(20), 1)
	end := m.log[m.cut-1].r.EndOffset
	m.cutting = true
	m.flushed = min(m.flushed, end)
	require.NoError(m.t, m.s.TruncateTo(end))
	m.cutting = false
	m.log = slices.Clone(m.log[:m.cut])
	require.Equal(m.t, end, m.s.Marks().Appended)
}

// verify opens a disk and compares it with the model; with further, the
// recovered store goes on, and a clean stop keeps all.
func (m *crashModel) verify(disk *vfs.Mem, boot string, atLeast int64, further bool) {
	s := m.open(disk, boot)
	m.compare(s, atLeast)
	if !further {
		s.release()
		return
	}
	end := s.Marks().Appended
	r := mustPut(m.t, s, newMessage("T0", 0, "after"))
	require.GreaterOrEqual(m.t, r.PhyOffset, end)
	require.NoError(m.t, s.Close())
	s = m.open(disk, boot)
	got, err := s.Message(r.PhyOffset)
	require.NoError(m.t, err)
	require.Equal(m.t, "after", string(got.Body))
	_, max, _ := s.QueueRange("T0", 0)
	require.Equal(m.t, r.QueueOffset+1, max)
	require.NoError(m.t, s.Close())
}

func (m *crashModel) compare(s *Store, atLeast int64) {
	end := s.Marks().Appended
	require.GreaterOrEqual(m.t, end, atLeast, "acknowledged records are lost")
	have := map[string][]string{}
	total := 0
	for _, topic := range s.Topics() {
		for _, id := range s.Queues(topic) {
			bodies := readAll(m.t, s, topic, id)
			have[modelRecord{topic: topic, queueID: id}.queue()] = bodies
			total += len(bodies)
		}
	}
	whole := true
	for _, x := range m.log {
		if x.r.EndOffset > end {
			whole = false
			break
		}
		m.expect(s, have, x)
		rec, err := s.Record(x.r.PhyOffset)
		require.NoError(m.t, err)
		require.Equal(m.t, x.r.QueueOffset, message.RecordQueueOffset(rec))
		total--
	}
	for _, x := range m.putting { // not acknowledged: a first part may be there
		if !whole || total == 0 {
			break
		}
		m.expect(s, have, x)
		total--
	}
	require.Zero(m.t, total, "the queues have messages that nobody put there: %v", have)
}

// expect takes the next message of a record's queue, and looks for its key.
func (m *crashModel) expect(s *Store, have map[string][]string, x modelRecord) {
	key := x.queue()
	require.NotEmpty(m.t, have[key], "%s lacks %.9s", key, x.body)
	require.Equal(m.t, x.body, have[key][0], key)
	have[key] = have[key][1:]
	uniq := "U" + strings.TrimRight(x.body, ".")
	offs, _, _, err := s.QueryIndex(x.topic, uniq, 10, 0, 1<<60)
	require.NoError(m.t, err)
	n := 0
	for _, off := range offs {
		if got, err := s.Message(off); err == nil && strings.Contains(got.Properties, uniq+"\x02") {
			n++
		}
	}
	require.Equal(m.t, 1, n, "index entries of %s at %d: %v", uniq, x.r.PhyOffset, offs)
}

// restart stops the store in one of three ways and goes on with what is left.
func (m *crashModel) restart() {
	m.fs.SetFault(nil)
	how := m.rng.Intn(3)
	atLeast := m.acknowledged()
	switch how {
	case 0:
		require.NoError(m.t, m.s.Close())
	case 1:
		m.fs = m.fs.Clone()
	case 2:
		m.fs, m.boot, atLeast = m.fs.CrashClone(m.rng), m.boot+"'", m.flushed
	}
	m.s = m.open(m.fs, m.boot)
	end := m.s.Marks().Appended
	require.GreaterOrEqual(m.t, end, atLeast, "acknowledged records are lost")
	if m.serial%4 == 0 { // to look into the index has all tails written; mostly it goes on without
		m.compare(m.s, atLeast)
	}
	m.log = slices.DeleteFunc(slices.Clone(m.log), func(x modelRecord) bool { return x.r.EndOffset > end })
	m.flushed = end
	m.watch()
}
