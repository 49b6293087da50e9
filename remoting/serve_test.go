// SPDX-License-Identifier: Apache-2.0

package remoting

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"rocketd/compat"
	"rocketd/internal/testkit"
	"rocketd/protocol"
)

func TestAnswersCarryTheRequestsOpaqueAndOurIdentity(t *testing.T) {
	f := startServer(t)
	r := f.raw()
	for _, code := range []int32{codeEcho, codeEchoLane} {
		req := request(code, -7, "hello", []byte("body"))
		req.Serialize = protocol.SerializeBinary
		req.Language = protocol.LangGo
		r.WriteFrame(req)
		resp := r.ReadFrame()
		require.Equal(t, protocol.Success, resp.Code)
		require.Equal(t, int32(-7), resp.Opaque)
		require.Equal(t, protocol.FlagResponse, resp.Flag)
		require.Equal(t, protocol.LangJava, resp.Language)
		require.Equal(t, int32(compat.Version), resp.Version)
		require.Equal(t, protocol.SerializeJSON, resp.Serialize, "the server's form, not the request's")
		require.Equal(t, "hello", text(resp))
		require.Equal(t, "body", string(resp.Body))
	}
	f.holdsNothing()
}

func TestTheServersHeaderFormIsConfigured(t *testing.T) {
	f := newFixture(t, func(_ *fixture, c *ServerConfig) { c.Serialize = protocol.SerializeBinary }).start()
	r := f.raw()
	r.WriteFrame(request(codeEcho, 1, "x", nil))
	require.Equal(t, protocol.SerializeBinary, r.ReadFrame().Serialize)
}

func TestAHandlersVariantAndCodesAboveTheArray(t *testing.T) {
	f := startServer(t)
	r := f.raw()
	req := &protocol.Command{Code: codeHigh, Fields: []protocol.Field{{Key: "a", Value: "short"}, {Key: "b", Value: "41"}}}
	r.WriteFrame(req)
	resp := r.ReadFrame()
	require.Equal(t, "short", text(resp))
	n, _ := resp.Field("number")
	require.Equal(t, "42", n)
	require.Contains(t, f.mux.Codes(), int32(codeHigh))
	require.IsIncreasing(t, f.mux.Codes())
}

func TestErrorsBecomeCodes(t *testing.T) {
	f := startServer(t)
	r := f.raw()
	tests := []struct {
		name   string
		req    *protocol.Command
		code   int32
		remark string
	}{
		{"unknown code", request(codeUnknown, 1, "", nil), protocol.RequestCodeNotSupported, " request type 999 not supported"},
		{"negative code", request(-1, 1, "", nil), protocol.RequestCodeNotSupported, " request type -1 not supported"},
		{"unexpected error", request(codeFail, 2, "", nil), protocol.SystemError, "the disk is made of cheese"},
		{"intended error", request(codeRefuse, 3, "", nil), protocol.NoPermission, "not you"},
		{"panic inline", request(codePanic, 4, "", nil), protocol.SystemError, "internal error in " + protocol.RequestName(codePanic)},
		{"panic on a lane", request(codePanicLane, 5, "", nil), protocol.SystemError, "internal error in " + protocol.RequestName(codePanicLane)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r.WriteFrame(tt.req)
			resp := r.ReadFrame()
			require.Equal(t, tt.code, resp.Code)
			require.Equal(t, tt.remark, resp.Remark)
			require.Equal(t, tt.req.Opaque, resp.Opaque)
			require.Empty(t, resp.Body)
			if tt.code == protocol.NoPermission {
				require.Equal(t, "why", text(resp), "a header beside an error is sent")
			}
		})
	}
	bad := request(codeEcho, 9, "", nil)
	bad.SetField("number", "many")
	r.WriteFrame(bad)
	require.Equal(t, protocol.SystemError, r.ReadFrame().Code)
	require.Equal(t, uint64(2), f.mux.panics.Load())
	require.Equal(t, uint64(1), f.mux.failures.Load())
	require.Equal(t, int32(1), f.released.Load(), "an attachment that is not sent is released")
	f.holdsNothing()
}

