// SPDX-License-Identifier: Apache-2.0

// message.go: sendMessage. Java: SendMessageCommand, DefaultMQProducer. Codes: 105, 310.
// Deviations: bodies are sent uncompressed; the option -m is accepted, and no trace is sent.

package admin

import (
	"encoding/binary"
	"encoding/hex"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"rocketd/protocol"
	"rocketd/protocol/message"
)

const (
	newTopicSendQueues = 4 // of a topic that the send creates: Java's defaultTopicQueueNums
	sendAttempts       = 3 // Java's retryTimesWhenSendFailed and the first one
)

func sendMessageCommand() *command {
	return &command{
		name: "sendMessage", class: "SendMessageCommand", text: "Send a message.", run: sendMessage, runtime: true,
		options: []option{
			{short: "t", long: "topic", arg: true, required: true, text: "Topic name"},
			{short: "p", long: "body", arg: true, required: true, text: "UTF-8 string format of the message body"},
			{short: "k", long: "key", arg: true, text: "Message keys"},
			{short: "c", long: "tags", arg: true, text: "Message tags"},
			{short: "b", long: "broker", arg: true, text: "Send message to target broker"},
			{short: "i", long: "qid", arg: true, text: "Send message to target queue"},
			{short: "m", long: "msgTraceEnable", arg: true, text: "Message Trace Enable, Default: false"},
		},
	}
}

func sendMessage(s *session, o given) error {
	queueID := int32(-1)
	if o.has("i") {
		if !o.has("b") {
			s.printf("Broker name must be set if the queue is chosen!")
			return nil
		}
		n, err := number(o.text("i"))
		if err != nil {
			return err
		}
		queueID = n
	}
	m := outgoing{topic: o.text("t"), keys: o.text("k"), tags: o.text("c"), body: []byte(o.text("p")), id: s.messageID()}
	if len(m.body) == 0 {
		return codedFailure(protocol.MessageIllegal, "the message body length is zero")
	}
	targets, err := s.targets(m.topic)
	if err != nil {
		return err
	}
	if queueID >= 0 {
		targets = slices.DeleteFunc(targets, func(t target) bool { return t.broker != o.text("b") })
		if len(targets) == 0 {
			return clientFailure("The broker[%s] not exist", o.text("b"))
		}
		targets = targets[:1]
		targets[0].queueID = queueID
	}
	var sent *protocol.SendResult
	var status string
	for i, t := range targets {
		sent, status, err = s.deliver(t, m)
		if err == nil {
			s.printf("%-32s  %-4s  %-20s    %s\n", "#Broker Name", "#QID", "#Send Result", "#MsgId")
			s.printf("%-32s  %-4s  %-20s    %s\n", t.broker, strconv.Itoa(int(sent.QueueID)), status, m.id)
			return nil
		}
		if i == sendAttempts-1 || codeOf(err) >= 0 {
			break
		}
	}
	return err
}

// outgoing is the message to be sent.
type outgoing struct {
	topic, keys, tags, id string
	body                  []byte
}

func (m outgoing) properties() string {
	var p []byte
	for _, pair := range [][2]string{
		{message.PropKeys, m.keys}, {message.PropUniqKey, m.id}, {message.PropWait, "true"}, {message.PropTags, m.tags},
	} {
		p = message.AppendProperty(p, pair[0], pair[1])
	}
	return string(p)
}

// target is a queue that may be sent to.
type target struct {
	broker, addr string
	queueID      int32
}

// targets picks a writable queue of each broker that serves the topic, in random order. A topic without route is sent
// to where brokers create topics.
func (s *session) targets(topic string) ([]target, error) {
	limit := int32(0)
	route, err := s.route(topic)
	if codeOf(err) == protocol.TopicNotExist {
		limit = newTopicSendQueues
		var fallback error
		if route, fallback = s.route(message.DefaultTopic); fallback != nil {
			return nil, clientFailure("No route info of this topic: %s", topic)
		}
	} else if err != nil {
		return nil, err
	}
	masters := map[string]string{}
	for _, b := range route.BrokerDatas {
		if addr, ok := b.BrokerAddrs[masterID]; ok {
			masters[b.BrokerName] = addr
		}
	}
	var found []target
	for _, q := range route.QueueDatas {
		queues := q.WriteQueueNums
		if limit > 0 {
			queues = min(queues, limit)
		}
		if q.Perm&protocol.PermWrite != 0 && queues > 0 && masters[q.BrokerName] != "" {
			found = append(found, target{q.BrokerName, masters[q.BrokerName], s.rand.Int32N(queues)})
		}
	}
	if len(found) == 0 {
		return nil, clientFailure("No route info of this topic: %s", topic)
	}
	s.rand.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
	return found, nil
}

var sendStatus = map[int32]string{
	protocol.Success:           "SEND_OK",
	protocol.FlushDiskTimeout:  "FLUSH_DISK_TIMEOUT",
	protocol.SlaveNotAvailable: "SLAVE_NOT_AVAILABLE",
	protocol.FlushSlaveTimeout: "FLUSH_SLAVE_TIMEOUT",
}

func (s *session) deliver(t target, m outgoing) (*protocol.SendResult, string, error) {
	now := s.clock.Now().UnixMilli()
	header := protocol.SendHeader{
		ProducerGroup: strconv.FormatInt(now, 10), Topic: m.topic,
		DefaultTopic: message.DefaultTopic, DefaultTopicQueueNums: newTopicSendQueues,
		QueueID: t.queueID, BornTimestampMs: now, Properties: m.properties(),
	}
	req := protocol.NewRequest[protocol.SendHeader](protocol.SendMessageV2, nil)
	req.Fields = protocol.CodecOf[protocol.SendHeader]("v2").Append(nil, &header)
	req.Body = m.body
	answer, err := s.send(t.addr, req)
	if err != nil {
		return nil, "", err
	}
	status, stored := sendStatus[answer.Code]
	if !stored {
		return nil, "", brokerFailure(answer, t.addr)
	}
	result := new(protocol.SendResult)
	if err := protocol.CodecOf[protocol.SendResult]("rmq").Decode(answer.Fields, result); err != nil {
		return nil, "", err
	}
	return result, status, nil
}

// messageID makes a unique id in the form of Java's clients: address, process, loader, milliseconds of the month,
// counter. What a short-lived tool has not is random.
func (s *session) messageID() string {
	id := s.localIP()
	id = binary.BigEndian.AppendUint16(id, uint16(s.rand.Uint32()))
	id = binary.BigEndian.AppendUint32(id, s.rand.Uint32())
	now := s.clock.Now()
	month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, now.Location())
	id = binary.BigEndian.AppendUint32(id, uint32(now.Sub(month).Milliseconds()))
	id = binary.BigEndian.AppendUint16(id, 0)
	return strings.ToUpper(hex.EncodeToString(id))
}

// localIP is the address under which the name server sees us, or none.
func (s *session) localIP() []byte {
	none := make([]byte, 4)
	if len(s.names) == 0 {
		return none
	}
	peer, err := s.client.Peer(s.ctx, s.names[0])
	if err != nil {
		return none
	}
	host, _, err := net.SplitHostPort(peer.LocalAddr())
	if err != nil {
		return none
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return none
	}
	return addr.Unmap().AsSlice()
}
