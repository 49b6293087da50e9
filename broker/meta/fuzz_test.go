// SPDX-License-Identifier: Apache-2.0

package meta

import (
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"rocketd/store/vfs"
)

// loadable is what the tables have in common.
type loadable interface {
	Load() error
	Save() error
}

// FuzzTables loads each table from arbitrary bytes, as the file and as its
// backup. It never panics; a refused load leaves the files as they were; one
// that was taken is, saved and loaded again, the same.
func FuzzTables(f *testing.F) {
	tables := map[string]func(path string, fsys vfs.FS) loadable{
		"topics.json":            func(p string, fsys vfs.FS) loadable { return NewTopics(p, fsys, newClock(), zerolog.Nop()) },
		"subscriptionGroup.json": func(p string, fsys vfs.FS) loadable { return NewGroups(p, fsys, newClock(), zerolog.Nop()) },
		"consumerOffset.json":    func(p string, fsys vfs.FS) loadable { return NewOffsets(p, fsys, newClock(), zerolog.Nop()) },
		"delayOffset.json":       func(p string, fsys vfs.FS) loadable { return NewDelays(p, fsys, newClock(), zerolog.Nop()) },
		"consumerFilter.json": func(p string, fsys vfs.FS) loadable {
			return NewFilters(p, fsys, newClock(), zerolog.Nop(), FilterKit{
				Compile:   func(_, expression string) (Matcher, error) { return textMatcher(expression), nil },
				Positions: func(string, string) []int32 { return nil },
			})
		},
	}
	for _, text := range []string{
		`{"dataVersion":{"counter":1,"stateVersion":0,"timestamp":5},"topicConfigTable":{"T":{"attributes":{"+message.type":"FIFO"},"order":false,"perm":6,"readQueueNums":4,"topicFilterType":"SINGLE_TAG","topicName":"T","topicSysFlag":0,"writeQueueNums":4}}}`,
		`{"dataVersion":{},"forbiddenTable":{"g":{"T":4}},"subscriptionGroupTable":{"g":{"groupName":"g","retryQueueNums":1,"groupRetryPolicy":{"type":"CUSTOMIZED"}}}}`,
		`{"offsetTable":{"T@g":{0:100,1:7}},"pullOffsetTable":{}}`, `{"offsetTable":{3:100}}`, `{`, `null`, `[]`, `{"offsetTable":{"x":{"y":1}}}`,
		`{"forbiddenTable":5,"subscriptionGroupTable":{}}`, `{"filterDataByTopic":{"T":{"groupFilterData":{"g":{"expression":"a","dead":true},"h":null}},"U":{}}}`,
	} {
		f.Add([]byte(text), []byte(text))
		f.Add([]byte(text), []byte{})
		f.Add([]byte("{"), []byte(text))
	}
	f.Fuzz(func(t *testing.T, text, backup []byte) {
		for name, make := range tables {
			fsys := vfs.NewMem()
			require.NoError(t, fsys.MkdirAll(dir))
			require.NoError(t, vfs.WriteFile(fsys, dir+"/"+name, text))
			require.NoError(t, vfs.WriteFile(fsys, dir+"/"+name+backupSuffix, backup))
			if err := make(dir+"/"+name, fsys).Load(); err != nil {
				require.Equal(t, string(text), mustRead(t, fsys, name))
				require.Equal(t, string(backup), mustRead(t, fsys, name+backupSuffix))
				continue
			}
			table := make(dir+"/"+name, fsys)
			require.NoError(t, table.Load())
			require.NoError(t, table.Save())
			if there, err := vfs.Exists(fsys, dir+"/"+name); err != nil || !there {
				require.NoError(t, err) // set aside for its backup, and nothing to save yet
				require.Equal(t, string(backup), mustRead(t, fsys, name+backupSuffix))
				continue
			}
			was := mustRead(t, fsys, name)
			again := make(dir+"/"+name, fsys)
			require.NoError(t, again.Load(), "what was saved can be loaded")
			require.NoError(t, again.Save())
			require.Equal(t, was, mustRead(t, fsys, name))
		}
	})
}
