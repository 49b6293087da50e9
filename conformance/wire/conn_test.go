// SPDX-License-Identifier: Apache-2.0

// conn_test.go: what becomes of a connection. Bytes that are no frames, frames in odd pieces, one-ways, and what servers
// send by themselves.

package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rocketd/protocol"
)

// silence is how long nothing must come for a server to have nothing more to say.
const silence = 400 * time.Millisecond

// last is the opaque of the last good frame of a row: either it is answered or the connection ends.
const last = 50

// transcript writes the pieces and lists what comes back: codes of answers by opaque, then how it ended.
func transcript(t *testing.T, side *Side, pieces ...[]byte) string {
	t.Helper()
	for _, piece := range pieces {
		if err := side.Write(piece); err != nil {
			break // the server has closed already, which the reading shows
		}
	}
	var answers []string
	end := "open"
	for wait := answerTime; ; {
		answer, err := side.Read(time.Now().Add(wait))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			end = "closed"
			break
		}
		answers = append(answers, fmt.Sprintf("%d:%d", answer.Opaque, answer.Code))
		if answer.Opaque == last {
			wait = silence
		}
	}
	side.Close()
	slices.Sort(answers) // pools may overtake
	return strings.Join(append(answers, end), " ")
}

// ask is a frame that asks the NameServer's route of nothing, or the Broker's list of an unknown group.
func ask(to server, form Form, opaque int32) []byte {
	r := Request{Code: protocol.GetRouteInfoByTopic, Opaque: opaque, Version: peerVersion, Fields: []KV{{"topic", "w_none"}}}
	if to == toBroker {
		r.Code, r.Fields = protocol.GetConsumerListByGroup, []KV{{"consumerGroup", "w_none"}}
	}
	return r.Frame(form)
}

func sized(n uint32, rest ...byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, n), rest...)
}

// connRow is a sequence of writes.
type connRow struct {
	name   string
	pieces func(to server, form Form) [][]byte
}

// before is a piece with a good frame behind it, which is answered where the piece was survived. Java looks at nothing
// before the first 12 bytes have come.
func before(piece []byte) func(server, Form) [][]byte {
	return func(to server, form Form) [][]byte { return [][]byte{piece, ask(to, form, last)} }
}

var connRows = []connRow{
	{name: "several frames in one segment", pieces: func(to server, form Form) [][]byte {
		return [][]byte{slices.Concat(ask(to, form, 1), ask(to, form, 2), ask(to, form, last))}
	}},
	{name: "a frame byte by byte", pieces: func(to server, form Form) [][]byte {
		var pieces [][]byte
		for _, b := range ask(to, form, last) {
			pieces = append(pieces, []byte{b})
		}
		return pieces
	}},
	{name: "a frame and a half", pieces: func(to server, form Form) [][]byte {
		return [][]byte{slices.Concat(ask(to, form, last), ask(to, form, 2)[:20])}
	}},
	{name: "both header forms", pieces: func(to server, _ Form) [][]byte { return [][]byte{ask(to, JSON, 1), ask(to, Binary, last)} }},
	{name: "one-way", pieces: func(to server, form Form) [][]byte {
		one := Request{Code: protocol.GetBrokerConfig, Flag: oneway, Opaque: 1, Version: peerVersion}
		return [][]byte{one.Frame(form), ask(to, form, last)}
	}},
	{name: "one-way of an unknown code", pieces: func(to server, form Form) [][]byte {
		one := Request{Code: 9999, Flag: oneway, Opaque: 1, Version: peerVersion}
		return [][]byte{one.Frame(form), ask(to, form, last)}
	}},
	{name: "unknown codes", pieces: func(to server, form Form) [][]byte {
		var pieces [][]byte
		for i, code := range []int32{9999, 0, -1, 32767, 45_000} {
			r := Request{Code: code, Opaque: int32(i + 1), Version: peerVersion}
			pieces = append(pieces, r.Frame(form))
		}
		return append(pieces, ask(to, form, last))
	}},
	{name: "an answer that nobody waits for", pieces: func(to server, form Form) [][]byte {
		r := Request{Code: 0, Flag: 1, Opaque: 77, Version: peerVersion}
		return [][]byte{r.Frame(form), ask(to, form, last)}
	}},
	{name: "length 0", pieces: before(sized(0))},
	{name: "length 3", pieces: before(sized(3, 1, 2, 3))},
	{name: "length of 16 MiB and more", pieces: before(sized(16<<20+1, 0, 0, 0, 1))},
	{name: "negative length", pieces: before(sized(0xFFFFFFFF, 0, 0, 0, 1))},
	{name: "header longer than the frame", pieces: before(sized(8, 0, 0, 0, 100, 1, 2, 3, 4))},
	{name: "form 2", pieces: before(rawFrame(2, []byte("{}"), nil))},
	{name: "no header", pieces: before(rawFrame(0, nil, nil))},
	{name: "nothing but an opaque", pieces: before(rawFrame(0, []byte(`{"opaque":1}`), nil))},
	{name: "JSON array", pieces: before(rawFrame(0, []byte("[]"), nil))},
	{name: "broken JSON", pieces: before(rawFrame(0, []byte(`{"code":105,"opaque":1`), nil))},
	{name: "code as text", pieces: before(rawFrame(0, []byte(`{"code":"9999","opaque":1}`), nil))},
	{name: "code that is no number", pieces: before(rawFrame(0, []byte(`{"code":"x","opaque":1}`), nil))},
	{name: "unknown language", pieces: before(rawFrame(0, []byte(`{"code":9999,"language":"COBOL","opaque":1}`), nil))},
	{name: "unknown member", pieces: before(rawFrame(0, []byte(`{"code":9999,"opaque":1,"more":{"a":[1]}}`), nil))},
	{name: "number in extFields", pieces: before(rawFrame(0, []byte(`{"code":9999,"extFields":{"a":1},"opaque":1}`), nil))},
	{name: "null in extFields", pieces: before(rawFrame(0, []byte(`{"code":9999,"extFields":{"a":null},"opaque":1}`), nil))},
	{name: "extFields is null", pieces: before(rawFrame(0, []byte(`{"code":9999,"extFields":null,"opaque":1}`), nil))},
	{name: "short binary header", pieces: before(rawFrame(1, []byte{0, 105, 0}, nil))},
	{name: "binary remark beyond the header", pieces: before(rawFrame(1, append(make([]byte, 13), 0, 0, 1, 0), nil))},
	{name: "HTTP", pieces: before([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))},
	{name: "TLS", pieces: before([]byte{0x16, 3, 1, 0, 4, 1, 0, 0, 0})},
	{name: "zeros", pieces: before(make([]byte, 64))},
}

