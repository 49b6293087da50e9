// SPDX-License-Identifier: Apache-2.0

package meta

import (
	"bufio"
	"errors"
	"math/rand"
	"strconv"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"rocketd/store/vfs"
)

const orderInfo = dir + "/consumerOrderInfo.json"

// counter is an owner of a document.
type counter struct {
	*Document
	n int
}

func newCounter(fsys vfs.FS) *counter {
	c := &counter{}
	c.Document = NewDocument(orderInfo, fsys, newClock(), zerolog.Nop(), func(w *bufio.Writer) error {
		_, err := w.WriteString(`{"n":` + strconv.Itoa(c.n) + `}`)
		return err
	})
	return c
}

func (c *counter) load() error {
	return c.Load(func(text []byte) error {
		if len(text) < 6 || text[0] != '{' || text[len(text)-1] != '}' {
			return errors.New("no object")
		}
		n, err := strconv.Atoi(string(text[5 : len(text)-1]))
		c.n = n
		return err
	})
}

func TestADocumentIsWrittenWhenItChanged(t *testing.T) {
	fsys := vfs.NewMem()
	c := newCounter(fsys)
	require.NoError(t, c.load())
	require.NoError(t, c.Save())
	_, err := fsys.Stat(orderInfo)
	require.Error(t, err, "nothing has changed")
	for i := range 3 {
		c.n = i
		c.Mark()
		require.True(t, c.Dirty())
		require.NoError(t, c.Save())
		require.False(t, c.Dirty())
	}
	require.Equal(t, `{"n":2}`, mustRead(t, fsys, "consumerOrderInfo.json"))
	require.Equal(t, `{"n":1}`, mustRead(t, fsys, "consumerOrderInfo.json.bak"))

	require.NoError(t, vfs.WriteFile(fsys, orderInfo, []byte("torn")))
	again := newCounter(fsys)
	require.NoError(t, again.load())
	require.Equal(t, 1, again.n)
}

// A power loss at any time leaves what was saved last, or what was being saved.
func TestAPowerLossLeavesTheDocumentOldOrNew(t *testing.T) {
	for seed := range int64(100) {
		rng := rand.New(rand.NewSource(seed))
		fsys := vfs.NewMem()
		c := newCounter(fsys)
		saved := 1 + rng.Intn(4)
		for i := range saved {
			c.n = i + 1
			c.Mark()
			require.NoError(t, c.Save())
		}
		c.n = saved + 1
		next := orderInfo + writingSuffix
		require.NoError(t, writeFile(fsys, next, c.print))
		if rng.Intn(2) == 0 {
			require.NoError(t, fsys.Rename(orderInfo, orderInfo+backupSuffix))
			if rng.Intn(2) == 0 {
				require.NoError(t, fsys.Rename(next, orderInfo))
			}
		}
		again := newCounter(fsys.CrashClone(rng))
		require.NoError(t, again.load())
		require.Contains(t, []int{saved, saved + 1}, again.n, seed)
	}
}
