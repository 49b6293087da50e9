// SPDX-License-Identifier: Apache-2.0

// Offset message ids: upper-case hex of the store host's address, its port as
// an int32, and the physical offset. Java: MessageDecoder.createMessageId.

package message

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
)

const upperHex = "0123456789ABCDEF"

// OffsetMsgID is the id that a broker answers a send with: 32 characters for
// an IPv4 store host, 56 for IPv6.
func OffsetMsgID(storeHost netip.AddrPort, phyOffset int64) string {
	var raw [28]byte
	b := appendHost(raw[:0], storeHost)
	b = binary.BigEndian.AppendUint64(b, uint64(phyOffset))
	var text [56]byte
	for i, c := range b {
		text[2*i], text[2*i+1] = upperHex[c>>4], upperHex[c&15]
	}
	return string(text[:2*len(b)])
}

// ParseOffsetMsgID is the inverse of OffsetMsgID; either case is read.
func ParseOffsetMsgID(id string) (netip.AddrPort, int64, error) {
	var addrLen int
	switch len(id) {
	case 32:
		addrLen = 4
	case 56:
		addrLen = 16
	default:
		return netip.AddrPort{}, 0, fmt.Errorf("message id %q has %d characters, not 32 or 56", clip(id), len(id))
	}
	var raw [28]byte
	if _, err := hex.Decode(raw[:], []byte(id)); err != nil {
		return netip.AddrPort{}, 0, fmt.Errorf("message id %q is not hexadecimal", clip(id))
	}
	host := hostAt(raw[:addrLen+4], addrLen)
	return host, int64(binary.BigEndian.Uint64(raw[addrLen+4:])), nil
}

func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "..."
	}
	return s
}

// appendHost writes address bytes and the port as an int32. An invalid address
// counts as 0.0.0.0.
func appendHost(dst []byte, h netip.AddrPort) []byte {
	if isV6(h) {
		a := h.Addr().As16()
		dst = append(dst, a[:]...)
	} else {
		var a [4]byte
		if h.Addr().IsValid() {
			a = h.Addr().Unmap().As4()
		}
		dst = append(dst, a[:]...)
	}
	return binary.BigEndian.AppendUint32(dst, uint32(h.Port()))
}

func isV6(h netip.AddrPort) bool { return h.Addr().Is6() && !h.Addr().Is4In6() }

func hostAt(b []byte, addrLen int) netip.AddrPort {
	port := uint16(binary.BigEndian.Uint32(b[addrLen:]))
	if addrLen == 4 {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[:4])), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[:16])), port)
}
