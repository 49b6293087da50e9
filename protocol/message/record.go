// SPDX-License-Identifier: Apache-2.0

// The commit log's record, big-endian, the same bytes on disk and in a pull
// answer (docs/format/commitlog.md). Java: MessageExtEncoder, MessageDecoder,
// CommitLog.checkMessageAndReturnSize.

package message

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// Magic numbers of a record: V2 has a two-byte topic length; Blank marks the
// filler at the end of a commit-log file.
const (
	MagicV1    uint32 = 0xDAA320A7
	MagicV2    uint32 = 0xDAA320AB
	MagicBlank uint32 = 0xCBD43194
)

// FillerBytes is the smallest filler; that much room is always left behind a
// record in its file.
const FillerBytes = 8

// MinRecordBytes is a record with IPv4 hosts and empty body, topic, properties.
const MinRecordBytes = 91

// Places that do not depend on the contents of a record.
const (
	posMagic       = 4
	posCRC         = 8
	posQueueID     = 12
	posFlag        = 16
	posQueueOffset = 20
	posPhyOffset   = 28
	posSysFlag     = 36
	posBornTime    = 40
	posBornHost    = 48
	posStoreTimeV4 = 56
	posStoreTimeV6 = 68

	// PeekBytes is how much of a record's beginning the peek functions read.
	PeekBytes = posStoreTimeV6 + 8
)

var (
	// ErrShort says that a record is not all there.
	ErrShort = errors.New("record is cut short")
	// ErrMagic says that the bytes do not begin like a record.
	ErrMagic = errors.New("not a record: wrong magic number")
	// ErrChecksum says that the body is not the one that was written.
	ErrChecksum = errors.New("body does not match its checksum")
	// ErrShape says that the lengths inside a record contradict each other.
	ErrShape = errors.New("lengths inside the record contradict each other")
	// ErrPropertiesTooLarge says that the properties do not fit their int16 length.
	ErrPropertiesTooLarge = errors.New("message properties are longer than 32767 bytes")
	// ErrTopic says that the topic is empty or does not fit its length.
	ErrTopic = errors.New("message topic is empty or too long")
)

// BodyCRC is the checksum of a body as records carry it; 0 for an empty one.
func BodyCRC(body []byte) int32 {
	return int32(crc32.ChecksumIEEE(body) & 0x7FFFFFFF)
}

// AppendRecord appends the record of m. The host flags are taken from the
// addresses and the checksum from the body; the queue offset, physical offset
// and store time may be patched in later (PatchRecord).
func AppendRecord(dst []byte, m *Message) ([]byte, error) {
	if len(m.Properties) > MaxPropertiesBytes {
		return dst, ErrPropertiesTooLarge
	}
	if len(m.Topic) == 0 || len(m.Topic) > MaxPropertiesBytes {
		return dst, ErrTopic
	}
	magic, topicLenBytes := MagicV1, 1
	if len(m.Topic) > MaxTopicBytes {
		magic, topicLenBytes = MagicV2, 2
	}
	sysFlag := m.SysFlag &^ (FlagBornHostV6 | FlagStoreHostV6)
	size := MinRecordBytes - 1 + topicLenBytes + len(m.Body) + len(m.Topic) + len(m.Properties)
	if isV6(m.BornHost) {
		sysFlag |= FlagBornHostV6
		size += 12
	}
	if isV6(m.StoreHost) {
		sysFlag |= FlagStoreHostV6
		size += 12
	}
	be := binary.BigEndian
	dst = be.AppendUint32(dst, uint32(size))
	dst = be.AppendUint32(dst, magic)
	dst = be.AppendUint32(dst, uint32(BodyCRC(m.Body)))
	dst = be.AppendUint32(dst, uint32(m.QueueID))
	dst = be.AppendUint32(dst, uint32(m.Flag))
	dst = be.AppendUint64(dst, uint64(m.QueueOffset))
	dst = be.AppendUint64(dst, uint64(m.PhyOffset))
	dst = be.AppendUint32(dst, uint32(sysFlag))
	dst = be.AppendUint64(dst, uint64(m.BornTimestampMs))
	dst = appendHost(dst, m.BornHost)
	dst = be.AppendUint64(dst, uint64(m.StoreTimestampMs))
	dst = appendHost(dst, m.StoreHost)
	dst = be.AppendUint32(dst, uint32(m.ReconsumeTimes))
	dst = be.AppendUint64(dst, uint64(m.PreparedTransactionOffset))
	dst = be.AppendUint32(dst, uint32(len(m.Body)))
	dst = append(dst, m.Body...)
	if topicLenBytes == 1 {
		dst = append(dst, byte(len(m.Topic)))
	} else {
		dst = be.AppendUint16(dst, uint16(len(m.Topic)))
	}
	dst = append(dst, m.Topic...)
	dst = be.AppendUint16(dst, uint16(len(m.Properties)))
	return append(dst, m.Properties...), nil
}

