// SPDX-License-Identifier: Apache-2.0

// mux.go: which handler serves a request code, and what an error of a handler becomes on the wire.
// Java: NettyRemotingAbstract.processRequestCommand. Outcomes of its own: RequestCodeNotSupported, SystemError.
package remoting

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strconv"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/rs/zerolog"

	"rocketd/protocol"
)

// directCodes is the number of codes that are looked up in an array; the few above it are in a map.
const directCodes = 1024

const (
	// maxRemark bounds the text of an unexpected error that a client gets to see.
	maxRemark = 512
	// maxRefusal bounds that of an expected one, which may repeat what the client sent.
	maxRefusal = 1024
)

// Mux is the table of request codes. Register everything before it serves; afterwards it does not change and is safe
// for any number of goroutines.
type Mux struct {
	log          zerolog.Logger
	interceptors []func(ctx context.Context, c *Call) error
	direct       [directCodes]*route
	others       map[int32]*route

	unknown  atomic.Uint64 // requests with a code that is not in the table
	panics   atomic.Uint64
	failures atomic.Uint64 // errors that were not meant for the client
}

// route is what the table holds for a code.
type route struct {
	code   int32
	name   string
	label  string // the code as text
	lane   *Lane
	takes  []protocol.HeaderField
	run    func(ctx context.Context, c *Call) error // decodes, calls the handler, encodes the header
	encode func(c *Call, header any) error          // encodes the header of a late answer
	served atomic.Uint64
}

// MuxOption configures a Mux.
type MuxOption func(*Mux)

// WithInterceptor runs f before each handler, on the handler's goroutine; its error is the answer. Several run in the
// order of the options. On an inline lane f must not block.
func WithInterceptor(f func(ctx context.Context, c *Call) error) MuxOption {
	return func(m *Mux) { m.interceptors = append(m.interceptors, f) }
}

// NewMux returns an empty table.
func NewMux(log zerolog.Logger, opts ...MuxOption) *Mux {
	m := &Mux{
		log:    log.Sample(&zerolog.BurstSampler{Burst: 20, Period: time.Second}),
		others: make(map[int32]*route),
	}
	for _, o := range opts {
		o(m)
	}
	return m
}

// Codes lists the registered codes, ascending.
func (m *Mux) Codes() []int32 {
	var codes []int32
	for _, r := range m.direct {
		if r != nil {
			codes = append(codes, r.code)
		}
	}
	for code := range m.others {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	return codes
}

// Takes lists the header fields that a registered code reads.
func (m *Mux) Takes(code int32) []protocol.HeaderField { return m.lookup(code).takes }

// Panics is the number of handlers that panicked so far.
func (m *Mux) Panics() uint64 { return m.panics.Load() }

// lookup returns the route of a code, or nil.
func (m *Mux) lookup(code int32) *route {
	if uint32(code) < directCodes {
		return m.direct[code]
	}
	return m.others[code]
}

// add registers a route.
func (m *Mux) add(r *route) {
	if m.lookup(r.code) != nil {
		panic(fmt.Sprintf("remoting: code %d (%s) registered twice", r.code, r.name))
	}
	if r.lane == nil {
		panic(fmt.Sprintf("remoting: code %d (%s) has no lane", r.code, r.name))
	}
	if uint32(r.code) < directCodes {
		m.direct[r.code] = r
		return
	}
	m.others[r.code] = r
}

// invoke runs the interceptors and the handler of a call. The error is the handler's, also Parked and Detach's.
func (m *Mux) invoke(ctx context.Context, c *Call) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = m.panicked(c, p)
		}
	}()
	if c.route == nil {
		m.unknown.Add(1)
		return &protocol.Error{
			Code:   protocol.RequestCodeNotSupported,
			Remark: " request type " + strconv.Itoa(int(c.req.Code)) + " not supported",
		}
	}
	for _, f := range m.interceptors {
		if err := f(ctx, c); err != nil {
			return err
		}
	}
	return c.route.run(ctx, c)
}

