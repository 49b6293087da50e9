// SPDX-License-Identifier: Apache-2.0

// handle.go: the typed adapter between a request's fields and a handler's structs.
package remoting

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"rocketd/protocol"
)

// Handler serves one request code. It returns
//   - (resp, nil): success, or what Call.Outcome set; a nil resp answers without a header;
//   - (resp or nil, err): a failure; a header is still sent if given. A *protocol.Error is its code and remark,
//     anything else is SystemError and is logged;
//   - (nil, Parked) or (nil, Detach(fn)): the answer comes later.
//
// req is reused for the next request once the handler has returned an answer: copy what must live longer. Strings in it
// may be kept.
type Handler[Req, Resp any] func(ctx context.Context, c *Call, req *Req) (*Resp, error)

type handleOptions struct {
	variant string
}

// HandleOption configures the registration of one code.
type HandleOption func(*handleOptions)

// Keys picks the tag variant of the request header, such as "v2" for the short names of SEND_MESSAGE_V2.
func Keys(variant string) HandleOption {
	return func(o *handleOptions) { o.variant = variant }
}

// Handle registers h for code. It panics when the code is taken or a header's tags are wrong.
func Handle[Req, Resp any](m *Mux, code int32, lane *Lane, h Handler[Req, Resp], opts ...HandleOption) {
	o := handleOptions{variant: "rmq"}
	for _, opt := range opts {
		opt(&o)
	}
	in := protocol.CodecOf[Req](o.variant)
	out := protocol.CodecOf[Resp]("rmq")
	spare := sync.Pool{New: func() any { return new(Req) }}
	m.add(&route{
		code:  code,
		name:  protocol.RequestName(code),
		label: strconv.Itoa(int(code)),
		lane:  lane,
		takes: in.Fields(),
		run: func(ctx context.Context, c *Call) error {
			req := spare.Get().(*Req)
			if err := in.Decode(c.req.Fields, req); err != nil {
				return err
			}
			resp, err := h(ctx, c, req)
			if err != nil && isLater(err) && err != OffReader { //nolint:errorlint // never wrapped
				return err // the handler keeps its request
			}
			if resp != nil {
				c.answer.Fields = out.Append(c.answerFields(), resp)
			}
			var blank Req
			*req = blank // only now: resp may be req, or point into it
			spare.Put(req)
			return err
		},
		encode: func(c *Call, header any) error {
			resp, ok := header.(*Resp)
			if !ok {
				return fmt.Errorf("remoting: answer to code %d is a %T, not a %T", code, header, resp)
			}
			if resp != nil {
				c.answer.Fields = out.Append(c.answerFields(), resp)
			}
			return nil
		},
	})
}
