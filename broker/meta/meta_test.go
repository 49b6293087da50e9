// SPDX-License-Identifier: Apache-2.0

package meta

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"rocketd/compat/fastjson"
	"rocketd/internal/testkit"
	"rocketd/protocol"
	"rocketd/store/vfs"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const dir = "/store/config"

func newTopics(t *testing.T, fsys vfs.FS) *Topics {
	t.Helper()
	topics := NewTopics(dir+"/topics.json", fsys, newClock(), zerolog.Nop())
	require.NoError(t, topics.Load())
	return topics
}

func newClock() *clockwork.FakeClock {
	return clockwork.NewFakeClockAt(time.UnixMilli(1_700_000_000_000))
}

func newOffsets(t *testing.T, fsys vfs.FS) *Offsets {
	t.Helper()
	offsets := NewOffsets(dir+"/consumerOffset.json", fsys, newClock(), zerolog.Nop())
	require.NoError(t, offsets.Load())
	return offsets
}

func topic(name string, queues int32) *protocol.TopicConfig {
	return protocol.NewTopicConfig(name, queues, queues, protocol.PermRead|protocol.PermWrite)
}

// javaFile puts a file that Java 5.5.0 wrote into a file system.
func javaFile(t *testing.T, fsys vfs.FS, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/java-5.5.0/" + name)
	require.NoError(t, err)
	require.NoError(t, fsys.MkdirAll(dir))
	require.NoError(t, vfs.WriteFileAtomic(fsys, dir+"/"+name, text))
	return text
}

func mustRead(t *testing.T, fsys vfs.FS, name string) string {
	t.Helper()
	text, err := vfs.ReadFile(fsys, dir+"/"+name)
	require.NoError(t, err)
	return string(text)
}

// requireSameJSON compares what files say, whatever the order of members and the quotes of numbers.
func requireSameJSON(t *testing.T, want, got string) {
	t.Helper()
	var w, g map[string]any
	require.NoError(t, fastjson.Unmarshal([]byte(want), &w))
	require.NoError(t, fastjson.Unmarshal([]byte(got), &g))
	require.Equal(t, w, g)
}

func TestTopicsOfJavaSurviveARewrite(t *testing.T) {
	fsys := vfs.NewMem()
	before := javaFile(t, fsys, "topics.json")
	topics := newTopics(t, fsys)
	cfg, ok := topics.Get("Typed")
	require.True(t, ok)
	require.Equal(t, map[string]string{"message.type": "FIFO", "reserve.time": "100"}, cfg.Attributes)
	ordered, ok := topics.Get("Ordered")
	require.True(t, ok)
	require.Equal(t, []any{true, int32(4), int32(8), int32(2)}, []any{ordered.Order, ordered.Perm, ordered.ReadQueueNums, ordered.WriteQueueNums})

	require.NoError(t, topics.Put(topic("Typed", 3)))
	require.NoError(t, topics.Put(cfg))
	text := mustRead(t, fsys, "topics.json")
	_, version := topics.All()
	require.Equal(t, protocol.DataVersion{Counter: 23, TimestampMs: 1_700_000_000_000}, version)
	var want, got map[string]any
	require.NoError(t, fastjson.Unmarshal(before, &want))
	require.NoError(t, fastjson.Unmarshal([]byte(text), &got))
	delete(want, "dataVersion")
	delete(got, "dataVersion")
	require.Equal(t, want, got)
}

