// SPDX-License-Identifier: Apache-2.0

// buffer.go: the memory that connections read into and write from. Blocks come from pools by size, so that an idle
// connection holds the smallest block for reading and none for writing.
package remoting

import (
	"math/bits"
	"net"
	"sync"
)

const (
	minBlock = 4 << 10  // what an idle connection reads into
	maxBatch = 64 << 10 // more than this is only held while a longer frame arrives
	maxBlock = 16 << 20
)

// block is a pooled buffer; b keeps its full length.
type block struct{ b []byte }

var blocks [13]sync.Pool // minBlock << i

func classOf(n int) int {
	if n <= minBlock {
		return 0
	}
	return bits.Len(uint(n-1)) - bits.Len(uint(minBlock-1))
}

// getBlock returns a block of at least n bytes.
func getBlock(n int) *block {
	class := classOf(n)
	if class >= len(blocks) {
		return &block{b: make([]byte, n)}
	}
	if b, ok := blocks[class].Get().(*block); ok {
		return b
	}
	return &block{b: make([]byte, minBlock<<class)}
}

// putBlock gives a block back that nobody refers to any more.
func putBlock(b *block) {
	if n := len(b.b); n <= maxBlock {
		blocks[classOf(n)].Put(b)
	}
}

// outbox is what waits to be written to a connection: encoded frames, with slices of other owners between them.
type outbox struct {
	buf      []byte
	cuts     []cut
	attached []Attachment
	size     int // bytes of buf and of all cuts

	vec  [][]byte    // backing array for gather
	rest net.Buffers // writer only: what is not yet written
}

// cut says that b belongs before buf[at].
type cut struct {
	at int
	b  []byte
}

// maxSpareOut is the largest buffer that an outbox keeps for its next use.
const maxSpareOut = 64 << 10

var outboxes = sync.Pool{New: func() any { return &outbox{buf: make([]byte, 0, minBlock)} }}

// add appends b, or refers to it until the write.
func (o *outbox) add(b []byte, copied bool) {
	switch {
	case len(b) == 0:
		return
	case copied:
		o.buf = append(o.buf, b...)
	default:
		o.cuts = append(o.cuts, cut{len(o.buf), b})
	}
	o.size += len(b)
}

// gather lists all pieces in order.
func (o *outbox) gather() [][]byte {
	v, from := o.vec[:0], 0
	for _, c := range o.cuts {
		if c.at > from {
			v = append(v, o.buf[from:c.at])
			from = c.at
		}
		v = append(v, c.b)
	}
	if from < len(o.buf) {
		v = append(v, o.buf[from:])
	}
	o.vec = v
	return v
}

// release gives the outbox and everything attached to it back.
func (o *outbox) release() {
	for _, a := range o.attached {
		a.Release()
	}
	clear(o.attached)
	clear(o.cuts)
	clear(o.vec[:cap(o.vec)])
	o.attached, o.cuts, o.rest, o.size = o.attached[:0], o.cuts[:0], nil, 0
	if cap(o.buf) > maxSpareOut {
		return
	}
	o.buf = o.buf[:0]
	outboxes.Put(o)
}