// PatchRecord writes the three fields that are known only at the append.
func PatchRecord(rec []byte, queueOffset, phyOffset, storeTimestampMs int64) {
	be := binary.BigEndian
	be.PutUint64(rec[posQueueOffset:], uint64(queueOffset))
	be.PutUint64(rec[posPhyOffset:], uint64(phyOffset))
	be.PutUint64(rec[storeTimePos(rec):], uint64(storeTimestampMs))
}

func storeTimePos(rec []byte) int {
	if RecordSysFlag(rec)&FlagBornHostV6 != 0 {
		return posStoreTimeV6
	}
	return posStoreTimeV4
}

// The peek functions read one field of a record that has at least PeekBytes
// bytes; they check nothing.

func RecordSize(rec []byte) int32        { return int32(binary.BigEndian.Uint32(rec)) }
func RecordMagic(rec []byte) uint32      { return binary.BigEndian.Uint32(rec[posMagic:]) }
func RecordQueueID(rec []byte) int32     { return int32(binary.BigEndian.Uint32(rec[posQueueID:])) }
func RecordQueueOffset(rec []byte) int64 { return int64(binary.BigEndian.Uint64(rec[posQueueOffset:])) }
func RecordPhyOffset(rec []byte) int64   { return int64(binary.BigEndian.Uint64(rec[posPhyOffset:])) }
func RecordSysFlag(rec []byte) int32     { return int32(binary.BigEndian.Uint32(rec[posSysFlag:])) }
func RecordStoreTimestamp(rec []byte) int64 {
	return int64(binary.BigEndian.Uint64(rec[storeTimePos(rec):]))
}

// RecordTopic is the topic of a whole record, nil when the lengths before it do
// not fit.
func RecordTopic(rec []byte) []byte {
	sysFlag := RecordSysFlag(rec)
	r := reader{b: rec, at: posBornHost}
	r.take(hostBytes(sysFlag, FlagBornHostV6) + 8 + hostBytes(sysFlag, FlagStoreHostV6) + 4 + 8)
	r.take(int(int32(r.uint(4))))
	topicLenBytes := 1
	if RecordMagic(rec) == MagicV2 {
		topicLenBytes = 2
	}
	return r.take(int(r.uint(topicLenBytes)))
}

// View is a record taken apart without copying: the slices alias the record.
type View struct {
	Size             int32
	Magic            uint32
	BodyCRC          int32
	QueueID          int32
	SysFlag          int32
	QueueOffset      int64
	PhyOffset        int64
	BornTimestampMs  int64
	StoreTimestampMs int64
	ReconsumeTimes   int32
	Prepared         int64
	Body             []byte
	Topic            []byte
	Properties       []byte

	bornHost, storeHost []byte
}