func TestTheFileHasJavasForm(t *testing.T) {
	fsys := vfs.NewMem()
	topics := newTopics(t, fsys)
	cfg := topic("T", 4)
	cfg.Attributes = map[string]string{"message.type": "FIFO"}
	require.NoError(t, topics.PutAll([]*protocol.TopicConfig{cfg, topic("A", 1)}))
	require.Equal(t, strings.ReplaceAll(`{
	"dataVersion":{
		"counter":1,
		"stateVersion":0,
		"timestamp":1700000000000
	},
	"topicConfigTable":{
		"A":{
			"attributes":{},
			"order":false,
			"perm":6,
			"readQueueNums":1,
			"topicFilterType":"SINGLE_TAG",
			"topicName":"A",
			"topicSysFlag":0,
			"writeQueueNums":1
		},
		"T":{
			"attributes":{
				"message.type":"FIFO"
			},
			"order":false,
			"perm":6,
			"readQueueNums":4,
			"topicFilterType":"SINGLE_TAG",
			"topicName":"T",
			"topicSysFlag":0,
			"writeQueueNums":4
		}
	}
}`, "\r", ""), mustRead(t, fsys, "topics.json"))

	offsets := newOffsets(t, fsys)
	require.NoError(t, offsets.Save())
	offsets.Commit("g", "T", 10, 7)
	offsets.Commit("g", "T", 2, 100)
	require.NoError(t, offsets.Save())
	require.Equal(t, `{
	"dataVersion":{
		"counter":0,
		"stateVersion":0,
		"timestamp":1700000000000
	},
	"offsetTable":{
		"T@g":{
			"2":100,
			"10":7
		}
	},
	"pullOffsetTable":{}
}`, mustRead(t, fsys, "consumerOffset.json"))
}

func TestUnknownMembersSurvive(t *testing.T) {
	fsys := vfs.NewMem()
	require.NoError(t, fsys.MkdirAll(dir))
	require.NoError(t, vfs.WriteFileAtomic(fsys, dir+"/topics.json", []byte(`{"dataVersion":{"counter":3,"stateVersion":2,"timestamp":1},
		"later":{0:[1,2],"x":'y'},"topicConfigTable":{"T":{"topicName":"T","perm":6,"readQueueNums":4,"writeQueueNums":4,"future":{"a":1}}}}`)))
	topics := newTopics(t, fsys)
	require.NoError(t, topics.Put(topic("T", 8)))
	require.NoError(t, topics.Put(topic("U", 1)))
	text := mustRead(t, fsys, "topics.json")
	requireSameJSON(t, `{"dataVersion":{"counter":5,"stateVersion":2,"timestamp":1700000000000},"later":{"0":[1,2],"x":"y"},"topicConfigTable":{
		"T":{"attributes":{},"future":{"a":1},"order":false,"perm":6,"readQueueNums":8,"topicFilterType":"SINGLE_TAG","topicName":"T","topicSysFlag":0,"writeQueueNums":8},
		"U":{"attributes":{},"order":false,"perm":6,"readQueueNums":1,"topicFilterType":"SINGLE_TAG","topicName":"U","topicSysFlag":0,"writeQueueNums":1}}}`, text)
}

func TestGroupsOfJavaSurviveARewrite(t *testing.T) {
	fsys := vfs.NewMem()
	before := javaFile(t, fsys, "subscriptionGroup.json")
	groups := NewGroups(dir+"/subscriptionGroup.json", fsys, newClock(), zerolog.Nop())
	require.NoError(t, groups.Load())
	require.Equal(t, map[string]map[string]int32{"G_adm": {"Plain": 4}}, groups.ForbiddenTable())
	cfg, ok := groups.Get("G_adm")
	require.True(t, ok)
	require.False(t, cfg.ConsumeBroadcastEnable)
	require.Equal(t, protocol.RetryExponential, cfg.GroupRetryPolicy.Type)

	_, err := groups.Ensure(protocol.NewGroupConfig("another"))
	require.NoError(t, err)
	require.NoError(t, groups.Delete("another"))
	var want, got map[string]any
	require.NoError(t, fastjson.Unmarshal(before, &want))
	require.NoError(t, fastjson.Unmarshal([]byte(mustRead(t, fsys, "subscriptionGroup.json")), &got))
	delete(want, "dataVersion")
	delete(got, "dataVersion")
	require.Equal(t, want, got)
}

