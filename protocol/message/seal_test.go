// SPDX-License-Identifier: Apache-2.0

package message

import (
	"fmt"
	"hash/crc32"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSeal(t *testing.T) {
	for _, props := range []string{"", "a\x01b", "a\x01b\x02", "a\x01b\x02" + PropCRC32 + "\x011234567890\x02c\x01d\x02"} {
		m := Message{Topic: "T", Body: []byte("body"), Properties: ReserveSeal(props)}
		rec, err := AppendRecord(nil, &m)
		require.NoError(t, err)
		PatchRecord(rec, 7, 4096, 1700000000000)
		SealRecord(rec)
		require.NoError(t, CheckSeal(rec))
		digits := []byte(fmt.Sprintf("%010d", crc32.ChecksumIEEE(rec[:len(rec)-20])&0x7FFFFFFF))
		slices.Reverse(digits)
		require.Equal(t, PropCRC32+"\x01"+string(digits)+"\x02", string(rec[len(rec)-20:]))
		for at := range rec {
			spoilt := slices.Clone(rec)
			spoilt[at] ^= 1
			if at >= len(rec)-20 && at < len(rec)-11 || at == len(rec)-1 { // the seal's name, its end
				continue
			}
			require.ErrorIs(t, CheckSeal(spoilt), ErrChecksum, "byte %d", at)
		}
	}
}