// Parse takes the record at the start of b apart. It checks the magic number,
// that the record is all there, and that its inner lengths add up to its size;
// the checksum only with checkBody.
func (v *View) Parse(b []byte, checkBody bool) error {
	if len(b) < MinRecordBytes {
		return ErrShort
	}
	be := binary.BigEndian
	v.Size, v.Magic = RecordSize(b), RecordMagic(b)
	if v.Magic != MagicV1 && v.Magic != MagicV2 {
		return ErrMagic
	}
	if v.Size < MinRecordBytes {
		return ErrShape
	}
	if int(v.Size) > len(b) {
		return ErrShort
	}
	b = b[:v.Size]
	v.BodyCRC = int32(be.Uint32(b[posCRC:]))
	v.QueueID, v.QueueOffset, v.PhyOffset = RecordQueueID(b), RecordQueueOffset(b), RecordPhyOffset(b)
	v.SysFlag = RecordSysFlag(b)
	v.BornTimestampMs = int64(be.Uint64(b[posBornTime:]))

	r := reader{b: b, at: posBornHost}
	v.bornHost = r.take(hostBytes(v.SysFlag, FlagBornHostV6))
	v.StoreTimestampMs = int64(r.uint(8))
	v.storeHost = r.take(hostBytes(v.SysFlag, FlagStoreHostV6))
	v.ReconsumeTimes = int32(r.uint(4))
	v.Prepared = int64(r.uint(8))
	v.Body = r.take(int(int32(r.uint(4))))
	topicLenBytes := 1
	if v.Magic == MagicV2 {
		topicLenBytes = 2
	}
	v.Topic = r.take(int(r.uint(topicLenBytes)))
	v.Properties = r.take(int(r.uint(2)))
	if r.bad || r.at != len(b) || len(v.Properties) > MaxPropertiesBytes {
		return ErrShape
	}
	if checkBody && BodyCRC(v.Body) != v.BodyCRC {
		return ErrChecksum
	}
	return nil
}

// RecordProperties is the properties of a record that is known to be whole; it
// aliases the record. Anything else has none.
func RecordProperties(rec []byte) []byte {
	var v View
	if err := v.Parse(rec, false); err != nil {
		return nil
	}
	return v.Properties
}

func hostBytes(sysFlag, v6Bit int32) int {
	if sysFlag&v6Bit != 0 {
		return 20
	}
	return 8
}

// reader walks over a record; a step outside it sets bad and yields nothing.
type reader struct {
	b   []byte
	at  int
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n < 0 || n > len(r.b)-r.at {
		r.bad = true
		return nil
	}
	r.at += n
	return r.b[r.at-n : r.at : r.at]
}

func (r *reader) uint(n int) (v uint64) {
	for _, c := range r.take(n) {
		v = v<<8 | uint64(c)
	}
	return v
}

// DecodeRecord takes a record apart into m. The body aliases rec, the strings
// are copies. The checksum is not verified; VerifyBody does.
func DecodeRecord(rec []byte, m *Message) error {
	var v View
	if err := v.Parse(rec, false); err != nil {
		return err
	}
	*m = Message{
		Topic:                     string(v.Topic),
		QueueID:                   v.QueueID,
		Flag:                      int32(binary.BigEndian.Uint32(rec[posFlag:])),
		SysFlag:                   v.SysFlag,
		BornTimestampMs:           v.BornTimestampMs,
		BornHost:                  hostAt(v.bornHost, len(v.bornHost)-4),
		StoreTimestampMs:          v.StoreTimestampMs,
		StoreHost:                 hostAt(v.storeHost, len(v.storeHost)-4),
		ReconsumeTimes:            v.ReconsumeTimes,
		PreparedTransactionOffset: v.Prepared,
		Body:                      v.Body,
		Properties:                string(v.Properties),
		QueueOffset:               v.QueueOffset,
		PhyOffset:                 v.PhyOffset,
		StoreSize:                 v.Size,
		BodyCRC:                   v.BodyCRC,
	}
	m.MsgID = OffsetMsgID(m.StoreHost, m.PhyOffset)
	return nil
}

// VerifyBody says whether the body matches the checksum that came with it.
func (m *Message) VerifyBody() error {
	if BodyCRC(m.Body) != m.BodyCRC {
		return fmt.Errorf("message at %d: %w", m.PhyOffset, ErrChecksum)
	}
	return nil
}
