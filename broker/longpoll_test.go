// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/remoting"
	"rocketd/store/vfs"
)

const (
	pollQueues      = 2
	pollClients     = 8
	pollConnections = 3
	passedOverAfter = 5 * time.Second // a pull that messages passed over because of its tag is answered so late
)

// Clients pull and wait while messages come, time passes, connections break and the Broker ends. What must hold: every pull
// of a connection that stays is answered once, when a message comes for it, at its deadline or at the Broker's end, and
// not before; the answers of a client, one after the other, are the messages with its tag, none left out and none twice.
// Time is virtual, so an answer that is late by a nanosecond is found.
func TestEveryParkedPullIsAnsweredOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.Custom(drawPollStep), 20, 200).Draw(rt, "steps")
		if broken := inVirtualTime(t, func(t *testing.T, v *verdict) {
			p := newPolls(t, v)
			defer p.close()
			for _, s := range steps {
				pollActions[s.do](p, s)
				p.check()
			}
			p.end()
		}); broken != "" {
			rt.Fatal(broken)
		}
	})
}

// verdict is how a check in virtual time fails: rapid's own panics cannot leave the bubble.
type verdict struct{ text string }

func (v *verdict) Errorf(format string, args ...any) { v.text += fmt.Sprintf(format, args...) }
func (v *verdict) FailNow()                          { panic(v) }

// inVirtualTime returns what a check said that failed.
func inVirtualTime(t *testing.T, check func(t *testing.T, v *verdict)) string {
	v := new(verdict)
	synctest.Test(t, func(t *testing.T) {
		defer func() {
			if said := recover(); said != nil && said != v {
				panic(said)
			}
		}()
		check(t, v)
	})
	return v.text
}

// pollStep is something that happens. It is drawn whatever has been answered, so that a failure can be shortened.
type pollStep struct {
	do         string
	clients    uint8 // a bit each
	client     int
	connection int
	queue      int32
	tag        string
	hold, pass time.Duration
}

func drawPollStep(rt *rapid.T) pollStep {
	ms := func(most int, what string) time.Duration {
		return time.Duration(rapid.IntRange(1, most).Draw(rt, what)) * time.Millisecond
	}
	return pollStep{
		do:         rapid.SampledFrom(slices.Sorted(maps.Keys(pollActions))).Draw(rt, "do"),
		clients:    rapid.Uint8().Draw(rt, "clients"),
		client:     rapid.IntRange(0, pollClients-1).Draw(rt, "client"),
		connection: rapid.IntRange(0, pollConnections-1).Draw(rt, "connection"),
		queue:      rapid.Int32Range(0, pollQueues-1).Draw(rt, "queue"),
		tag:        rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "tag"),
		hold:       ms(15_000, "hold"), pass: ms(6000, "pass"),
	}
}

var pollActions = map[string]func(p *polls, s pollStep){
	"poll": func(p *polls, s pollStep) {
		for i, c := range p.pollers {
			if s.clients>>i&1 == 1 {
				p.poll(c, s.hold)
			}
		}
	},
	"send": func(p *polls, s pollStep) { p.send(s.queue, s.tag) },
	"pass": func(_ *polls, s pollStep) { time.Sleep(s.pass) },
	"poll while a message comes": func(p *polls, s pollStep) {
		p.racing = true
		p.poll(p.pollers[s.client], s.hold)
		p.send(p.pollers[s.client].queue, s.tag)
	},
	"a message comes at a deadline": func(p *polls, s pollStep) {
		c := p.pollers[s.client]
		if c.opaque != 0 {
			time.Sleep(time.Until(c.until))
		}
		p.send(c.queue, s.tag)
	},
	"a connection breaks while a message comes": func(p *polls, s pollStep) {
		p.cut(s.connection)
		p.send(s.queue, s.tag)
	},
}

// polls is what clients wait for, as it must be.
type polls struct {
	v        *verdict
	b        *liveBroker
	producer *remoting.Client
	tags     [pollQueues][]string // of the messages, by queue and offset
	conns    []*pollConn
	pollers  []*poller
	racing   bool // a message comes while a pull does
	ended    bool
}

// poller is a client with one queue and at most one pull at a time.
type poller struct {
	conn   int
	queue  int32
	tag    string // or SubscribeAll
	cursor int64  // all before has been answered
	opaque int32  // of the pull that waits; 0: none does
	until  time.Time
	fresh  bool // the pull has just been sent
}

// pollConn is a client's connection. Its answers are read as they come.
type pollConn struct {
	net.Conn
	answers chan *protocol.Command // closed at the connection's end
	opaque  int32
}

func newPolls(t *testing.T, v *verdict) *polls {
	p := &polls{v: v, b: newBroker(t, vfs.NewMem(), clockwork.NewRealClock(), func(c *Config) { c.MaxIdleSeconds = 3600 })}
	p.producer = remoting.NewClient(remoting.DefaultClientConfig(), nil, zerolog.Nop(), p.b.network.Dial)
	require.NoError(v, p.b.topics.Put(protocol.NewTopicConfig("T", pollQueues, pollQueues, protocol.PermRead|protocol.PermWrite)))
	for range pollConnections {
		p.conns = append(p.conns, p.dial())
	}
	for i := range pollClients {
		tag := []string{protocol.SubscribeAll, "a", "b"}[i%3]
		p.pollers = append(p.pollers, &poller{conn: i % pollConnections, queue: int32(i % pollQueues), tag: tag})
	}
	return p
}

func (p *polls) close() {
	for _, c := range p.conns {
		_ = c.Close()
	}
	_ = p.producer.Close()
	_ = p.b.stop() // what its end must give has been demanded before
}

