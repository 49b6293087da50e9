// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

// tabled is a closed store with four messages of T/0 and two of delay level 1, and the tables that say so.
func tabled(t *testing.T) (*vfs.Mem, Config) {
	fsys, cfg := vfs.NewMem(), smallConfig("/store")
	s := newStore(t, fsys, cfg)
	for i := range 4 {
		mustPut(t, s, newMessage("T", 0, fmt.Sprint(i)))
	}
	for i := range 2 {
		mustPut(t, s, newMessage(message.ScheduleTopic, 0, fmt.Sprint("later", i)))
	}
	require.NoError(t, s.Close())
	require.NoError(t, fsys.MkdirAll("/store/config"))
	for name, text := range map[string]string{
		"topics.json": `{"dataVersion":{},"topicConfigTable":{"T":{"topicName":"T","readQueueNums":4,"writeQueueNums":0,"perm":6},` +
			`"SCHEDULE_TOPIC_XXXX":{"readQueueNums":18,"writeQueueNums":18,"perm":7}}}`,
		"consumerOffset.json": `{"offsetTable":{"T@g":{0:4,1:0},"T@h":{"0":0},"%RETRY%g@g":{0:-1}}}`,
		"delayOffset.json":    `{"offsetTable":{1:2,2:0}}`,
	} {
		require.NoError(t, vfs.WriteFile(fsys, "/store/config/"+name, []byte(text)))
	}
	return fsys, cfg
}

// What tables say is held against the queues. What a client may have asked for is a note; what no start would read, or only
// a broker can have written, is damage. Repair leaves all of it that a start reads.
func TestCheckReadsWhatTablesSay(t *testing.T) {
	fsys, cfg := tabled(t)
	lines, _ := findings(t, fsys, cfg)
	require.Empty(t, lines)
	for _, c := range []struct{ file, from, to, want string }{
		{"consumerOffset", "0:4", "0:5", "note: the group g has the offset 5 of T/0, which ends at 4: it may skip messages up to there"},
		{"consumerOffset", "1:0", "1:1", "note: the group g has the offset 1 of T/1, which has no queue"},
		{"consumerOffset", "1:0", "1:-7", "note: the group g has the offset -7 of T/1, which cannot be"},
		{"consumerOffset", "1:0", "-1:0", "note: the group g has an offset of T/-1, which cannot be a queue"},
		{"consumerOffset", "1:0", "65536:0", "note: the group g has an offset of T/65536, which cannot be a queue"},
		{"consumerOffset", "T@h", "Th", `note: "Th" is not of the form topic@group`},
		{"consumerOffset", "0:4", `"zero":4`, "damaged: offsetTable: "},
		{"consumerOffset", "0:4", `0:"four"`, "damaged: offsetTable: "},
		{"delayOffset", "1:2", "1:3", "damaged: delay level 1 is at 3, its queue in SCHEDULE_TOPIC_XXXX ends at 2; the next start goes back to there"},
		{"delayOffset", "1:2", "1:-2", "damaged: delay level 1 cannot be at -2"},
		{"delayOffset", "2:0", "0:0", "damaged: there is no delay level 0"},
		{"delayOffset", "2:0", "2:9", "note: delay level 2 is at 9, and has no queue in SCHEDULE_TOPIC_XXXX"},
		{"delayOffset", "1:2", "1:[2]", "damaged: offsetTable: "},
		{"topics", `"readQueueNums":4`, `"readQueueNums":-4`, "note: the topic T cannot have -4 queues"},
		{"topics", `"writeQueueNums":0`, `"writeQueueNums":70000`, "note: the topic T cannot have 70000 queues"},
		{"topics", `"writeQueueNums":0`, `"writeQueueNums":7000000000`, "damaged: topicConfigTable: "},
		{"topics", `"perm":6`, `"perm":99`, "note: the topic T cannot have the permissions 99"},
		{"topics", `"topicName":"T"`, `"topicName":"U"`, `note: the topic T calls itself "U"; its place in the table counts`},
		{"topics", `"T":`, `"../T":`, `note: "../T" cannot be a topic's name`},
		{"topics", `"T":`, `"U":`, "note: does not have the topic T, which has queues: nobody can read them until it is made again"},
	} {
		t.Run(c.want+c.to, func(t *testing.T) {
			fsys, cfg := tabled(t)
			name := "/store/config/" + c.file + ".json"
			was := string(readFile(t, fsys, name))
			require.Contains(t, was, c.from)
			text := strings.Replace(was, c.from, c.to, 1)
			require.NoError(t, vfs.WriteFile(fsys, name, []byte(text)))
			before := fsys.Clone()
			lines, damaged := findings(t, fsys, cfg)
			require.Contains(t, strings.Join(lines, "\n"), name+": "+c.want)
			require.Equal(t, strings.HasPrefix(c.want, "damaged: "), damaged == 1, lines)
			requireSameFiles(t, before, fsys)

			require.NoError(t, Repair(cfg, newDeps(fsys), false, func(f Finding) { require.NotContains(t, f.File, name) }))
			require.Equal(t, text, string(readFile(t, fsys, name)))
		})
	}
}

// After a crash the log may have lost what a level had been delivered from.
func TestADelayLevelBehindTheEndAfterACrash(t *testing.T) {
	fsys, cfg := tabled(t)
	require.NoError(t, vfs.WriteFile(fsys, "/store/config/delayOffset.json", []byte(`{"offsetTable":{1:3}}`)))
	makeFile(t, fsys, "/store/abort", 0)
	lines, damaged := findings(t, fsys, cfg)
	require.Zero(t, damaged)
	require.Contains(t, strings.Join(lines, "\n"), "delayOffset.json: note: delay level 1 is at 3")
}

// The backup is looked at when the file cannot be read, as a start does.
func TestCheckReadsTheBackupThatAStartUses(t *testing.T) {
	fsys, cfg := tabled(t)
	name := "/store/config/consumerOffset.json"
	require.NoError(t, vfs.WriteFile(fsys, name+".bak", []byte(`{"offsetTable":{"T@g":{0:9}}}`)))
	lines, _ := findings(t, fsys, cfg)
	require.Empty(t, lines)
	require.NoError(t, fsys.Remove(name))
	lines, _ = findings(t, fsys, cfg)
	require.Contains(t, strings.Join(lines, "\n"), name+".bak: note: the group g has the offset 9 of T/0, which ends at 4")
}

// Java's own tables say nothing that is held against them.
func TestJavasTablesAreTrue(t *testing.T) {
	for _, name := range []string{"stopped", "killed"} {
		fsys, cfg, _ := javaDirectory(t, name)
		lines, _ := findings(t, fsys, cfg)
		for _, line := range lines {
			require.NotContains(t, line, "/config/", name)
		}
	}
}