func TestOnewayRequestsAreNotAnswered(t *testing.T) {
	f := newFixture(t, func(f *fixture, _ *ServerConfig) { f.lane = NewLane("full", 1, false) }).start()
	r := f.raw()
	r.WriteFrame(request(codeGate, 1, "", nil))
	<-f.entered
	for _, code := range []int32{codeEcho, codeUnknown, codeFail, codePanic, codeRefuse, codeEchoLane /* overload */} {
		req := request(code, 5, "", nil)
		req.Flag = protocol.FlagOneway
		r.WriteFrame(req)
	}
	r.WriteFrame(request(codeEcho, 6, "after", nil))
	require.Equal(t, int32(6), r.ReadFrame().Opaque)
	f.gate <- struct{}{}
	require.Equal(t, int32(1), r.ReadFrame().Opaque)
	require.Equal(t, uint64(1), f.lane.Refused())
	f.holdsNothing()
}

func TestAnswersMayOvertake(t *testing.T) {
	f := startServer(t)
	r := f.raw()
	r.WriteFrame(request(codeGate, 1, "slow", nil))
	<-f.entered
	r.WriteFrame(request(codeEcho, 2, "quick", nil))
	r.WriteFrame(request(codeEchoLane, 3, "quick", nil))
	require.ElementsMatch(t, []int32{2, 3}, []int32{r.ReadFrame().Opaque, r.ReadFrame().Opaque})
	f.gate <- struct{}{}
	require.Equal(t, int32(1), r.ReadFrame().Opaque)
}

func TestManyFramesInOneWriteAreAllServed(t *testing.T) {
	f := startServer(t)
	r := f.raw()
	var all []byte
	const n = 2000
	for i := range int32(n) {
		code := []int32{codeEcho, codeEchoLane}[i%2]
		body := bytes.Repeat([]byte{byte(i)}, int(i)%300)
		frame, err := protocol.Append(nil, request(code, i, "t", body))
		require.NoError(t, err)
		all = append(all, frame...)
	}
	f.lane.limit = n
	go func() { _, _ = r.Conn().Write(all) }()
	seen := make(map[int32]bool)
	for range n {
		resp := r.ReadFrame()
		require.Equal(t, protocol.Success, resp.Code)
		require.Equal(t, bytes.Repeat([]byte{byte(resp.Opaque)}, int(resp.Opaque)%300), append([]byte{}, resp.Body...))
		seen[resp.Opaque] = true
	}
	require.Len(t, seen, n)
	f.holdsNothing()
}

func TestLargeBodiesSurviveWhatFollowsThem(t *testing.T) {
	f := startServer(t)
	r := f.raw()
	const n = 12
	go func() {
		for i := range int32(n) {
			code := []int32{codeEcho, codeEchoLane, codeDetach}[i%3]
			frame, _ := protocol.Append(nil, request(code, i, "t", bytes.Repeat([]byte{byte(i)}, int(i+1)*100_000)))
			_, _ = r.Conn().Write(frame)
		}
	}()
	go func() {
		for range n / 3 {
			<-f.entered
			f.gate <- struct{}{}
		}
	}()
	for range n {
		resp := r.ReadFrame()
		require.Equal(t, protocol.Success, resp.Code)
		require.True(t, bytes.Equal(bytes.Repeat([]byte{byte(resp.Opaque)}, int(resp.Opaque+1)*100_000), resp.Body), "body %d", resp.Opaque)
	}
	f.holdsNothing()
}

func TestAttachmentsAreWrittenInOrderAndReleased(t *testing.T) {
	f := startServer(t)
	r := f.raw()
	for _, n := range []int32{0, 1, 3, 400} {
		req := request(codeAttach, n, "head", nil)
		req.Fields = []protocol.Field{{Key: "text", Value: "head"}, {Key: "number", Value: strconv.Itoa(int(n))}}
		before := f.released.Load()
		r.WriteFrame(req)
		resp := r.ReadFrame()
		require.Equal(t, protocol.PullNotFound, resp.Code)
		require.Equal(t, "with a body", resp.Remark)
		extra, _ := resp.Field("extra")
		require.Equal(t, "1", extra)
		want := []byte("head")
		for i := range n {
			want = append(want, bytes.Repeat([]byte{byte(i)}, int(1000+100*i))...)
		}
		require.True(t, bytes.Equal(want, resp.Body), "%d pieces", n)
		testkit.Eventually(t, func() bool { return f.released.Load() == before+1 }, "the attachment is released")
	}
	f.holdsNothing()
}

func TestAnAnswerThatIsTooLongBecomesAnError(t *testing.T) {
	f := startServer(t)
	r := f.raw()
	req := &protocol.Command{Code: codeAttach, Opaque: 4, Fields: []protocol.Field{{Key: "number", Value: "600"}}}
	r.WriteFrame(req) // 600 pieces make 18 MB
	resp := r.ReadFrame()
	require.Equal(t, protocol.SystemError, resp.Code)
	require.Equal(t, int32(1), f.released.Load())
	f.holdsNothing()
}

