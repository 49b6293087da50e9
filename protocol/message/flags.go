// SPDX-License-Identifier: Apache-2.0

// System flags of a message. Java: MessageSysFlag.

package message

const (
	FlagCompressed int32 = 0x1
	FlagMultiTags  int32 = 0x2

	TranNotType  int32 = 0
	TranPrepared int32 = 0x4
	TranCommit   int32 = 0x8
	TranRollback int32 = 0xC
	TranMask     int32 = 0xC

	FlagBornHostV6  int32 = 0x10
	FlagStoreHostV6 int32 = 0x20
	FlagNeedUnwrap  int32 = 0x40
	FlagInnerBatch  int32 = 0x80

	CompressMask int32 = 0x700
	CompressLZ4  int32 = 0x100
	CompressZSTD int32 = 0x200
	CompressZLIB int32 = 0x300
)

// TranType returns the transaction bits of a system flag.
func TranType(sysFlag int32) int32 { return sysFlag & TranMask }

// Queued says whether a record with this system flag enters a consume queue:
// prepared and rolled back halves of the old transaction form never do.
func Queued(sysFlag int32) bool {
	t := sysFlag & TranMask
	return t != TranPrepared && t != TranRollback
}
