// SPDX-License-Identifier: Apache-2.0

// correlate.go: requests that we send, and their answers. Either side of a connection may send; each numbers its own
// opaques. Java: NettyRemotingAbstract.invokeSyncImpl, invokeOnewayImpl, processResponseCommand.
package remoting

import (
	"bytes"
	"context"
	"fmt"

	"rocketd/protocol"
)

// Call sends a request and waits for its answer.
func (c *conn) Call(ctx context.Context, req *protocol.Command) (*protocol.Command, error) {
	if _, ok := ctx.Deadline(); !ok {
		bounded, cancel := context.WithTimeout(ctx, DefaultCallTimeout)
		defer cancel()
		ctx = bounded
	}
	opaque, answer, err := c.expect()
	if err != nil {
		return nil, c.callError(req, err)
	}
	if err := c.request(req, opaque, 0); err != nil {
		c.forget(opaque)
		return nil, c.callError(req, err)
	}
	select {
	case resp := <-answer:
		return resp, nil
	case <-ctx.Done():
		c.forget(opaque)
		return nil, c.callError(req, ctx.Err())
	case <-c.done:
		select {
		case resp := <-answer: // it came just before
			return resp, nil
		default:
			return nil, c.callError(req, ErrClosed)
		}
	}
}

// Oneway sends a request that wants no answer.
func (c *conn) Oneway(req *protocol.Command) error {
	c.mu.Lock()
	c.opaque++
	opaque := c.opaque
	c.mu.Unlock()
	if err := c.request(req, opaque, protocol.FlagOneway); err != nil {
		return c.callError(req, err)
	}
	return nil
}

func (c *conn) callError(req *protocol.Command, err error) error {
	return fmt.Errorf("%s to %s: %w", protocol.RequestName(req.Code), c.remote, err)
}

// request queues a copy of req and lets it leave.
func (c *conn) request(req *protocol.Command, opaque, flag int32) error {
	if c.held.Load() > c.limits.maxPending {
		return ErrTooManyPending
	}
	cmd := *req
	cmd.Opaque = opaque
	cmd.Flag = flag
	cmd.Serialize = c.limits.serialize
	if err := c.queue(&cmd, nil, nil, false); err != nil {
		return err
	}
	c.startWriter(true)
	return nil
}

// expect numbers a call and makes room for its answer.
func (c *conn) expect() (int32, chan *protocol.Command, error) {
	answer := make(chan *protocol.Command, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return 0, nil, ErrClosed
	}
	if c.waiters == nil {
		c.waiters = make(map[int32]chan *protocol.Command)
	}
	c.opaque++
	for c.waiters[c.opaque] != nil { // after 2^32 calls
		c.opaque++
	}
	c.waiters[c.opaque] = answer
	return c.opaque, answer, nil
}

func (c *conn) forget(opaque int32) {
	c.mu.Lock()
	delete(c.waiters, opaque)
	c.mu.Unlock()
}

// arrived gives a response to the call that waits for it; one that nobody waits for any more is dropped.
func (c *conn) arrived(call *Call) {
	cmd := &call.req
	c.mu.Lock()
	answer := c.waiters[cmd.Opaque]
	delete(c.waiters, cmd.Opaque)
	c.mu.Unlock()
	if answer == nil {
		c.counts.unmatched.Add(1)
		return
	}
	resp := *cmd
	resp.Body = bytes.Clone(cmd.Body)
	call.reqFields = nil // the answer keeps them
	answer <- &resp
}
