// SPDX-License-Identifier: Apache-2.0

// read.go: the reading half of a connection: bytes into frames, frames into calls. All frames that one read brought are
// served before the next read, and their answers leave together. Java: NettyDecoder, NettyServerHandler.
package remoting

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"

	"rocketd/protocol"
)

const (
	prefixBytes = 4 // the length prefix of a frame, which does not count itself
	wordBytes   = 4 // header form and header length, the least a frame holds

	// aliasBytes is the body size from which a request takes the read buffer along instead of a copy of its body.
	aliasBytes = 64 << 10
	// shrinkAfter is how many small reads in a row make a buffer smaller.
	shrinkAfter = 16
	// goAwayAbove is the last client version (5.3.1) that does not understand GO_AWAY.
	goAwayAbove  = 475
	goAwayRemark = "please go away"
)

// input is the read buffer: block.b[start:end] is received and not yet served.
type input struct {
	block      *block
	start, end int
	taken      bool  // a call has slices of the block: it may be read but neither written nor pooled
	small      int   // small reads in a row
	began      int64 // coarse time at which the frame that is not yet whole began; 0 if there is none
	sniffed    bool
	long       int64 // by how much the block is longer than usual
}

// readLoop reads until the peer, an error or a drain ends it.
func (c *conn) readLoop() {
	in := &c.in
	in.block = getBlock(minBlock)
	c.call = newCall(c.ctx, c.mux, c, c)
	defer c.dropInput()
	for {
		n, err := c.socket.Read(in.block.b[in.end:])
		if n > 0 {
			c.lastRead.Store(c.watch.now.Load())
			in.end += n
			if !c.serveReceived() {
				return
			}
			c.flush()
			if c.awaitRoom() {
				in.began = 0 // it was not the peer who took that time
			}
			in.makeRoom(n, c.limits.maxFrame)
			if !c.mayBeLong() {
				c.refuse("a long frame while too much of others has arrived")
				return
			}
			c.noteFrame()
		}
		if err != nil || c.draining.Load() {
			return
		}
	}
}

// mayBeLong counts the length of the read buffer, and says whether all connections together have room for it. Many peers
// that each send most of a long frame and wait would otherwise take all memory; nobody with frames of a usual size is
// concerned.
func (c *conn) mayBeLong() bool {
	long := int64(max(len(c.in.block.b)-maxBatch, 0))
	grown := long - c.in.long
	if grown == 0 {
		return true
	}
	c.in.long = long
	return c.longBytes.Add(grown) <= c.limits.maxLong || grown < 0
}

// dropInput gives the reader's memory back.
func (c *conn) dropInput() {
	c.longBytes.Add(-c.in.long)
	c.flush() // a drain ends the loop with answers still to write
	if !c.in.taken {
		putBlock(c.in.block)
	}
	c.in.block = nil
	c.call = nil
}

// noteFrame tells the watch whether we wait for the rest of a frame, since when, and how long it says it is.
func (c *conn) noteFrame() {
	in := &c.in
	if in.end == in.start {
		in.began = 0
		return
	}
	if in.began == 0 {
		in.began = c.watch.now.Load()
	}
	size := int64(prefixBytes)
	if in.end-in.start >= prefixBytes {
		size += int64(binary.BigEndian.Uint32(in.block.b[in.start:]))
	}
	c.frameBytes.Store(size)
	c.frameSince.Store(in.began)
}

// serveReceived serves all whole frames in the buffer. False means that the connection must close.
func (c *conn) serveReceived() bool {
	in := &c.in
	if c.sniff && !in.sniffed {
		in.sniffed = true
		if what := foreign(in.block.b[in.start:in.end]); what != "" {
			c.refuse(what)
			return false
		}
	}
	if c.frameSince.Load() != 0 {
		c.frameSince.Store(0) // not our peer's time that passes now
	}
	for {
		have := in.block.b[in.start:in.end]
		if len(have) < prefixBytes {
			return true
		}
		size := int64(binary.BigEndian.Uint32(have))
		if size < wordBytes || size > int64(c.limits.maxFrame-prefixBytes) {
			c.refuse(fmt.Sprintf("frame of %d bytes", int32(size)))
			return false
		}
		if len(have) >= prefixBytes+wordBytes && !plausible(have[prefixBytes:], size) {
			c.refuse("frame with an impossible header length or form")
			return false
		}
		whole := prefixBytes + int(size)
		if len(have) < whole {
			return true
		}
		in.start += whole
		in.began = 0
		if !c.serveFrame(have[prefixBytes:whole:whole]) {
			return false
		}
		if c.held.Load() > maxBatch {
			c.flush()
			c.awaitRoom()
		}
		if c.draining.Load() {
			return true
		}
	}
}

// plausible checks the header word, so that a hostile frame ends before its bytes have been waited for.
func plausible(b []byte, size int64) bool {
	header := int64(b[1])<<16 | int64(b[2])<<8 | int64(b[3])
	return b[0] <= byte(protocol.SerializeBinary) && header <= size-wordBytes
}

// foreign recognises the protocols that share the port in Java and are not served here.
func foreign(first []byte) string {
	switch {
	case first[0] == 0x16:
		return "TLS handshake"
	case first[0] == 'P' && bytes.HasPrefix([]byte("PROXY "), first[:min(len(first), 6)]),
		first[0] == '\r' && bytes.HasPrefix([]byte("\r\n\r\n\x00\r\nQUIT\n"), first[:min(len(first), 12)]):
		return "PROXY protocol"
	}
	return ""
}

// refuse logs why the connection is about to be closed; the peer gets no answer.
func (c *conn) refuse(what string) {
	c.counts.refused.Add(1)
	c.log.Warn().Str("peer", c.remote).Str("got", what).Msg("closing connection: not a remoting frame that can be served")
}

