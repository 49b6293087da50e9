// SPDX-License-Identifier: Apache-2.0

package logs

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEventsGoToTheFileOfTheirPart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "rocketmqlogs")
	files := Open(dir, "broker")
	log := files.Logger()
	log.Info().Msg("started")
	broker := log.With().Str("part", "broker").Logger()
	broker.Warn().Str("topic", `a "part":"store" b`).Msg("topic refused")
	store := broker.With().Str("part", "store").Logger()
	store.Error().Int("bytes", 3).Msg("short read")
	log.Debug().Msg("not for operators")
	require.NoError(t, files.Close())

	require.Regexp(t, regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} INFO main - started
\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} WARN broker - topic refused topic="a \\"part\\":\\"store\\" b"
$`), content(t, dir, "broker.log"))
	require.Regexp(t, regexp.MustCompile(`^\S+ \S+ ERROR store - short read bytes=3\n$`), content(t, dir, "store.log"))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 2)
}

func TestAServerOutlivesItsLog(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a-file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	files := Open(filepath.Join(file, "below"), "broker")
	log := files.Logger()
	log.Info().Msg("one")
	log.Info().Msg("two")
	n, err := files.Write([]byte(`{"message":"three"}`))
	require.NoError(t, err)
	require.Equal(t, 19, n)
}

func content(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	require.NoError(t, err)
	return string(text)
}