func TestAFullLaneRefuses(t *testing.T) {
	f := newFixture(t, func(f *fixture, _ *ServerConfig) { f.lane = NewLane("work", 2, false) }).start()
	r := f.raw()
	r.WriteFrame(request(codeGate, 1, "", nil))
	r.WriteFrame(request(codeGate, 2, "", nil))
	<-f.entered
	<-f.entered
	r.WriteFrame(request(codeEchoLane, 3, "", nil))
	resp := r.ReadFrame()
	require.Equal(t, protocol.SystemBusy, resp.Code)
	require.Equal(t, "[OVERLOAD]system busy, start flow control for a while", resp.Remark)
	require.Equal(t, int32(3), resp.Opaque)
	r.WriteFrame(request(codeEcho, 4, "", nil))
	require.Equal(t, protocol.Success, r.ReadFrame().Code, "inline lanes refuse nothing")
	f.gate <- struct{}{}
	f.gate <- struct{}{}
	r.ReadFrame()
	r.ReadFrame()
	f.holdsNothing()
	r.WriteFrame(request(codeEchoLane, 5, "", nil))
	require.Equal(t, protocol.Success, r.ReadFrame().Code)
}

func TestParkedCallsHoldNoPlaceAndAreAnsweredOnce(t *testing.T) {
	f := newFixture(t, func(f *fixture, _ *ServerConfig) { f.lane = NewLane("work", 1, false) }).start()
	r := f.raw()
	for i, code := range []int32{codePark, codeParkInline, codePark, codeParkInline} {
		r.WriteFrame(request(code, int32(i), "kept", []byte("not kept")))
		c := <-f.parked
		testkit.Eventually(t, func() bool { return f.lane.Busy() == 0 }, "the lane is free")
		require.Equal(t, "kept", text(c.Request()))
		if i < 2 {
			c.Attach(&pieces{[][]byte{[]byte("more")}, &f.released})
			c.Reply(&echoHeader{Text: "later"}, nil)
		} else {
			again := make(chan struct{})
			c.Resume(func() (any, error) { close(again); return nil, Parked })
			<-again
			c.Resume(func() (any, error) { return &echoHeader{Text: "later"}, nil })
		}
		resp := r.ReadFrame()
		require.Equal(t, int32(i), resp.Opaque)
		require.Equal(t, "later", text(resp))
		c.Reply(nil, ErrClosed)
		c.Resume(func() (any, error) { t.Error("resumed after the answer"); return nil, nil })
	}
	f.holdsNothing()
	require.Equal(t, int32(2), f.released.Load())
}

// sinkOfCounts counts what leaves, and how much had been delivered by then.
type sinkOfCounts struct {
	delivered, parkedNow int
	left                 []int
}

func (s *sinkOfCounts) deliver(*Call)     { s.delivered++ }
func (s *sinkOfCounts) answered()         {}
func (s *sinkOfCounts) flush()            {}
func (s *sinkOfCounts) kick()             { s.left = append(s.left, s.delivered) }
func (s *sinkOfCounts) park(int64) bool   { s.parkedNow++; return true }
func (s *sinkOfCounts) unpark(int64)      { s.parkedNow-- }
func (s *sinkOfCounts) spawn(func()) bool { return false }

func TestAnswersThatComeTogetherLeaveTogether(t *testing.T) {
	m := NewMux(zerolog.Nop())
	sinks := []*sinkOfCounts{{}, {}}
	var answers []Answer
	for i := range 6 {
		c := newCall(context.Background(), m, nil, sinks[i/3])
		c.begin(nil)
		if i != 4 { // the handler of that one has not returned yet
			c.parkNow()
		}
		answers = append(answers, Answer{Call: c})
	}
	late := answers[4].Call
	ReplyAll(answers)
	late.parkNow()
	for _, s := range sinks {
		require.Equal(t, []int{3}, s.left)
		require.Zero(t, s.parkedNow)
	}
}

