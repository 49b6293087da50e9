// SPDX-License-Identifier: Apache-2.0

package store

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

// With enabledAppendPropCRC every record carries its checksum, and with forceVerifyPropCRC a changed topic, which the
// checksum of the body says nothing about, is found.
func TestSealedRecords(t *testing.T) {
	fsys, cfg := vfs.NewMem(), smallConfig("/store")
	cfg.EnabledAppendPropCRC, cfg.ForceVerifyPropCRC = true, true
	s := newStore(t, fsys, cfg)
	m := newMessage("T", 0, "one")
	m.Properties = "__CRC32#\x011\x02KEYS\x01k"
	mustPut(t, s, m)
	batch := []message.Message{*newMessage("T", 0, "two"), *newMessage("T", 0, "three")}
	_, err := s.PutBatch(batch)
	require.NoError(t, err)
	_, ms := mustGet(t, s, GetRequest{Topic: "T", MaxMsgs: 3})
	require.Len(t, ms, 3)
	for _, m := range ms {
		_, ok := message.Property(m.Properties, message.PropCRC32)
		require.True(t, ok)
	}
	require.Regexp(t, `^KEYS\x01k\x02__CRC32#\x01\d{10}\x02$`, ms[0].Properties)

	end := s.Marks().Appended
	fsys = fsys.Clone() // as a crash leaves it
	require.Equal(t, []string{"one", "two", "three"}, readAll(t, newStore(t, fsys.Clone(), cfg), "T", 0))
	overwrite(t, fsys, "/store/commitlog/00000000000000000000", ms[1].PhyOffset+int64(message.MinRecordBytes-2+len("two")), []byte("U"))
	require.Equal(t, ms[1].PhyOffset, newStore(t, fsys.Clone(), cfg).Marks().Appended)
	cfg.ForceVerifyPropCRC = false
	require.Equal(t, end, newStore(t, fsys, cfg).Marks().Appended)
}