func (p *polls) dial() *pollConn {
	conn, err := p.b.network.Dial(context.Background(), "tcp", "0.0.0.0:10911")
	require.NoError(p.v, err)
	c := &pollConn{Conn: conn, answers: make(chan *protocol.Command, 100)}
	go c.read()
	return c
}

func (c *pollConn) read() {
	defer close(c.answers)
	in := bufio.NewReader(c)
	for {
		var size uint32
		if binary.Read(in, binary.BigEndian, &size) != nil {
			return
		}
		frame, answer := make([]byte, size), new(protocol.Command)
		if _, err := io.ReadFull(in, frame); err != nil || protocol.Decode(frame, answer) != nil {
			return
		}
		c.answers <- answer
	}
}

// poll has a client pull, unless it waits already.
func (p *polls) poll(c *poller, hold time.Duration) {
	if c.opaque != 0 {
		return
	}
	conn := p.conns[c.conn]
	conn.opaque++
	req := protocol.NewRequest(protocol.PullMessage, &protocol.PullHeader{
		ConsumerGroup: "G", Topic: "T", QueueID: c.queue, QueueOffset: c.cursor, MaxMsgNums: 32, SuspendTimeoutMs: hold.Milliseconds(),
		SysFlag: protocol.PullFlagSuspend | protocol.PullFlagSubscription, Subscription: c.tag, ExpressionType: protocol.ExpressionTag,
	})
	req.Opaque = conn.opaque
	frame, err := protocol.Append(nil, req)
	require.NoError(p.v, err)
	c.fresh, c.opaque, c.until = true, conn.opaque, time.Now().Add(hold)
	_, err = conn.Write(frame)
	require.NoError(p.v, err)
}

func (p *polls) send(queue int32, tag string) {
	req := protocol.NewRequest(protocol.SendMessage, &protocol.SendHeader{
		ProducerGroup: "P", Topic: "T", QueueID: queue, BornTimestampMs: 1, Properties: message.EncodeProperties(map[string]string{message.PropTags: tag}),
	})
	req.Body = []byte(bodyOf(queue, int64(len(p.tags[queue]))))
	answer, err := p.producer.Call(context.Background(), "0.0.0.0:10911", req)
	require.NoError(p.v, err)
	require.Equal(p.v, protocol.Success, answer.Code, answer.Remark)
	p.tags[queue] = append(p.tags[queue], tag)
	for _, c := range p.pollers {
		if soon := time.Now().Add(passedOverAfter); c.queue == queue && soon.Before(c.until) {
			c.until = soon
		}
	}
}

// cut breaks a connection. Its clients come again on another.
func (p *polls) cut(conn int) {
	require.NoError(p.v, p.conns[conn].Close())
	p.conns[conn] = p.dial()
	for _, c := range p.pollers {
		if c.conn == conn {
			c.opaque = 0
		}
	}
}

// end ends the Broker, which answers whoever waits.
func (p *polls) end() {
	p.ended = true
	require.NoError(p.v, p.b.stop())
	p.check()
}

// check takes what has been answered when nothing moves any more, and demands that whoever waits does so rightly.
func (p *polls) check() {
	synctest.Wait()
	for i, conn := range p.conns {
		for len(conn.answers) > 0 {
			answer := <-conn.answers
			p.take(p.waiting(i, answer), answer)
		}
	}
	p.racing = false
	waiting := 0
	for _, c := range p.pollers {
		if c.opaque != 0 {
			require.Empty(p.v, p.wanted(c, int64(len(p.tags[c.queue]))), "messages for a pull that waits")
			require.True(p.v, time.Now().Before(c.until) && !p.ended, "the pull should have been answered: it was to wait until %v", c.until)
			waiting, c.fresh = waiting+1, false
		}
	}
	require.Equal(p.v, waiting, p.b.parked.Len())
}

// waiting is the client whose pull is answered.
func (p *polls) waiting(conn int, answer *protocol.Command) *poller {
	for _, c := range p.pollers {
		if c.conn == conn && c.opaque == answer.Opaque {
			return c
		}
	}
	require.Fail(p.v, "an answer to no pull that waits", "%d %s", answer.Code, answer.Remark)
	return nil
}

// wanted are the messages with the client's tag from its cursor up to an offset.
func (p *polls) wanted(c *poller, end int64) (bodies []string) {
	for offset := c.cursor; offset < end; offset++ {
		if c.tag == protocol.SubscribeAll || c.tag == p.tags[c.queue][offset] {
			bodies = append(bodies, bodyOf(c.queue, offset))
		}
	}
	return bodies
}

// take checks an answer.
func (p *polls) take(c *poller, answer *protocol.Command) {
	var result protocol.PullResult
	require.NoError(p.v, protocol.CodecOf[protocol.PullResult]("rmq").Decode(answer.Fields, &result))
	next, due := result.NextBeginOffset, p.ended || !time.Now().Before(c.until)
	require.LessOrEqual(p.v, next, int64(len(p.tags[c.queue])))
	got, want := bodiesOf(p.v, answer.Body), p.wanted(c, next)
	require.Equal(p.v, want, got)
	switch answer.Code {
	case protocol.Success:
		require.NotEmpty(p.v, got)
	case protocol.PullNotFound:
		require.Equal(p.v, c.cursor, next)
		require.True(p.v, due, "the pull waits until %v", c.until)
	case protocol.PullRetryImmediately:
		require.Empty(p.v, got)
		require.Greater(p.v, next, c.cursor, "the messages without its tag are passed over")
		require.True(p.v, due || c.fresh || p.racing, "the pull waits until %v", c.until)
	default:
		require.Fail(p.v, "another outcome", "%d %s", answer.Code, answer.Remark)
	}
	c.cursor, c.opaque = next, 0
}