func TestCallsThatAreAnsweredTogetherAreUsedAgain(t *testing.T) {
	f := startServer(t)
	r := f.raw()
	for round := range int32(20) {
		var answers []Answer
		for i := range int32(5) {
			r.WriteFrame(request(codeParkInline, 5*round+i, "kept", []byte("not kept")))
			c := <-f.parked
			require.Equal(t, "kept", text(c.Request()))
			answers = append(answers, Answer{Call: c, Header: &echoHeader{Text: strconv.Itoa(int(5*round + i))}})
		}
		ReplyAll(answers)
		for i := range int32(5) {
			resp := r.ReadFrame()
			require.Equal(t, 5*round+i, resp.Opaque)
			require.Equal(t, strconv.Itoa(int(resp.Opaque)), text(resp))
		}
	}
	f.holdsNothing()
}

func TestALateAnswerOfTheWrongTypeIsAnError(t *testing.T) {
	f := startServer(t)
	r := f.raw()
	r.WriteFrame(request(codePark, 1, "", nil))
	(<-f.parked).Reply(&struct{}{}, nil)
	require.Equal(t, protocol.SystemError, r.ReadFrame().Code)
	r.WriteFrame(request(codePark, 2, "", nil))
	(<-f.parked).Resume(func() (any, error) { panic("boom") })
	require.Equal(t, protocol.SystemError, r.ReadFrame().Code)
	f.holdsNothing()
}

func TestParkedCallsAreLimited(t *testing.T) {
	f := newFixture(t, func(_ *fixture, c *ServerConfig) { c.MaxParked = 2 }).start()
	r := f.raw()
	for i := range int32(3) {
		r.WriteFrame(request(codePark, i, "", nil))
	}
	busy := r.ReadFrame()
	require.Equal(t, protocol.SystemBusy, busy.Code)
	for range 3 {
		(<-f.parked).Reply(nil, nil)
	}
	require.NotEqual(t, busy.Opaque, r.ReadFrame().Opaque)
	require.NotEqual(t, busy.Opaque, r.ReadFrame().Opaque)
	f.holdsNothing()
}

func TestParkedCallsOfAClosedConnectionAreDropped(t *testing.T) {
	f := startServer(t)
	r := f.raw()
	r.WriteFrame(request(codePark, 1, "", nil))
	r.WriteFrame(request(codePark, 2, "", nil))
	first, second := <-f.parked, <-f.parked
	r.Close()
	testkit.Eventually(t, func() bool { return f.closings.Load() == 1 }, "the close hook ran")
	require.Error(t, first.ctx.Err())
	first.Attach(&pieces{[][]byte{[]byte("late")}, &f.released})
	first.Reply(&echoHeader{}, nil)
	second.Resume(func() (any, error) { t.Error("resumed for nobody"); return nil, nil })
	require.Equal(t, int32(1), f.released.Load())
	f.holdsNothing()
	require.Equal(t, 0, f.server.Connections())
}

func TestDetachedHandlersKeepTheirRequestAndDoNotStopTheReader(t *testing.T) {
	for _, code := range []int32{codeDetach, codeOffReader} {
		f := startServer(t)
		r := f.raw()
		r.WriteFrame(request(code, 1, "kept", []byte("body one")))
		<-f.entered
		for i := range int32(20) {
			r.WriteFrame(request(codeEcho, 100+i, strings.Repeat("noise", 200), bytes.Repeat([]byte("x"), 5000)))
			require.Equal(t, 100+i, r.ReadFrame().Opaque)
		}
		f.gate <- struct{}{}
		resp := r.ReadFrame()
		require.Equal(t, "kept", text(resp))
		require.Equal(t, "body one", string(resp.Body))
		require.EqualValues(t, 1, f.server.mux.lookup(code).served.Load())
		f.holdsNothing()
	}
}

func TestDetachedHandlersAreLimitedByTheirLane(t *testing.T) {
	f := newFixture(t, func(f *fixture, _ *ServerConfig) { f.inline = NewLane("inline", 1, true) }).start()
	r := f.raw()
	for _, code := range []int32{codeDetach, codeOffReader} {
		r.WriteFrame(request(code, 1, "", nil))
		<-f.entered
		r.WriteFrame(request(code, 2, "", nil))
		require.Equal(t, protocol.SystemBusy, r.ReadFrame().Code)
		f.gate <- struct{}{}
		require.Equal(t, int32(1), r.ReadFrame().Opaque)
	}
}

