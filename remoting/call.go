// SPDX-License-Identifier: Apache-2.0

// call.go: one request in work, from its decoding to its answer. Java: RequestTask, ChannelHandlerContext.
package remoting

import (
	"context"
	"sync"
	"sync/atomic"

	"rocketd/compat"
	"rocketd/protocol"
)

// Parked is returned by a handler whose answer comes later, through Call.Reply or Call.Resume. The call then holds
// neither a goroutine nor a place in its lane.
var Parked error = laterError("remoting: parked")

type laterError string

func (e laterError) Error() string { return string(e) }

// OffReader is returned by an inline handler that has done nothing yet and may have to block: the request is served
// again from its start, on a goroutine of its lane, and finds its Call.Note.
var OffReader error = laterError("remoting: off the reader")

// detached asks for fn to be run where blocking is allowed.
type detached struct{ fn func() (any, error) }

func (*detached) Error() string { return "remoting: detached" }

// Detach is returned by an inline handler that met a branch that may block: fn runs on a goroutine of the call's lane
// (at most as many as the lane's limit) and its result, a *Resp or nil and an error, is the answer. The call, the
// request and its body stay valid until then. On a lane that is not inline fn runs at once.
func Detach(fn func() (any, error)) error { return &detached{fn} }

// isLater says whether err announces that the handler's call is not finished.
func isLater(err error) bool {
	switch err.(type) { //nolint:errorlint // handlers return these as they are, for every request
	case laterError, *detached:
		return true
	}
	return false
}

const (
	callOpen   = iota // the handler runs
	callParked        // the handler has returned Parked
	callDone          // answered, or given up
)

// sink takes the answers of calls: a connection, or the caller of Mux.Handle.
type sink interface {
	// deliver takes the answer of a finished call. It never blocks. The call may be used again after it returns.
	deliver(c *Call)
	// answered is called once for each request, after deliver, or instead of it for a one-way request.
	answered()
	// kick sees to it that delivered answers leave, without blocking.
	kick()
	// flush is kick for a goroutine that may wait for the peer.
	flush()
	// park counts a parked call of so many bytes; false means that there are too many.
	park(bytes int64) bool
	unpark(bytes int64)
	// spawn runs fn on a goroutine that the owner waits for when it closes; false means that nobody wants the answer.
	spawn(fn func()) bool
}

// Call is one request in work. Its methods are for the handler, and after the handler returned Parked for the one who
// answers; they are not for several goroutines at once.
type Call struct {
	// Note is what an inline handler that returns OffReader leaves for its second run. It is nil in the first.
	Note any

	ctx    context.Context
	mux    *Mux
	route  *route
	peer   Peer
	sink   sink
	req    protocol.Command
	inline bool  // the handler runs on the reader, so slices of the request die with it
	held   int64 // bytes that count while a goroutine works on the request
	size   int64 // bytes of the request's header, which stay as long as the call

	answer     protocol.Command
	attachment Attachment

	// Backing arrays, kept between uses, of the fields of the request and of the answer.
	reqFields []protocol.Field
	fields    []protocol.Field

	state atomic.Int32
}

var calls = sync.Pool{New: func() any { return new(Call) }}

// newCall returns a call without a request.
func newCall(ctx context.Context, m *Mux, peer Peer, s sink) *Call {
	c := calls.Get().(*Call)
	c.ctx, c.mux, c.peer, c.sink = ctx, m, peer, s
	return c
}

// decode reads a frame into c.req.
func (c *Call) decode(frame []byte) error {
	c.req.Fields = c.reqFields[:0]
	err := protocol.Decode(frame, &c.req)
	c.size = int64(len(frame) - len(c.req.Body))
	if c.req.Fields != nil {
		c.reqFields = c.req.Fields[:0]
	}
	return err
}

// begin prepares the call for the request that was decoded into c.req.
func (c *Call) begin(r *route) {
	c.route = r
	if r != nil {
		r.served.Add(1)
	}
	c.inline = r != nil && r.lane.inline
	c.answer = protocol.Command{Code: protocol.Success}
	c.attachment, c.Note = nil, nil
	c.held = 0
	c.state.Store(callOpen)
}

// recycle gives the memory of a call back that was finished by its own handler, so that nobody else can know it.
func (c *Call) recycle() {
	clear(c.reqFields[:cap(c.reqFields)])
	clear(c.fields[:cap(c.fields)])
	c.req, c.answer = protocol.Command{}, protocol.Command{}
	c.ctx, c.mux, c.peer, c.sink, c.route, c.Note = nil, nil, nil, nil, nil, nil
	calls.Put(c)
}

// Inline reports whether the handler runs on the reader's goroutine, where it must not block.
func (c *Call) Inline() bool { return c.inline }

// Peer is who sent the request. It is nil when the caller of Mux.Handle gave none.
func (c *Call) Peer() Peer { return c.peer }

// Request is the request as it was received. It is valid until the handler returns; for a parked or detached call, and
// on a lane that is not inline, until the answer. Strings may be kept for ever, the body may not; a parked call has none.
func (c *Call) Request() *protocol.Command { return &c.req }

// Outcome sets the code and the remark of an answer that carries the handler's header.
func (c *Call) Outcome(code int32, remark string) {
	c.answer.Code, c.answer.Remark = code, remark
}

