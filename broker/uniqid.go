// SPDX-License-Identifier: Apache-2.0

// uniqid.go: the UNIQ_KEY of messages that come without one: in upper-case hex,
// address, pid, a number of the process, milliseconds since the month began,
// and a counter. Java: MessageClientIDSetter.

package broker

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jonboulle/clockwork"
)

type uniqIDs struct {
	prefix string
	clock  clockwork.Clock
	count  atomic.Uint32
}

func newUniqIDs(host netip.Addr, pid int, process uint32, clock clockwork.Clock) *uniqIDs {
	raw := host.AsSlice()
	raw = binary.BigEndian.AppendUint16(raw, uint16(pid))
	raw = binary.BigEndian.AppendUint32(raw, process)
	return &uniqIDs{prefix: strings.ToUpper(hex.EncodeToString(raw)), clock: clock}
}

func (u *uniqIDs) next() string {
	now := u.clock.Now()
	month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, now.Location())
	var raw [6]byte
	binary.BigEndian.PutUint32(raw[:], uint32(now.Sub(month).Milliseconds()))
	binary.BigEndian.PutUint16(raw[4:], uint16(u.count.Add(1)-1))
	return u.prefix + strings.ToUpper(hex.EncodeToString(raw[:]))
}
