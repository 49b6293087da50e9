// SPDX-License-Identifier: Apache-2.0

package meta

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"rocketd/protocol"
	"rocketd/store/vfs"
)

const filtersFile = dir + "/consumerFilter.json"

type textMatcher string

func (m textMatcher) Matches(props []byte) bool { return strings.Contains(string(props), string(m)) }

func newFilters(t *testing.T, fsys vfs.FS, clock clockwork.Clock) *Filters {
	t.Helper()
	f := NewFilters(filtersFile, fsys, clock, zerolog.Nop(), FilterKit{
		Compile: func(_, expression string) (Matcher, error) {
			if expression == "bad" {
				return nil, errors.New("bad expression")
			}
			return textMatcher(expression), nil
		},
		BloomBits: 112,
		Positions: func(string, string) []int32 { return []int32{1, 2, 3} },
	})
	require.NoError(t, f.Load())
	return f
}

func subscribe(version int64, pairs ...string) (subs []protocol.SubscriptionData) {
	for i := 0; i < len(pairs); i += 2 {
		subs = append(subs, protocol.SubscriptionData{Topic: pairs[i], SubString: pairs[i+1], ExpressionType: "SQL92", SubVersion: version})
	}
	return subs
}

func isTag(expressionType string) bool { return expressionType == "TAG" }

func TestFiltersFollowTheHeartbeats(t *testing.T) {
	f := newFilters(t, vfs.NewMem(), newClock())
	f.Register("g", subscribe(2, "T", "a", "U", "b"), isTag)
	f.Register("g", subscribe(1, "T", "older"), isTag)
	got, ok := f.Get("g", "T")
	require.True(t, ok)
	require.Equal(t, "a", got.Expression)
	require.True(t, got.Matcher.Matches([]byte("xax")))
	other, _ := f.Get("g", "U")
	require.True(t, other.Dead, "no longer subscribed")
	f.Register("g", subscribe(3, "T", "bad", "U", "b"), isTag)
	_, ok = f.Get("g", "T")
	require.False(t, ok, "an expression that cannot be read is none")
	require.Empty(t, f.OfTopic("T"))
	other, _ = f.Get("g", "U")
	require.False(t, other.Dead, "subscribed again")
	f.Register("g", subscribe(4, "T", "a", "U", "b"), isTag)
	f.Unregister("g")
	got, _ = f.Get("g", "T")
	require.True(t, got.Dead)
	require.Len(t, f.OfTopic("T"), 1)
}

// The file is as Java writes it, and comes back with everything dead until its group does.
func TestFiltersAreKept(t *testing.T) {
	mem, clock := vfs.NewMem(), newClock()
	f := newFilters(t, mem, clock)
	f.Register("g", subscribe(7, "T", "a > 1"), isTag)
	require.True(t, f.Dirty())
	require.NoError(t, f.Save())
	require.False(t, f.Dirty())
	text, err := vfs.ReadFile(mem, filtersFile)
	require.NoError(t, err)
	require.JSONEq(t, `{"filterDataByTopic":{"T":{"topic":"T","groupFilterData":{"g":{"bloomFilterData":{"bitNum":112,"bitPos":[1,2,3]},
		"bornTime":1700000000000,"clientVersion":7,"consumerGroup":"g","dead":false,"deadTime":0,"expression":"a > 1","expressionType":"SQL92","topic":"T"}}}}}`, string(text))

	again := newFilters(t, mem, clock)
	got, ok := again.Get("g", "T")
	require.True(t, ok)
	require.True(t, got.Dead)
	require.EqualValues(t, 1_700_000_000_000-30_000, got.DeadTimeMs)
	again.Register("g", subscribe(7, "T", "a > 1"), isTag)
	got, _ = again.Get("g", "T")
	require.False(t, got.Dead)

	again.Unregister("g")
	clock.Advance(23 * time.Hour)
	require.NoError(t, again.Save())
	require.True(t, again.Has("g"))
	clock.Advance(2 * time.Hour)
	require.NoError(t, again.Save())
	require.False(t, again.Has("g"), "a day later nobody wants it")
	require.Empty(t, newFilters(t, mem, clock).OfTopic("T"))
}

func TestABadFilterOfTheFileIsDropped(t *testing.T) {
	mem := vfs.NewMem()
	require.NoError(t, mem.MkdirAll(dir))
	require.NoError(t, vfs.WriteFileAtomic(mem, filtersFile, []byte(`{"filterDataByTopic":{"T":{"groupFilterData":{
		"g":{"expression":"bad","expressionType":"SQL92"},"h":{"expression":"b","expressionType":"SQL92","dead":true,"deadTime":5},"n":null}}}}`)))
	f := newFilters(t, mem, newClock())
	_, ok := f.Get("g", "T")
	require.False(t, ok)
	got, ok := f.Get("h", "T")
	require.True(t, ok)
	require.EqualValues(t, 5, got.DeadTimeMs)
}
