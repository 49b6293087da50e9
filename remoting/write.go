// SPDX-License-Identifier: Apache-2.0

// write.go: the writing half of a connection. Frames that are queued while a write runs leave together in the next one.
// Whoever finds no write running writes: the reader at the end of its batch, a lane's goroutine after its answer, or
// else a goroutine started for it. Java: NettyEncoder, Channel.writeAndFlush.
package remoting

import (
	"errors"
	"net"
	"runtime"

	"rocketd/protocol"
)

const (
	// copyBelow is the body size up to which copying is cheaper than one more slice in the write.
	copyBelow = 8 << 10
	// piecesBelow is how much may wait to be written for pieces to be copied to it. Behind more, one write of many slices is
	// as cheap, and needs no memory.
	piecesBelow = 16 << 10
	// writeStep is the piece of a write that must make progress within the write timeout.
	writeStep = 256 << 10
)

// deliver queues the answer of a call. It does not write.
func (c *conn) deliver(call *Call) {
	a := &call.answer
	a.Serialize = c.limits.serialize
	var pieces [][]byte
	if call.attachment != nil {
		pieces = call.attachment.Buffers()
	}
	switch err := c.queue(a, pieces, call.attachment, call.inline); {
	case err == nil:
		call.attachment = nil
	case errors.Is(err, ErrClosed):
		call.releaseAttachment()
	default:
		call.releaseAttachment()
		c.log.Error().Err(err).Int32("code", call.req.Code).Str("peer", c.remote).Msg("answer cannot be encoded")
		short := protocol.Command{
			Code: protocol.SystemError, Remark: "answer cannot be encoded", Language: a.Language, Version: a.Version,
			Opaque: a.Opaque, Flag: a.Flag, Serialize: a.Serialize,
		}
		if c.queue(&short, nil, nil, false) != nil {
			c.shut() // the peer would wait in vain
		}
	}
}

// queue appends a frame to what waits for the next write. With copyBody the body is not referred to after the return.
// The attachment is taken over only when the error is nil.
func (c *conn) queue(cmd *protocol.Command, pieces [][]byte, a Attachment, copyBody bool) error {
	body := len(cmd.Body)
	for _, p := range pieces {
		body += len(p)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	o := c.fill
	if o == nil {
		o = outboxes.Get().(*outbox)
	}
	from := len(o.buf)
	buf, err := protocol.AppendHead(o.buf, cmd, body)
	if err != nil {
		if c.fill == nil {
			o.release()
		}
		return err
	}
	before := o.size
	o.buf = buf
	o.size += len(o.buf) - from
	o.add(cmd.Body, copyBody || body <= copyBelow)
	few := body <= copyBelow && len(o.buf)+body <= piecesBelow
	for _, p := range pieces {
		o.add(p, few)
	}
	if a != nil {
		o.attached = append(o.attached, a)
	}
	c.fill = o
	c.hold(int64(o.size - before))
	return nil
}

// flush writes what is queued, unless a write is running whose goroutine will.
func (c *conn) flush() {
	c.mu.Lock()
	if c.fill == nil || c.writing {
		c.mu.Unlock()
		return
	}
	c.writing = true
	c.writeOut() // unlocks
}

// kick is flush for goroutines that must not wait for the peer.
func (c *conn) kick() { c.startWriter(false) }

// startWriter writes what is queued on a goroutine of its own. With gather that one first lets others run, so that what
// they are about to send leaves in the same write.
func (c *conn) startWriter(gather bool) {
	c.mu.Lock()
	if c.fill == nil || c.writing {
		c.mu.Unlock()
		return
	}
	c.writing = true
	c.enter()
	c.mu.Unlock()
	go func() {
		if gather {
			runtime.Gosched()
		}
		c.mu.Lock()
		c.writeOut()
		c.leave()
	}()
}

// writeOut writes until nothing is queued. The caller holds mu and has set writing; mu is released.
func (c *conn) writeOut() {
	for {
		o := c.fill
		if o == nil || c.closed {
			c.writing = false
			c.mu.Unlock()
			break
		}
		c.fill = nil
		c.mu.Unlock()
		err := c.write(o)
		size := int64(o.size)
		o.release()
		c.letGo(size)
		if err != nil {
			c.shut()
		}
		c.mu.Lock()
	}
	if c.draining.Load() {
		c.closeIfDrained()
	}
}

// write sends one outbox, in pieces small enough to see whether the peer still takes them.
func (c *conn) write(o *outbox) error {
	defer func() {
		c.lastWrite.Store(c.watch.now.Load())
		c.writeSince.Store(0)
	}()
	c.writeSince.Store(c.watch.now.Load())
	if len(o.cuts) == 0 && len(o.buf) <= writeStep {
		_, err := c.socket.Write(o.buf)
		return err
	}
	for v := o.gather(); len(v) > 0; {
		c.writeSince.Store(c.watch.now.Load())
		var err error
		if v, err = c.writePiece(o, v); err != nil {
			return err
		}
	}
	return nil
}

// writePiece writes the first writeStep bytes of v and returns the rest.
func (c *conn) writePiece(o *outbox, v [][]byte) ([][]byte, error) {
	n, size := 0, 0
	for n < len(v) && size+len(v[n]) <= writeStep {
		size += len(v[n])
		n++
	}
	if n == 0 {
		piece := v[0][:writeStep]
		v[0] = v[0][writeStep:]
		_, err := c.nc.Write(piece)
		return v, err
	}
	o.rest = net.Buffers(v[:n])
	_, err := o.rest.WriteTo(c.nc)
	return v[n:], err
}
