// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"maps"
	"math/rand"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"

	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

// crashModel is what must and what may be in the store.
type crashModel struct {
	t       *testing.T
	rng     *rand.Rand
	fs      *vfs.Mem
	cfg     Config
	s       *Store
	log     []modelRecord // in log order
	flushed int64
	serial  int
}

type modelRecord struct {
	topic   string
	queueID int32
	body    string
	r       Receipt
}

func crashSeed(t *testing.T) int64 {
	seed := int64(1)
	if text := os.Getenv("CRASH_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseInt(text, 10, 64)
		require.NoError(t, err)
	}
	return seed
}

// TestCrash runs random operations and at random points takes what a power loss
// or a kill would leave, opens it, and compares: everything flushed (after a
// kill: everything appended) is there, in order, nothing else, and nothing is
// there twice. CRASH_SEED repeats one run.
func TestCrash(t *testing.T) {
	runs := 60
	if testing.Short() {
		runs = 10
	}
	first := crashSeed(t)
	if os.Getenv("CRASH_SEED") != "" {
		runs = 1
	}
	for seed := first; seed < first+int64(runs); seed++ {
		if !t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { crashRun(t, seed) }) {
			t.Fatalf("repeat with CRASH_SEED=%d", seed)
		}
	}
}

func crashRun(t *testing.T, seed int64) {
	m := &crashModel{t: t, rng: rand.New(rand.NewSource(seed)), fs: vfs.NewMem(), cfg: smallConfig("/store")}
	if m.rng.Intn(2) == 0 {
		m.cfg.CommitLogWritePath = "pwrite"
	}
	m.s = newStore(t, m.fs, m.cfg)
	for step := 0; step < 150; step++ {
		m.step()
		if step%10 == 9 {
			// A look at a copy: the run goes on with the original.
			m.verify(m.fs.CrashClone(m.rng), m.flushed)
			m.verify(m.fs.Clone(), m.s.Marks().Appended)
		}
		if m.rng.Intn(40) == 0 {
			m.restart()
		}
	}
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
		require.NoError(m.t, m.s.check.save(m.fs))
	case 3:
		m.s.deps.Clock.(*clockwork.FakeClock).Advance(time.Duration(m.rng.Intn(4000)) * time.Millisecond)
	case 4:
		m.truncate()
	default:
		n := 1 + m.rng.Intn(5)
		topic, id := fmt.Sprintf("T%d", m.rng.Intn(2)), int32(m.rng.Intn(2))
		var ms []message.Message
		for range n {
			m.serial++
			msg := newMessage(topic, id, strconv.Itoa(m.serial))
			msg.Body = append(msg.Body, strings.Repeat(".", m.rng.Intn(600))...)
			ms = append(ms, *msg)
		}
		rs, err := m.s.PutBatch(ms)
		require.NoError(m.t, err)
		for i, r := range rs {
			m.log = append(m.log, modelRecord{topic, id, string(ms[i].Body), r})
		}
	}
}

// truncate drops the last few records, as a replica does that was ahead of its
// new master.
func (m *crashModel) truncate() {
	if len(m.log) == 0 {
		return
	}
	keep := max(len(m.log)-m.rng.Intn(20), 1)
	end := m.log[keep-1].r.EndOffset
	require.NoError(m.t, m.s.TruncateTo(end))
	m.log = m.log[:keep]
	m.flushed = min(m.flushed, end)
	require.Equal(m.t, end, m.s.Marks().Appended)
}

// verify opens a disk and compares it with the model.
func (m *crashModel) verify(disk *vfs.Mem, atLeast int64) {
	s := newStore(m.t, disk, m.cfg)
	m.compare(s, atLeast)
	// The recovered store goes on, and a clean stop keeps all.
	end := s.Marks().Appended
	r := mustPut(m.t, s, newMessage("T0", 0, "after"))
	require.GreaterOrEqual(m.t, r.PhyOffset, end)
	require.NoError(m.t, s.Close())
	s = newStore(m.t, disk, m.cfg)
	got, err := s.Message(r.PhyOffset)
	require.NoError(m.t, err)
	require.Equal(m.t, "after", string(got.Body))
	_, max, _ := s.QueueRange("T0", 0)
	require.Equal(m.t, r.QueueOffset+1, max)
	require.NoError(m.t, s.Close())
}

func (m *crashModel) compare(s *Store, atLeast int64) {
	end := s.Marks().Appended
	require.GreaterOrEqual(m.t, end, atLeast, "durable records are lost")
	want := map[string][]string{}
	for _, x := range m.log {
		if x.r.EndOffset <= end {
			key := fmt.Sprintf("%s-%d", x.topic, x.queueID)
			want[key] = append(want[key], x.body)
			rec, err := s.Record(x.r.PhyOffset)
			require.NoError(m.t, err)
			require.Equal(m.t, x.r.QueueOffset, message.RecordQueueOffset(rec))
			uniq := strings.TrimRight(x.body, ".")
			offs, _, _, err := s.QueryIndex(x.topic, "U"+uniq, 10, 0, 1<<60)
			require.NoError(m.t, err)
			n := 0
			for _, off := range offs {
				if off == x.r.PhyOffset {
					n++
				}
			}
			require.Equal(m.t, 1, n, "index entries of %s at %d: %v", uniq, x.r.PhyOffset, offs)
		}
	}
	have := map[string][]string{}
	for _, topic := range s.Topics() {
		for _, id := range s.Queues(topic) {
			if bodies := readAll(m.t, s, topic, id); len(bodies) > 0 {
				have[fmt.Sprintf("%s-%d", topic, id)] = bodies
			}
		}
	}
	require.Equal(m.t, slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(have)))
	for k := range want {
		require.Equal(m.t, want[k], have[k], k)
	}
}

// restart stops the store in one of three ways and goes on with what is left.
func (m *crashModel) restart() {
	how := m.rng.Intn(3)
	switch how {
	case 0:
		require.NoError(m.t, m.s.Close())
		m.s = newStore(m.t, m.fs, m.cfg)
	case 1:
		m.fs = m.fs.Clone()
		m.s = newStore(m.t, m.fs, m.cfg)
	case 2:
		m.fs = m.fs.CrashClone(m.rng)
		m.s = newStore(m.t, m.fs, m.cfg)
	}
	atLeast := m.flushed
	if how != 2 && len(m.log) > 0 {
		atLeast = m.log[len(m.log)-1].r.EndOffset
	}
	m.compare(m.s, atLeast)
	end := m.s.Marks().Appended
	m.log = slices.DeleteFunc(m.log, func(x modelRecord) bool { return x.r.EndOffset > end })
	m.flushed = end
}