func TestOffsetsOfJavaAreRead(t *testing.T) {
	fsys := vfs.NewMem()
	javaFile(t, fsys, "consumerOffset.json")
	offsets := newOffsets(t, fsys)
	require.Equal(t, map[int32]int64{0: 5, 3: 8589934592}, offsets.QueryAll("G_adm", "Plain"))
	require.Equal(t, []string{"Plain", "Typed"}, offsets.TopicsOf("G_adm"))
	require.Equal(t, []string{"G1"}, offsets.GroupsOf("T1"))

	javaFile(t, fsys, "delayOffset.json")
	delays := NewDelays(dir+"/delayOffset.json", fsys, newClock(), zerolog.Nop())
	require.NoError(t, delays.Load())
	require.Equal(t, map[int32]int64{3: 1}, delays.All())
}

func TestOffsetsComeBackAsTheyWere(t *testing.T) {
	fsys := vfs.NewMem()
	require.NoError(t, fsys.MkdirAll(dir))
	require.NoError(t, vfs.WriteFileAtomic(fsys, dir+"/consumerOffset.json",
		[]byte(`{"groupTopicMap":{"g":["T"]},"offsetTable":{"T@g":{0:100,1:7},"T@g@broadcast":{0:1}},"lmqOffsetTable":{"%LMQ%x@g":3}}`)))
	offsets := newOffsets(t, fsys)
	offsets.Commit("g", "T", 1, 8)
	offsets.Commit("h", `T"\`, 0, -1)
	offsets.CommitPull("g", "T", 0, 120)
	require.True(t, offsets.Dirty())
	require.NoError(t, offsets.Save())
	require.False(t, offsets.Dirty())

	again := newOffsets(t, fsys)
	require.Equal(t, map[int32]int64{0: 100, 1: 8}, again.QueryAll("g", "T"))
	require.Equal(t, map[int32]int64{0: 1}, again.QueryAll("g@broadcast", "T"))
	require.Equal(t, map[int32]int64{0: -1}, again.QueryAll("h", `T"\`))
	pulled, ok := again.QueryPull("g", "T", 0)
	require.Equal(t, []any{int64(120), true}, []any{pulled, ok})
	require.Contains(t, mustRead(t, fsys, "consumerOffset.json"), `"lmqOffsetTable"`)
	require.NotContains(t, mustRead(t, fsys, "consumerOffset.json"), `"groupTopicMap"`)

	again.DeleteGroup("h")
	again.DeleteTopic("T")
	require.NoError(t, again.Save())
	require.Empty(t, newOffsets(t, fsys).TopicsOf("g"))
}

func TestACommitThatCameEarlierDoesNotLowerALaterOne(t *testing.T) {
	for name, c := range map[string]struct{ before, meanwhile, offset, want int64 }{ // -1: none
		"nothing meanwhile":           {5, -1, 7, 7},
		"nothing meanwhile, backward": {5, -1, 3, 3},
		"the first":                   {-1, -1, 3, 3},
		"a later one is higher":       {5, 9, 7, 9},
		"a later one is lower":        {5, 6, 7, 7},
		"the first, a later one":      {-1, 9, 7, 9},
	} {
		t.Run(name, func(t *testing.T) {
			offsets := newOffsets(t, vfs.NewMem())
			if c.before >= 0 {
				offsets.Commit("g", "T", 0, c.before)
			}
			seen := offsets.See("g", "T", 0)
			if c.meanwhile >= 0 {
				offsets.Commit("g", "T", 0, c.meanwhile)
			}
			offsets.CommitSince(seen, "g", "T", 0, c.offset)
			got, _ := offsets.Query("g", "T", 0)
			require.Equal(t, c.want, got)
		})
	}
}

func TestAResetIsPendingUntilItIsTaken(t *testing.T) {
	offsets := newOffsets(t, vfs.NewMem())
	offsets.Commit("g", "T", 0, 50)
	offsets.AssignReset("g", "T", 0, 10)
	got, ok := offsets.Query("g", "T", 0)
	require.True(t, ok)
	require.EqualValues(t, 10, got)
	_, ok = offsets.PendingReset("g", "T", 0)
	require.True(t, ok)
	got, ok = offsets.TakeReset("g", "T", 0)
	require.True(t, ok)
	require.EqualValues(t, 10, got)
	_, ok = offsets.TakeReset("g", "T", 0)
	require.False(t, ok)
}

func TestOffsetsGetANewVersionNowAndThen(t *testing.T) {
	fsys := vfs.NewMem()
	offsets := newOffsets(t, fsys)
	for i := range int64(2 * offsetsPerVersion) {
		offsets.Commit("g", "T", 0, i)
	}
	require.NoError(t, offsets.Save())
	require.Contains(t, mustRead(t, fsys, "consumerOffset.json"), `"counter":2,`)
}

func TestADamagedFileIsSetAsideAndItsBackupUsed(t *testing.T) {
	for name, damage := range map[string]string{"empty": "", "cut": `{"topicConfigTable":{"T":{"perm`, "not JSON": "\x00\x00\x00"} {
		t.Run(name, func(t *testing.T) {
			fsys := vfs.NewMem()
			topics := newTopics(t, fsys)
			require.NoError(t, topics.Put(topic("A", 1)))
			require.NoError(t, topics.Put(topic("B", 1)))
			require.NoError(t, vfs.WriteFile(fsys, dir+"/topics.json", []byte(damage)))

			again := newTopics(t, fsys)
			_, ok := again.Get("A")
			require.True(t, ok)
			require.Equal(t, damage, mustRead(t, fsys, "topics.json.damaged-1700000000000"))
			require.NoError(t, again.Put(topic("C", 1)))
			_, ok = newTopics(t, fsys).Get("C")
			require.True(t, ok)
			_, ok = newTopics(t, fsys).Get("A")
			require.True(t, ok)
		})
	}
}

func TestWithoutAReadableCopyTheStartIsRefused(t *testing.T) {
	fsys := vfs.NewMem()
	require.NoError(t, fsys.MkdirAll(dir))
	for _, broken := range [][2]string{{"{", "{"}, {"{", ""}, {"[", "-"}, {"-", "x"}} {
		for i, suffix := range []string{"", ".bak"} {
			name := dir + "/topics.json" + suffix
			if broken[i] == "-" {
				_ = fsys.Remove(name)
			} else {
				require.NoError(t, vfs.WriteFileAtomic(fsys, name, []byte(broken[i])))
			}
		}
		for range 2 { // also the second time: the damaged files stay where they are
			topics := NewTopics(dir+"/topics.json", fsys, newClock(), zerolog.Nop())
			require.ErrorContains(t, topics.Load(), dir+"/topics.json")
		}
	}
}

func TestNoFileIsANewTable(t *testing.T) {
	topics := newTopics(t, vfs.NewMem())
	all, version := topics.All()
	require.Empty(t, all)
	require.Equal(t, protocol.DataVersion{TimestampMs: 1_700_000_000_000}, version)
	require.False(t, topics.Dirty())
}

// stepFS calls before ahead of every operation that changes something.
type stepFS struct {
	vfs.FS
	before func(op string) error
}

func (s *stepFS) Open(name string, flag vfs.Flag) (vfs.File, error) {
	if flag != vfs.ReadOnly {
		if err := s.before("open " + path.Base(name)); err != nil {
			return nil, err
		}
	}
	f, err := s.FS.Open(name, flag)
	if err != nil {
		return nil, err
	}
	return &stepFile{File: f, fs: s}, nil
}

func (s *stepFS) Rename(from, to string) error {
	if err := s.before("rename " + path.Base(from)); err != nil {
		return err
	}
	return s.FS.Rename(from, to)
}

func (s *stepFS) SyncDir(dir string) error {
	if err := s.before("sync dir"); err != nil {
		return err
	}
	return s.FS.SyncDir(dir)
}

type stepFile struct {
	vfs.File
	fs *stepFS
}

func (f *stepFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.fs.before("write"); err != nil {
		return 0, err
	}
	return f.File.WriteAt(p, off)
}

func (f *stepFile) Sync() error {
	if err := f.fs.before("sync"); err != nil {
		return err
	}
	return f.File.Sync()
}

func TestACrashAtAnyStepLeavesTheOldTableOrTheNew(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	disk := vfs.NewMem()
	var crashed []*vfs.Mem
	step := &stepFS{FS: disk, before: func(string) error {
		for range 8 {
			crashed = append(crashed, disk.CrashClone(rng))
		}
		return nil
	}}
	topics := newTopics(t, step)
	for i := range 6 {
		crashed = nil
		require.NoError(t, topics.Put(topic(fmt.Sprint("T", i), 100)))
		require.NotEmpty(t, crashed)
		for _, disk := range crashed {
			requireTopics(t, disk, i, i+1)
		}
		requireTopics(t, disk.CrashClone(rng), i+1, i+1)
	}
}

// requireTopics checks that a table holds T0, T1 ... and at least low, at most high of them.
func requireTopics(t *testing.T, fsys vfs.FS, low, high int) {
	t.Helper()
	all, _ := newTopics(t, fsys).All()
	require.GreaterOrEqual(t, len(all), low)
	require.LessOrEqual(t, len(all), high)
	for i := range len(all) {
		require.Contains(t, all, fmt.Sprint("T", i))
	}
}

func TestAFailureAtAnyStepIsReportedAndMadeUpFor(t *testing.T) {
	failed := errors.New("disk trouble")
	for fail := 0; ; fail++ {
		disk := vfs.NewMem()
		n, armed := 0, false
		step := &stepFS{FS: disk, before: func(string) error {
			if n++; armed && n == fail+1 {
				return failed
			}
			return nil
		}}
		topics := newTopics(t, step)
		require.NoError(t, topics.Put(topic("T0", 1)))
		armed, n = true, 0
		err := topics.Put(topic("T1", 1))
		if err == nil {
			require.Greater(t, fail, 4, "all steps were tried")
			return
		}
		require.ErrorIs(t, err, failed)
		require.ErrorContains(t, err, "topics.json")
		_, visible := topics.Get("T1")
		require.False(t, visible, "what is not on disk is not to be seen")
		requireTopics(t, disk.Clone(), 1, 2)

		require.True(t, topics.Dirty())
		armed = false
		require.NoError(t, topics.Save())
		_, visible = topics.Get("T1")
		require.True(t, visible)
		requireTopics(t, disk.Clone(), 2, 2)
	}
}

func TestCreationsThatWaitTogetherShareAWrite(t *testing.T) {
	const creations = 200
	disk := vfs.NewMem()
	var mu sync.Mutex
	saves, gate := 0, make(chan struct{})
	step := &stepFS{FS: disk, before: func(op string) error {
		if op == "open topics.json.tmp" {
			mu.Lock()
			saves++
			first := saves == 1
			mu.Unlock()
			if first {
				<-gate
			}
		}
		return nil
	}}
	topics := newTopics(t, step)
	var created sync.WaitGroup
	for i := range creations {
		created.Add(1)
		go func() {
			defer created.Done()
			isNew, err := topics.Ensure(topic(fmt.Sprint("T", i/2), 1))
			_ = isNew
			if err != nil {
				t.Error(err)
			}
			if _, ok := topics.Get(fmt.Sprint("T", i/2)); !ok {
				t.Error("acknowledged and not there")
			}
		}()
	}
	testkit.Eventually(t, func() bool { return topics.table.commits.newest() == creations/2 }, "all have asked")
	close(gate)
	created.Wait()
	require.LessOrEqual(t, saves, 3)
	requireTopics(t, disk.CrashClone(rand.New(rand.NewSource(1))), creations/2, creations/2)
}

func TestEnsureKeepsWhatIsThere(t *testing.T) {
	topics := newTopics(t, vfs.NewMem())
	created, err := topics.Ensure(topic("T", 4))
	require.NoError(t, err)
	require.True(t, created)
	created, err = topics.Ensure(topic("T", 8))
	require.NoError(t, err)
	require.False(t, created)
	cfg, _ := topics.Get("T")
	require.EqualValues(t, 4, cfg.ReadQueueNums)
	n, err := topics.EnsureAll([]*protocol.TopicConfig{topic("T", 1), topic("U", 1), topic("V", 1)})
	require.NoError(t, err)
	require.Equal(t, 2, n)
	_, version := topics.All()
	require.EqualValues(t, 2, version.Counter)
	require.NoError(t, topics.Delete("nobody"))
	require.NoError(t, topics.Delete("T", "U"))
	all, version := topics.All()
	require.Equal(t, []any{1, int64(3)}, []any{len(all), version.Counter})
}

func TestRunSavesInPeriodsAndAtTheEnd(t *testing.T) {
	clock := newClock()
	disk := vfs.NewMem()
	offsets := NewOffsets(dir+"/consumerOffset.json", disk, clock, zerolog.Nop())
	delays := NewDelays(dir+"/delayOffset.json", disk, clock, zerolog.Nop())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, clock, zerolog.Nop(), Job{"offsets", 5 * time.Second, offsets}, Job{"delays", 10 * time.Second, delays})
	}()
	offsets.Commit("g", "T", 0, 1)
	delays.Put(3, 7)
	require.NoError(t, clock.BlockUntilContext(ctx, 1))
	clock.Advance(5 * time.Second)
	testkit.Eventually(t, func() bool { return !offsets.Dirty() }, "offsets are saved after 5 s")
	require.True(t, delays.Dirty())
	require.NoError(t, clock.BlockUntilContext(ctx, 1))
	clock.Advance(5 * time.Second)
	testkit.Eventually(t, func() bool { return !delays.Dirty() }, "delays are saved after 10 s")
	offsets.Commit("g", "T", 0, 2)
	cancel()
	require.NoError(t, <-done)
	require.Equal(t, map[int32]int64{0: 2}, newOffsets(t, disk).QueryAll("g", "T"))
	require.Equal(t, "{\n\t\"dataVersion\":{\n\t\t\"counter\":0,\n\t\t\"stateVersion\":0,\n\t\t\"timestamp\":1700000000000\n\t},\n\t\"offsetTable\":{\n\t\t\"3\":7\n\t}\n}", mustRead(t, disk, "delayOffset.json"))
}