// SetField adds an extension field to the answer, beside those of the header.
func (c *Call) SetField(key, value string) {
	c.answer.Fields = append(c.answerFields(), protocol.Field{Key: key, Value: value})
}

// SetBody sets the body of the answer. b must not change until the answer is written, unless the handler is inline.
func (c *Call) SetBody(b []byte) { c.answer.Body = b }

// Attach sets a body (after the one of SetBody) that is written from its owner's memory; the call releases it.
func (c *Call) Attach(a Attachment) {
	if c.attachment != nil {
		c.attachment.Release()
	}
	c.attachment = a
}

// answerFields returns the answer's field list, never nil: a header without fields still shows as an empty object.
func (c *Call) answerFields() []protocol.Field {
	if c.answer.Fields != nil {
		return c.answer.Fields
	}
	if c.fields == nil {
		c.fields = make([]protocol.Field, 0, 8)
	}
	return c.fields[:0]
}

// Reply answers a parked call: header is a *Resp or nil, err as a handler returns it. It never blocks; of several
// replies the first counts.
func (c *Call) Reply(header any, err error) {
	if c.settle(header, err) != callDone {
		c.sink.kick()
	}
}

// settle answers a call unless it is answered, and returns the state that it was in. The answer does not leave yet.
func (c *Call) settle(header any, err error) (was int32) {
	was = c.state.Swap(callDone)
	if was == callDone {
		return was
	}
	c.conclude(c.putHeader(header, err))
	if was == callParked {
		c.sink.unpark(c.size)
	}
	return was
}

// Answer is what Reply gets, for one call.
type Answer struct {
	Call   *Call
	Header any
	Err    error

	sink sink
}

// ReplyAll answers parked calls; the answers of a connection leave in one write. It never blocks. Nobody else may know
// the calls, whose memory is used again.
func ReplyAll(answers []Answer) {
	for i := range answers {
		a := &answers[i]
		a.sink = a.Call.sink
		if a.Call.settle(a.Header, a.Err) == callParked { // else its handler has not returned yet
			a.Call.recycle()
		}
		a.Call = nil
	}
	for i := range answers {
		if i == 0 || answers[i].sink != answers[i-1].sink {
			answers[i].sink.kick()
		}
	}
}

// Resume continues a parked call with fn on a goroutine of its lane, without a second admission. fn's result is the
// answer unless it is Parked again. When the connection is gone fn does not run and the call is finished.
func (c *Call) Resume(fn func() (any, error)) {
	if c.state.Load() == callDone {
		return
	}
	started := c.sink.spawn(func() {
		header, err := c.protect(fn)
		if err == Parked { //nolint:errorlint // never wrapped
			return
		}
		if c.settle(header, err) != callDone {
			c.sink.flush()
		}
	})
	if !started {
		c.Reply(nil, ErrClosed)
	}
}

// protect runs a continuation of the handler; a panic becomes an error.
func (c *Call) protect(fn func() (any, error)) (header any, err error) {
	defer func() {
		if p := recover(); p != nil {
			header, err = nil, c.mux.panicked(c, p)
		}
	}()
	for {
		header, err = fn()
		d, again := err.(*detached) //nolint:errorlint // never wrapped
		if !again {
			return header, err
		}
		fn = d.fn
	}
}

// parkNow marks the call as parked after its handler returned so. Someone may have replied already. The body goes: what
// waits for long must be small. Once the call is marked it is somebody else's.
func (c *Call) parkNow() {
	c.req.Body = nil
	sink, size := c.sink, c.size
	room := sink.park(size)
	if room && c.state.CompareAndSwap(callOpen, callParked) {
		return
	}
	sink.unpark(size)
	if !room {
		c.Reply(nil, &protocol.Error{Code: protocol.SystemBusy, Remark: overloadRemark})
	}
}

// finish answers a call whose handler is through. It reports whether the call is nobody else's.
func (c *Call) finish(err error) bool {
	if c.state.Swap(callDone) == callDone {
		return false
	}
	c.conclude(err)
	return true
}

// putHeader encodes the header of a late answer. It returns err, or its own error if the header is not of the route.
func (c *Call) putHeader(header any, err error) error {
	if header == nil || c.route == nil {
		return err
	}
	if wrong := c.route.encode(c, header); wrong != nil {
		return wrong
	}
	return err
}

// conclude gives the answer to the sink. The caller has claimed the call.
func (c *Call) conclude(err error) {
	if err != nil {
		c.fail(err)
	}
	if c.req.IsOneway() {
		c.releaseAttachment()
		c.sink.answered()
		return
	}
	a := &c.answer
	a.Language = protocol.LangJava
	a.Version = compat.Version
	a.Opaque = c.req.Opaque
	a.Flag = protocol.FlagResponse
	c.sink.deliver(c)
	if a.Fields != nil {
		c.fields = a.Fields[:0]
	}
	c.sink.answered()
}

// fail turns the answer into that of an error; a header that the handler gave stays, a body does not.
func (c *Call) fail(err error) {
	c.releaseAttachment()
	c.answer.Body = nil
	e := c.mux.codeOf(c, err)
	c.answer.Code, c.answer.Remark = e.Code, e.Remark
}

func (c *Call) releaseAttachment() {
	if c.attachment != nil {
		c.attachment.Release()
		c.attachment = nil
	}
}