func TestConnections(t *testing.T) {
	eachAtOnce(t, func(t *testing.T, p *pair) {
		for _, r := range connRows {
			for _, to := range []server{toBroker, toNames} {
				t.Run(r.name+" to "+string(to), func(t *testing.T) {
					t.Parallel()
					var ends [2]string
					for i, side := range p.sides[to] {
						ends[i] = transcript(t, &Side{addr: side.addr, mask: side.mask}, r.pieces(to, p.form)...)
					}
					require.Equal(t, ends[java], ends[ours], "Java, and ours")
				})
			}
		}
	})
}

// A member that comes or goes is told to the members there are.
func TestNotifyConsumerIDsChanged(t *testing.T) {
	each(t, func(t *testing.T, p *pair) {
		n := newNames()
		topicAndGroup(p.with(t), n)
		first := n.requests(protocol.HeartBeat, []KV{}, heartbeat)
		n.renew("client")
		second := n.requests(protocol.HeartBeat, []KV{}, heartbeat)
		var told [2][]*Answer
		for i, side := range p.sides[toBroker] {
			watcher, other := &Side{addr: side.addr, mask: side.mask}, &Side{addr: side.addr, mask: side.mask}
			watcher.Ask(first[i], p.form, answerTime)
			drain(watcher, time.Second) // it may be told of itself
			other.Ask(second[i], p.form, answerTime)
			told[i] = append(told[i], drain(watcher, answerTime)...)
			other.Close()
			told[i] = append(told[i], drain(watcher, answerTime)...)
			watcher.Close()
		}
		require.NotEmpty(t, told[java], "Java tells")
		require.Len(t, told[ours], len(told[java]), "how often the member was told")
		for i := range told[java] {
			require.Equal(t, protocol.NotifyConsumerIDsChanged, told[java][i].Code)
			mask := p.sides[toBroker][java].mask
			rest, _ := Judge(Compare(Exchange{Answer: told[java][i], Mask: mask}, Exchange{Answer: told[ours][i], Mask: mask}, Scope{}), nil)
			require.Empty(t, rest)
		}
	})
}

// drain reads what comes by itself: it waits for a first frame, and then until nothing comes any more.
func drain(side *Side, wait time.Duration) (frames []*Answer) {
	frames, side.pushed = side.pushed, nil
	for ; ; wait = silence {
		frame, err := side.Read(time.Now().Add(wait))
		if err != nil {
			return frames
		}
		frames = append(frames, frame)
	}
}