func TestInterceptorsRunInOrderAndMayRefuse(t *testing.T) {
	var trail []string
	m := NewMux(zerolog.Nop(),
		WithInterceptor(func(_ context.Context, c *Call) error { trail = append(trail, "first"); return nil }),
		WithInterceptor(func(_ context.Context, c *Call) error {
			trail = append(trail, "second")
			if c.Request().Body == nil {
				return protocol.Errorf(protocol.NoPermission, "no body")
			}
			return nil
		}))
	Handle(m, codeEcho, NewLane("l", 1, false), func(_ context.Context, _ *Call, req *echoHeader) (*echoHeader, error) {
		trail = append(trail, "handler")
		return req, nil
	})
	resp, err := m.Handle(context.Background(), nil, request(codeEcho, 8, "x", nil))
	require.NoError(t, err)
	require.Equal(t, protocol.NoPermission, resp.Code)
	resp, err = m.Handle(context.Background(), nil, request(codeEcho, 8, "x", []byte("b")))
	require.NoError(t, err)
	require.Equal(t, "x", text(resp))
	require.Equal(t, int32(8), resp.Opaque)
	require.Equal(t, []string{"first", "second", "first", "second", "handler"}, trail)
}

func TestHandleServesWithoutAConnection(t *testing.T) {
	f := newFixture(t, nil)
	ctx := context.Background()
	parked := make(chan *protocol.Command, 1)
	go func() {
		resp, err := f.mux.Handle(ctx, nil, request(codePark, 1, "", nil))
		if err == nil {
			parked <- resp
		}
	}()
	c := <-f.parked
	c.Attach(&pieces{[][]byte{[]byte("a"), []byte("b")}, &f.released})
	c.Reply(&echoHeader{Text: "t"}, nil)
	require.Equal(t, "ab", string((<-parked).Body))
	require.Equal(t, int32(1), f.released.Load())

	resp, err := f.mux.Handle(ctx, nil, request(codeUnknown, 1, "", nil))
	require.NoError(t, err)
	require.Equal(t, protocol.RequestCodeNotSupported, resp.Code)

	resp, err = f.mux.Handle(ctx, nil, request(codePanic, 1, "", nil))
	require.NoError(t, err)
	require.Equal(t, protocol.SystemError, resp.Code)

	oneway := request(codeEcho, 1, "", nil)
	oneway.Flag = protocol.FlagOneway
	resp, err = f.mux.Handle(ctx, nil, oneway)
	require.NoError(t, err)
	require.Nil(t, resp)

	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	_, err = f.mux.Handle(short, nil, request(codePark, 1, "", nil))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	(<-f.parked).Reply(nil, nil)
}

func TestRegisteringACodeTwicePanics(t *testing.T) {
	f := newFixture(t, nil)
	require.Panics(t, func() {
		Handle(f.mux, codeEcho, f.lane, func(context.Context, *Call, *struct{}) (*struct{}, error) { return nil, nil })
	})
	require.Panics(t, func() {
		Handle(f.mux, 500, nil, func(context.Context, *Call, *struct{}) (*struct{}, error) { return nil, nil })
	})
}

func TestTheServerIsACollector(t *testing.T) {
	f := startServer(t)
	r := f.raw()
	r.WriteFrame(request(codeEcho, 1, "", nil))
	r.ReadFrame()
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(f.server))
	families, err := registry.Gather()
	require.NoError(t, err)
	got := make(map[string]float64)
	for _, family := range families {
		for _, m := range family.Metric {
			got[family.GetName()] += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	require.Equal(t, 1.0, got["rocketd_remoting_connections"])
	require.Equal(t, 1.0, got["rocketd_remoting_requests_total"])
	require.Contains(t, got, "rocketd_remoting_lane_busy")
}

func TestALaneWithoutALimitRefusesNothing(t *testing.T) {
	l := NewLane("any", 0, true)
	for range 1000 {
		require.True(t, l.admit())
	}
	require.Equal(t, "any", l.Name())
}

func TestConfigurationsThatCannotWorkAreRefused(t *testing.T) {
	good := DefaultServerConfig()
	require.NoError(t, good.Validate())
	for key, spoil := range map[string]func(*ServerConfig){
		"serverChannelMaxIdleTimeSeconds":    func(c *ServerConfig) { c.MaxIdleSeconds = 0 },
		"serverMaxConnections":               func(c *ServerConfig) { c.MaxConnections = -1 },
		"serverMaxFrameBytes":                func(c *ServerConfig) { c.MaxFrameBytes = 17 << 20 },
		"serverMaxPendingBytesPerConnection": func(c *ServerConfig) { c.MaxPendingBytes = 0 },
		"serverDrainTimeoutMillis":           func(c *ServerConfig) { c.DrainTimeoutMs = -1 },
	} {
		c := DefaultServerConfig()
		spoil(&c)
		require.ErrorContains(t, c.Validate(), key)
	}
}