// serve runs a call where blocking is allowed. It reports whether the call is finished and nobody else's.
func (m *Mux) serve(ctx context.Context, c *Call) bool {
	err := m.invoke(ctx, c)
	if d, ok := err.(*detached); ok { //nolint:errorlint // never wrapped
		return c.proceed(d.fn)
	}
	if err == Parked { //nolint:errorlint // never wrapped
		c.parkNow()
		return false
	}
	return c.finish(err)
}

// proceed runs the detached rest of a handler and finishes the call, unless it parked.
func (c *Call) proceed(fn func() (any, error)) bool {
	header, err := c.protect(fn)
	if err == Parked { //nolint:errorlint // never wrapped
		c.parkNow()
		return false
	}
	return c.finish(c.putHeader(header, err))
}

// Handle serves a request without a connection and waits for its answer, also of a parked call. A one-way request
// gives nil. The error is that of ctx; all other failures are answers.
func (m *Mux) Handle(ctx context.Context, peer Peer, cmd *protocol.Command) (*protocol.Command, error) {
	d := &direct{answer: make(chan *protocol.Command, 1)}
	c := &Call{ctx: ctx, mux: m, peer: peer, sink: d, req: *cmd}
	c.begin(m.lookup(cmd.Code))
	c.inline = false // the caller waits, whatever it takes
	switch lane := c.lane(); {
	case lane == nil:
		m.serve(ctx, c)
	case lane.admit():
		m.serve(ctx, c)
		lane.leave()
	default:
		c.finish(&protocol.Error{Code: protocol.SystemBusy, Remark: overloadRemark})
	}
	if cmd.IsOneway() {
		return nil, nil
	}
	select {
	case answer := <-d.answer:
		return answer, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// lane returns the lane whose admission the call needs, or nil.
func (c *Call) lane() *Lane {
	if c.route == nil || c.route.lane.inline {
		return nil
	}
	return c.route.lane
}

// codeOf decides what the client sees of an error, and logs those that were not meant for it.
func (m *Mux) codeOf(c *Call, err error) *protocol.Error {
	var e *protocol.Error
	if errors.As(err, &e) {
		if len(e.Remark) > maxRefusal {
			return &protocol.Error{Code: e.Code, Remark: clip(e.Remark, maxRefusal)}
		}
		return e
	}
	m.failures.Add(1)
	if !errors.Is(err, ErrClosed) && !errors.Is(err, context.Canceled) {
		m.log.Error().Err(err).Int32("code", c.req.Code).Str("request", protocol.RequestName(c.req.Code)).
			Str("peer", addrOf(c.peer)).Int32("opaque", c.req.Opaque).Msg("request failed")
	}
	return &protocol.Error{Code: protocol.SystemError, Remark: clip(err.Error(), maxRemark)}
}

// clip cuts a text after so many bytes, not inside a character.
func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}

// panicked accounts for a panic of a handler and returns what the client sees of it.
func (m *Mux) panicked(c *Call, p any) error {
	m.panics.Add(1)
	name := protocol.RequestName(c.req.Code)
	m.log.Error().Interface("panic", fmt.Sprint(p)).Int32("code", c.req.Code).Str("request", name).
		Str("peer", addrOf(c.peer)).Int32("opaque", c.req.Opaque).Bytes("stack", debug.Stack()).Msg("handler panicked")
	return &protocol.Error{Code: protocol.SystemError, Remark: "internal error in " + name}
}

func addrOf(p Peer) string {
	if p == nil {
		return ""
	}
	return p.RemoteAddr()
}

// direct is the sink of Mux.Handle.
type direct struct {
	answer chan *protocol.Command
}

func (d *direct) deliver(c *Call) {
	a := c.answer
	a.Fields = slices.Clone(a.Fields)
	a.Body = slices.Clone(a.Body)
	if c.attachment != nil {
		for _, b := range c.attachment.Buffers() {
			a.Body = append(a.Body, b...)
		}
		c.releaseAttachment()
	}
	d.answer <- &a
}

func (d *direct) answered()       {}
func (d *direct) kick()           {}
func (d *direct) flush()          {}
func (d *direct) park(int64) bool { return true }
func (d *direct) unpark(int64)    {}

func (d *direct) spawn(fn func()) bool {
	go fn()
	return true
}
