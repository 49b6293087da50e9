// SPDX-License-Identifier: Apache-2.0

// seal.go: the checksum of a whole record, which enabledAppendPropCRC adds as its last property. It covers everything
// before it, so that topic, properties and places are checked too and not the body alone.

package message

import (
	"fmt"
	"hash/crc32"
	"strings"
)

const (
	sealDigits = 10
	noSeal     = PropCRC32 + "\x01" + "0000000000" + "\x02"
)

// ReserveSeal returns the properties with room for SealRecord behind them.
func ReserveSeal(props string) string {
	props = RemoveProperty(props, PropCRC32)
	if props != "" && props[len(props)-1] != valueEnd {
		props += string(rune(valueEnd))
	}
	return props + noSeal
}

// SealRecord writes the checksum into the room that ReserveSeal made. Every other byte of the record must be in place.
func SealRecord(rec []byte) {
	sum := sealed(rec)
	digits := rec[len(rec)-1-sealDigits : len(rec)-1]
	for i := range digits { // the least significant comes first
		digits[i] = byte('0' + sum%10)
		sum /= 10
	}
}

// CheckSeal compares a whole record with its seal. A record without one passes.
func CheckSeal(rec []byte) error {
	if len(rec) < MinRecordBytes+len(noSeal) || !strings.HasPrefix(string(rec[len(rec)-len(noSeal):]), PropCRC32+"\x01") {
		return nil
	}
	sum := uint64(0)
	for i := len(rec) - 2; i > len(rec)-2-sealDigits; i-- {
		sum = sum*10 + uint64(rec[i]-'0')
	}
	if sum != uint64(sealed(rec)) {
		return fmt.Errorf("%w: the property %s belongs to other bytes", ErrChecksum, PropCRC32)
	}
	return nil
}

func sealed(rec []byte) uint32 {
	return crc32.ChecksumIEEE(rec[:len(rec)-len(noSeal)]) & 0x7FFFFFFF
}