// serveFrame decodes and serves one frame. False means that the connection must close.
func (c *conn) serveFrame(frame []byte) bool {
	call := c.call
	if err := call.decode(frame); err != nil {
		c.counts.refused.Add(1)
		c.log.Warn().Err(err).Str("peer", c.remote).Msg("closing connection: bad frame")
		return false
	}
	if call.req.IsResponse() {
		c.arrived(call)
		return true
	}
	call.begin(c.mux.lookup(call.req.Code))
	c.open.Add(1)
	if c.goAway.Load() && call.req.Version > goAwayAbove {
		call.finish(&protocol.Error{Code: protocol.GoAway, Remark: goAwayRemark})
		return true
	}
	if call.lane() == nil {
		c.serveInline(call)
	} else {
		c.serveAdmitted(call)
	}
	return true
}

// serveAdmitted serves a call on its lane, if there is room.
func (c *conn) serveAdmitted(call *Call) {
	if !call.route.lane.admit() {
		call.finish(&protocol.Error{Code: protocol.SystemBusy, Remark: overloadRemark})
		return
	}
	c.serveOnLane(call)
}

// serveInline runs the handler here. A call that is not finished then keeps its memory, and the reader takes other.
func (c *conn) serveInline(call *Call) {
	err := c.mux.invoke(c.ctx, call)
	if err == nil || !isLater(err) {
		if !call.finish(err) {
			c.abandon(call) // somebody replied to it, so somebody else knows it
		}
		return
	}
	if err == OffReader { //nolint:errorlint // never wrapped
		call.inline = false
		c.serveAdmitted(call)
		return
	}
	d, ok := err.(*detached) //nolint:errorlint // never wrapped
	if !ok {
		call.req.Body = nil // so that the buffer is not left to a call that has no use for it
		c.abandon(call)
		call.parkNow()
		return
	}
	c.abandon(call)
	lane := call.route.lane
	if !lane.admit() {
		call.finish(&protocol.Error{Code: protocol.SystemBusy, Remark: overloadRemark})
		return
	}
	call.inline = false
	call.held = call.size
	if len(call.req.Body) > 0 {
		call.held += int64(len(c.in.block.b)) // which the body keeps
	}
	c.hold(call.held)
	c.enter()
	go c.proceed(call, lane, call.held, d.fn)
}

// abandon leaves the reader's call, and the buffer if the request has a body in it, to others.
func (c *conn) abandon(call *Call) {
	if len(call.req.Body) > 0 {
		c.in.taken = true
	}
	c.call = newCall(c.ctx, c.mux, c, c)
}

// serveOnLane gives the call a goroutine; the lane has admitted it.
func (c *conn) serveOnLane(call *Call) {
	if n := len(call.req.Body); n >= aliasBytes {
		c.in.taken = true
	} else if n > 0 {
		call.req.Body = slices.Clone(call.req.Body)
	}
	call.held = call.size + int64(len(call.req.Body))
	c.hold(call.held)
	c.call = newCall(c.ctx, c.mux, c, c)
	c.enter()
	go c.serveCall(call)
}

// serveCall is the goroutine of a call on a lane.
func (c *conn) serveCall(call *Call) {
	growStack(0)
	lane, held := call.route.lane, call.held
	finished := c.mux.serve(c.ctx, call)
	c.retire(call, lane, held, finished)
}

// growStack makes a new goroutine's stack large enough for a usual handler while there is nothing on it to be copied.
// Growing it later was a fifth of the processor time of a JSON request on a lane; a handler that needs no more than the
// first 2 KiB pays some 0.5 us for it.
//
//go:noinline
func growStack(i int) byte {
	var room [4 << 10]byte
	return room[i]
}

// proceed is the goroutine of a call that an inline handler detached.
func (c *conn) proceed(call *Call, lane *Lane, held int64, fn func() (any, error)) {
	growStack(0)
	c.retire(call, lane, held, call.proceed(fn))
}

// retire ends a goroutine of a lane: first the place in the lane is free, then the answer is written. Others at work for
// the same connection go first, so that one write takes their answers too; that halves the processor time per request.
func (c *conn) retire(call *Call, lane *Lane, held int64, finished bool) {
	if finished {
		call.recycle()
	}
	lane.leave()
	c.letGo(held)
	if c.users.Load() > 2 { // more than the reader and this goroutine
		runtime.Gosched()
	}
	c.flush()
	c.leave()
}

// makeRoom prepares the buffer for the next read, after one that brought n bytes. It grows when a read filled it, so only
// by as much as has arrived, whatever length a frame announces: the more frames one read brings, the fewer system calls
// a frame costs, in both directions. It shrinks when less is needed.
func (in *input) makeRoom(n, maxFrame int) {
	size, left := len(in.block.b), in.end-in.start
	want := size
	switch {
	case left == size, in.end == size && size < maxBatch:
		want = 2 * size
	case left < maxBatch/2 && size > maxBatch:
		want = maxBatch
	case left+n < size/4 && size > minBlock:
		if in.small++; in.small >= shrinkAfter {
			want = size / 2
		}
	default:
		in.small = 0
	}
	if limit := classOf(maxFrame); classOf(want) > limit {
		want = minBlock << limit
	}
	if want == size && !in.taken {
		if in.start > 0 {
			in.end = copy(in.block.b, in.block.b[in.start:in.end])
			in.start = 0
		}
		return
	}
	next := getBlock(want)
	in.end = copy(next.b, in.block.b[in.start:in.end])
	if !in.taken {
		putBlock(in.block)
	}
	in.block, in.start, in.taken, in.small = next, 0, false, 0
}
