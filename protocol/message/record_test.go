// SPDX-License-Identifier: Apache-2.0

package message

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func newMessage() *Message {
	return &Message{
		Topic: "Jodie_topic_1023", QueueID: 3, BornTimestampMs: 0x1a2067e9da0, BornHost: netip.MustParseAddrPort("127.0.0.1:40142"),
		StoreTimestampMs: 0x1a2067e9daf, StoreHost: netip.MustParseAddrPort("127.0.0.1:10911"), Body: []byte("Hello world"),
		Properties: "KEYS\x01" + strings.Repeat("k", 158) + "\x02", PhyOffset: 2566137236,
	}
}

// The first 142 bytes of a record of a Java 5.5.0 broker.
const javaRecord = "0000011adaa320a70bd69e52000000030000000000000000000000000000000098f4259400000000000001a2067e9da07f00000100009cce" +
	"000001a2067e9daf7f00000100002a9f000000000000000000000000" + "0000000b48656c6c6f20776f726c64" + "104a6f6469655f746f7069635f31303233" + "00a4"

func TestRecordGolden(t *testing.T) {
	want, err := hex.DecodeString(javaRecord)
	require.NoError(t, err)
	m := newMessage()
	rec, err := AppendRecord(nil, m)
	require.NoError(t, err)
	require.Len(t, rec, 282)
	require.Equal(t, javaRecord, hex.EncodeToString(rec[:len(want)]))
	require.Equal(t, m.Properties, string(rec[len(want):]))

	var got Message
	require.NoError(t, DecodeRecord(rec, &got))
	require.NoError(t, got.VerifyBody())
	m.StoreSize, m.BodyCRC, m.MsgID = 282, 0x0bd69e52, "7F00000100002A9F0000000098F42594"
	require.Equal(t, *m, got)
}

func TestRecordForms(t *testing.T) {
	for name, change := range map[string]func(m *Message){
		"plain":       func(*Message) {},
		"born host 6": func(m *Message) { m.BornHost = netip.MustParseAddrPort("[2001:db8::1]:1") },
		"both 6": func(m *Message) {
			m.BornHost = netip.MustParseAddrPort("[2001:db8::1]:1")
			m.StoreHost = netip.MustParseAddrPort("[::1]:65535")
		},
		"long topic": func(m *Message) { m.Topic = strings.Repeat("t", 128) },
		"empty":      func(m *Message) { m.Body, m.Properties = []byte{}, "" },
		"flags":      func(m *Message) { m.SysFlag, m.Flag, m.ReconsumeTimes = TranCommit|FlagCompressed, -1, 3 },
		"mapped v4":  func(m *Message) { m.BornHost = netip.MustParseAddrPort("[::ffff:1.2.3.4]:5") },
	} {
		t.Run(name, func(t *testing.T) {
			m := newMessage()
			change(m)
			rec, err := AppendRecord([]byte("before"), m)
			require.NoError(t, err)
			rec = rec[6:]
			PatchRecord(rec, 11, 22, 33)
			require.Equal(t, int32(len(rec)), RecordSize(rec))
			require.Equal(t, int64(11), RecordQueueOffset(rec))
			require.Equal(t, int64(22), RecordPhyOffset(rec))
			require.Equal(t, int64(33), RecordStoreTimestamp(rec))
			require.Equal(t, m.QueueID, RecordQueueID(rec))
			var got Message
			require.NoError(t, DecodeRecord(rec, &got))
			require.Equal(t, m.Topic, got.Topic)
			require.Equal(t, m.Body, got.Body)
			require.Equal(t, m.Properties, got.Properties)
			require.Equal(t, m.Flag, got.Flag)
			require.Equal(t, m.BornHost.Addr().Unmap(), got.BornHost.Addr())
			require.Equal(t, m.StoreHost, got.StoreHost)
			for n := range len(rec) {
				require.Error(t, new(View).Parse(rec[:n], true))
			}
		})
	}
}

func TestRecordLimits(t *testing.T) {
	m := newMessage()
	m.Properties = strings.Repeat("p", MaxPropertiesBytes+1)
	_, err := AppendRecord(nil, m)
	require.ErrorIs(t, err, ErrPropertiesTooLarge)
	m = newMessage()
	m.Topic = ""
	_, err = AppendRecord(nil, m)
	require.ErrorIs(t, err, ErrTopic)
}

func TestRecordDamage(t *testing.T) {
	rec, err := AppendRecord(nil, newMessage())
	require.NoError(t, err)
	var v View
	at := bytes.Index(rec, []byte("Hello"))
	rec[at] ^= 1
	require.ErrorIs(t, v.Parse(rec, true), ErrChecksum)
	require.NoError(t, v.Parse(rec, false))
	rec[at-1]++ // the body's length
	require.ErrorIs(t, v.Parse(rec, false), ErrShape)
	rec[posMagic] = 0
	require.ErrorIs(t, v.Parse(rec, false), ErrMagic)
}

// FuzzRecord: no input makes Parse or DecodeRecord panic or reach outside the
// record, and what decodes is encoded to the same bytes again, as far as the
// encoder writes that form.
func FuzzRecord(f *testing.F) {
	rec, _ := AppendRecord(nil, newMessage())
	f.Add(rec)
	m := newMessage()
	m.Topic, m.BornHost = strings.Repeat("t", 200), netip.MustParseAddrPort("[::1]:1")
	rec, _ = AppendRecord(nil, m)
	f.Add(rec)
	f.Fuzz(func(t *testing.T, b []byte) {
		var m Message
		if DecodeRecord(b, &m) != nil {
			return
		}
		require.LessOrEqual(t, int(m.StoreSize), len(b))
		again, err := AppendRecord(nil, &m)
		if err != nil || m.VerifyBody() != nil || m.BornHost.Addr().Is4In6() || m.StoreHost.Addr().Is4In6() ||
			(RecordMagic(b) == MagicV2) != (len(m.Topic) > MaxTopicBytes) {
			return
		}
		var back Message
		require.NoError(t, DecodeRecord(again, &back))
		require.Equal(t, m, back)
	})
}
