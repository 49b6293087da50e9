// SPDX-License-Identifier: Apache-2.0

package delay

import (
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/store/vfs"
)

// A unit as Java 5.5.0 writes it.
func TestTheFormOfAUnit(t *testing.T) {
	u := unit{prev: -1, magic: unitDefault, writeMs: 1795405255000, delayMs: 10000, phyOffset: 2544115824, size: 364, topicHash: -650349302}
	b := u.appendTo(nil)
	require.Equal(t, "00000034"+"ffffffffffffffff"+"00000001"+"000001a2067e1158"+"00002710"+"0000000097a42070"+"0000016c"+"d93c750a"+"0000000000000000",
		hex.EncodeToString(b))
	got, ok := parseUnit(b, 0)
	require.True(t, ok)
	require.Equal(t, u, got)
}

func TestBytesThatAreNoUnit(t *testing.T) {
	good := unit{prev: 52, magic: unitDefault | unitRoll | unitDelete, writeMs: 1, phyOffset: 1, size: 1}
	_, ok := parseUnit(good.appendTo(nil), 104)
	require.True(t, ok)
	for name, b := range map[string][]byte{
		"nothing": nil, "zeros": make([]byte, 52), "a part": good.appendTo(nil)[:51],
		"the next as the one before": (&unit{prev: 104, magic: 1, writeMs: 1, phyOffset: 1, size: 1}).appendTo(nil),
		"before the beginning":       (&unit{prev: -2, magic: 1, writeMs: 1, phyOffset: 1, size: 1}).appendTo(nil),
		"an unknown kind":            (&unit{prev: -1, magic: 9, writeMs: 1, phyOffset: 1, size: 1}).appendTo(nil),
		"no kind":                    (&unit{prev: -1, magic: 2, writeMs: 1, phyOffset: 1, size: 1}).appendTo(nil),
		"no message":                 (&unit{prev: -1, magic: 1, writeMs: 1, phyOffset: 1, size: 0}).appendTo(nil),
		"no place":                   (&unit{prev: -1, magic: 1, writeMs: 1, phyOffset: -1, size: 1}).appendTo(nil),
	} {
		_, ok := parseUnit(b, 104)
		require.False(t, ok, name)
	}
}

func someUnit(i int) unit {
	return unit{prev: -1, magic: unitDefault, writeMs: 1, phyOffset: int64(i), size: 1}
}

func filled(t *testing.T, disk vfs.FS, units int) *timerLog {
	t.Helper()
	l, err := openTimerLog(disk, "/store/timerlog", 52*4+20)
	require.NoError(t, err)
	for i := range units {
		u := someUnit(i)
		pos, err := l.append(&u)
		require.NoError(t, err)
		require.EqualValues(t, i/4*(52*4+20)+i%4*52, pos)
	}
	require.NoError(t, l.flush())
	return l
}

func walked(t *testing.T, l *timerLog, from int64) (found []int64, end int64) {
	t.Helper()
	end, err := l.walk(from, func(_ int64, u *unit) bool {
		found = append(found, u.phyOffset)
		return true
	})
	require.NoError(t, err)
	return found, end
}

func TestTheTimerLogGoesOverSeveralFiles(t *testing.T) {
	disk := vfs.NewMem()
	l := filled(t, disk, 10)
	require.NoError(t, l.close())
	l, err := openTimerLog(disk, "/store/timerlog", 1000) // files keep their size
	require.NoError(t, err)
	found, end := walked(t, l, 0)
	require.Equal(t, []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, found)
	require.EqualValues(t, 2*228+104, end)
	l.tail = end
	for _, pos := range []int64{-52, 1, 208, end, 1 << 40} {
		_, err := l.read(pos)
		require.ErrorIs(t, err, errNoUnit, pos)
	}
	u, err := l.read(228 + 52)
	require.NoError(t, err)
	require.EqualValues(t, 5, u.phyOffset)
	b, err := vfs.ReadFile(disk, "/store/timerlog/00000000000000000000")
	require.NoError(t, err)
	require.Equal(t, "00000014"+"0000000000000000"+"cbd43194"+"00000000", hex.EncodeToString(b[208:]), "the rest of a file")
}

func TestATimerLogIsCut(t *testing.T) {
	for _, at := range []int{0, 1, 4, 5, 9} {
		disk := vfs.NewMem()
		l := filled(t, disk, 10)
		require.NoError(t, l.cut(int64(at/4*228+at%4*52)))
		found, _ := walked(t, l, 0)
		require.Len(t, found, at)
		u := someUnit(100)
		_, err := l.append(&u)
		require.NoError(t, err)
		require.NoError(t, l.flush())
		found, _ = walked(t, l, 0)
		require.Len(t, found, at+1, "nothing of before stands behind it")
	}
}

func TestOldFilesOfTheTimerLogGo(t *testing.T) {
	disk := vfs.NewMem()
	l := filled(t, disk, 10)
	require.NoError(t, l.forget(227))
	require.Len(t, l.bases, 3)
	require.NoError(t, l.forget(456))
	require.Equal(t, []int64{456}, l.bases)
	require.NoError(t, l.forget(1<<40))
	infos, err := disk.List("/store/timerlog")
	require.NoError(t, err)
	require.Len(t, infos, 1, "the last one stays")
	require.Equal(t, fmt.Sprintf("%020d", 456), infos[0].Name)
	require.NoError(t, l.close())
	l, err = openTimerLog(disk, "/store/timerlog", 1000)
	require.NoError(t, err)
	require.EqualValues(t, 456, l.begin())
}

func TestFilesThatAreNoTimerLog(t *testing.T) {
	for name, change := range map[string]func(disk vfs.FS) error{
		"a gap": func(disk vfs.FS) error { return disk.Remove("/store/timerlog/00000000000000000228") },
		"a size": func(disk vfs.FS) error {
			return vfs.WriteFile(disk, "/store/timerlog/00000000000000000228", make([]byte, 100))
		},
		"a name": func(disk vfs.FS) error {
			return disk.Rename("/store/timerlog/00000000000000000456", "/store/timerlog/00000000000000000457")
		},
		"a long one": func(disk vfs.FS) error {
			return vfs.WriteFile(disk, "/store/timerlog/00000000000000000456", make([]byte, 1000))
		},
	} {
		disk := vfs.NewMem()
		require.NoError(t, filled(t, disk, 10).close())
		require.NoError(t, change(disk))
		_, err := openTimerLog(disk, "/store/timerlog", 228)
		require.ErrorContains(t, err, "/store/timerlog/0000000000000000", name)
	}
}