func TestManyOffsetsAreCheap(t *testing.T) {
	disk := vfs.NewMem()
	offsets := newOffsets(t, disk)
	for g := range 100 {
		for topic := range 100 {
			for q := range int32(8) {
				offsets.Commit(fmt.Sprint("group-", g), fmt.Sprint("topic-", topic), q, int64(q))
			}
		}
	}
	require.NoError(t, offsets.Save())
	again := newOffsets(t, disk)
	require.Len(t, again.TopicsOf("group-7"), 100)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		offsets.Commit("group-3", "topic-4", 5, 6)
		_, _ = offsets.Query("group-3", "topic-4", 5)
	}))
}

func TestWritersAndSaversAtOnce(t *testing.T) {
	disk := vfs.NewMem()
	offsets := newOffsets(t, disk)
	var all sync.WaitGroup
	for w := range 4 {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := range int64(2000) {
				offsets.Commit(fmt.Sprint("g", w), fmt.Sprint("T", i%50), int32(i%4), i)
			}
		}()
	}
	for range 20 {
		require.NoError(t, offsets.Save())
	}
	all.Wait()
	require.NoError(t, offsets.Save())
	require.Equal(t, slices.Sorted(slices.Values(offsets.TopicsOf("g0"))), newOffsets(t, disk).TopicsOf("g0"))
}
