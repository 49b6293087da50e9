// SPDX-License-Identifier: Apache-2.0

// sendprops.go: the properties of a message that is sent. The text is walked
// over once; it becomes no map, because nearly every send needs only to know
// that nothing in it concerns the broker.

package broker

import (
	"strconv"
	"strings"

	"rocketd/compat"
	"rocketd/protocol"
	"rocketd/protocol/message"
)

const (
	propNameEnd  = '\x01'
	propValueEnd = '\x02'
)

// sendProps is what the broker reads of a message's properties. Of several
// values of a name the last counts.
type sendProps struct {
	text string // every pair has a name and a value and ends with 0x02

	uniqKey string
	keys    string
	delay   string
	noWait  bool // WAIT=false: the sender does not wait for the disk
	tran    bool
	timer   timerProps
	fired   bool // TIMER_OUT_MS: has been through the timer

	priority  string
	liteTopic string
	otherKind bool // a transaction, a delay or an order, which win over a priority
	innerNum  bool // INNER_NUM: calls itself a batch kept whole
}

// readProps walks over the text. What Java would drop when it makes a map of
// it, and what the broker sets itself, is left out of the result's text.
func readProps(text string) sendProps {
	p := sendProps{text: text}
	kept := 0 // text up to here is taken over
	var rebuilt []byte
	for at := 0; at < len(text); {
		end, next := len(text), len(text)
		if i := strings.IndexByte(text[at:], propValueEnd); i >= 0 {
			end, next = at+i, at+i+1
		}
		pair := text[at:end]
		if i := strings.IndexByte(pair, propNameEnd); i <= 0 || i == len(pair)-1 || !p.see(pair[:i], pair[i+1:]) {
			rebuilt = append(rebuilt, text[kept:at]...)
			kept = next
		}
		at = next
	}
	if kept > 0 {
		p.text = string(append(rebuilt, text[kept:]...))
	}
	if n := len(p.text); n > 0 && p.text[n-1] != propValueEnd {
		p.text += string(propValueEnd)
	}
	return p
}

// see notes a property and says whether it stays in the text.
func (p *sendProps) see(name, value string) (stays bool) {
	switch name {
	case message.PropUniqKey:
		p.uniqKey = value
	case message.PropKeys:
		p.keys = value
	case message.PropDelay:
		p.delay, p.otherKind = value, true
	case message.PropWait:
		p.noWait = !compat.ParseBool(value)
	case message.PropTranMsg:
		p.tran = compat.ParseBool(value)
		p.otherKind = p.otherKind || p.tran
	case message.PropTimerDelaySec:
		p.timer.delaySec, p.otherKind = value, true
	case message.PropTimerDelayMs:
		p.timer.delayMs, p.otherKind = value, true
	case message.PropTimerDeliverMs:
		p.timer.deliverMs, p.otherKind = value, true
	case message.PropTimerDelUniqKey:
		p.timer.takesBack = true
	case message.PropShardingKey:
		p.otherKind = true
	case message.PropPriority:
		p.priority = value
	case message.PropLiteTopic:
		p.liteTopic = value
	case message.PropInnerNum:
		p.innerNum = true
	case message.PropTimerOutMs:
		p.fired = true
	case message.PropMsgRegion, message.PropTraceOn, message.PropCluster, message.PropPopCK:
		return false
	}
	return true
}

// delayLevel is the level that DELAY asks for, 0 for none.
func (p *sendProps) delayLevel() (int32, error) {
	if p.delay == "" {
		return 0, nil
	}
	level, err := strconv.ParseInt(p.delay, 10, 32)
	if err != nil {
		return 0, protocol.Errorf(protocol.SystemError, "For input string: %q", p.delay)
	}
	return int32(level), nil
}

// brokerProps are the pairs that every stored message gets.
func brokerProps(cfg *Config) [2]string {
	pairs := func(traceOn string) string {
		var text []byte
		text = message.AppendProperty(text, message.PropMsgRegion, cfg.RegionID)
		text = message.AppendProperty(text, message.PropTraceOn, traceOn)
		text = message.AppendProperty(text, message.PropCluster, cfg.BrokerClusterName)
		return string(text)
	}
	return [2]string{pairs("false"), pairs("true")}
}

func boolText(b bool) string {
	if b {
		return "true"
	}
	return "false"
}
