// SPDX-License-Identifier: Apache-2.0

package javaclient

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
)

// client is a program and the cluster that a test lets it work with.
type client struct {
	*jvm
	t      *testing.T
	c      *target.Cluster
	topics map[string]bool // those that newTopic has made
}

// object is a Java object, by the name that the program keeps it under.
type object struct {
	*client
	name  string
	knows map[string]bool // topics whose routes a producer has
}

// ref stands for an object where a method wants one.
func (o *object) ref() fields { return fields{"ref": o.name} }

// newObject makes an object of a class by the constructor with these arguments, and sets its properties.
func (j *client) newObject(class string, properties fields, args ...any) *object {
	j.t.Helper()
	if args == nil {
		args = []any{}
	}
	o := &object{client: j, name: j.unique("object")}
	require.NoError(j.t, j.do(fields{"do": "new", "class": class, "args": args, "as": o.name, "set": properties}, nil))
	return o
}

// try calls a method.
func (o *object) try(result any, method string, args ...any) error {
	if args == nil {
		args = []any{}
	}
	return o.do(fields{"do": "call", "on": o.name, "method": method, "args": args}, result)
}

// call calls a method that must not fail.
func (o *object) call(result any, method string, args ...any) {
	o.t.Helper()
	require.NoError(o.t, o.try(result, method, args...), method)
}

// keep calls a method that must not fail, and leaves its result in the program.
func (o *object) keep(method string, args ...any) *object {
	o.t.Helper()
	if args == nil {
		args = []any{}
	}
	result := &object{client: o.client, name: o.unique("result")}
	require.NoError(o.t, o.do(fields{"do": "call", "on": o.name, "method": method, "args": args, "as": result.name}, nil), method)
	return result
}

// keepStatic calls a class's method that must not fail, and leaves its result in the program.
func (j *client) keepStatic(class, method string, args ...any) *object {
	j.t.Helper()
	result := &object{client: j, name: j.unique("result")}
	require.NoError(j.t, j.do(fields{"do": "call", "class": class, "method": method, "args": args, "as": result.name}, nil), method)
	return result
}

// fails demands that a method fails with a code, and returns the exception.
func (o *object) fails(code int32, method string, args ...any) *javaError {
	o.t.Helper()
	err := o.try(nil, method, args...)
	var thrown *javaError
	require.ErrorAs(o.t, err, &thrown, method)
	require.Equal(o.t, code, thrown.Code, thrown.Error())
	return thrown
}

// start starts a client object, which ends with the test.
func (o *object) start() *object {
	o.t.Helper()
	o.call(nil, "start")
	o.t.Cleanup(func() { _ = o.try(nil, "shutdown") })
	return o
}

const (
	producerClass = "org.apache.rocketmq.client.producer.DefaultMQProducer"
	pushClass     = "org.apache.rocketmq.client.consumer.DefaultMQPushConsumer"
	litePullClass = "org.apache.rocketmq.client.consumer.DefaultLitePullConsumer"
	pullClass     = "org.apache.rocketmq.client.consumer.DefaultMQPullConsumer"
	adminClass    = "org.apache.rocketmq.tools.admin.DefaultMQAdminExt"
	selectorClass = "org.apache.rocketmq.client.consumer.MessageSelector"
)

// newClient makes a client object that looks around often, and is a client of its own to the servers.
func (j *client) newClient(class string, properties fields, args ...any) *object {
	j.t.Helper()
	all := fields{
		"namesrvAddr": j.c.Names.Addr, "instanceName": j.unique("instance"), "pollNameServerInterval": 500,
		"heartbeatBrokerInterval": 1000, "persistConsumerOffsetInterval": 500, "vipChannelEnabled": false,
		"mqClientApiTimeout": 30_000, // a cold JVM on a busy machine is slow
	}
	for name, value := range properties {
		all[name] = value
	}
	return j.newObject(class, all, args...)
}

// message is what a test sends.
type message struct {
	Topic          string            `json:"topic"`
	Tags           string            `json:"tags,omitempty"`
	Keys           string            `json:"keys,omitempty"`
	Body           []byte            `json:"body"`
	Properties     map[string]string `json:"properties,omitempty"`
	DelayTimeLevel int               `json:"delayTimeLevel,omitempty"`
	Timer          map[string]string `json:"timer,omitempty"` // properties that ask for a time
	Flag           int32             `json:"flag,omitempty"`
}

// newMessage returns a message whose body no other message of the test has.
func newMessage(topic string, i int) message {
	return message{
		Topic: topic, Body: fmt.Appendf(nil, "message %d of %s", i, topic), Keys: fmt.Sprintf("key%d both", i),
		Properties: map[string]string{"number": fmt.Sprint(i)},
	}
}

func newMessages(topic string, from, count int) (all []message) {
	for i := range count {
		all = append(all, newMessage(topic, from+i))
	}
	return all
}

type queue struct {
	Topic      string `json:"topic"`
	BrokerName string `json:"brokerName"`
	QueueID    int32  `json:"queueId"`
}

// String is the queue as a key of a Java map.
func (q queue) String() string {
	text, err := json.Marshal(q)
	if err != nil {
		panic(err) // strings and a number
	}
	return string(text)
}

// sent is a Java SendResult.
type sent struct {
	SendStatus, MsgID, OffsetMsgID, RegionID string
	RecallHandle                             string // 5.5.0
	MessageQueue                             queue
	QueueOffset                              int64
	TraceOn                                  bool
	Class, Text                              string // of an exception instead
}

// received is a Java MessageExt.
type received struct {
	Topic, BrokerName              string
	QueueID                        int32
	QueueOffset, CommitLogOffset   int64
	MsgID, OffsetMsgID, Tags, Keys string
	Properties                     map[string]string
	Body                           []byte
	BodyCRC                        uint32
	Flag, SysFlag, ReconsumeTimes  int32
	BornHost, StoreHost            string
	BornTimestamp, StoreTimestamp  int64
}

// startProducer starts a producer of its own group, made by the constructor with these arguments.
func (j *client) startProducer(properties fields, args ...any) *object {
	j.t.Helper()
	all := fields{"producerGroup": j.unique("producers"), "sendMsgTimeout": 30_000, "retryTimesWhenSendFailed": 0}
	for name, value := range properties {
		all[name] = value
	}
	return j.newClient(producerClass, all, args...).start()
}

// send sends messages in one of the modes of Sender.java.
func (o *object) send(mode string, messages []message) []sent {
	o.t.Helper()
	return o.deliver(fields{"mode": mode, "messages": messages})
}

// sendTo sends messages to a queue.
func (o *object) sendTo(q queue, messages []message) []sent {
	o.t.Helper()
	return o.deliver(fields{"mode": "queue", "queue": q, "messages": messages})
}

func (o *object) deliver(command fields) (results []sent) {
	o.t.Helper()
	for _, m := range command["messages"].([]message) {
		if o.topics[m.Topic] && !o.knows[m.Topic] {
			o.learn(m.Topic)
		}
	}
	command["do"], command["on"] = "send", o.name
	require.NoError(o.t, o.do(command, &results))
	for i, r := range results {
		if command["mode"] != "one way" {
			require.Equal(o.t, "SEND_OK", r.SendStatus, "message %d: %s %s", i, r.Class, r.Text)
		}
	}
	return results
}

// learn has a producer ask for a topic's route until it has it. By itself it asks once, when it sends. On a busy machine
// that fails: a producer of 4.9.8 also asks for TBW102's route twice a second, and who asks holds a lock that others wait
// for three seconds at most. Then it takes four queues of TBW102 for the topic's own, and the Broker refuses those that
// the topic does not have.
func (o *object) learn(topic string) {
	o.t.Helper()
	inner := o.keep("getDefaultMQProducerImpl")
	routes := inner.keep("getMqClientFactory")
	eventually(o.t, "the route of "+topic+" at the producer", func() bool {
		var missing bool
		routes.call(nil, "updateTopicRouteInfoFromNameServer", topic)
		inner.call(&missing, "isPublishTopicNeedUpdate", topic)
		return !missing
	})
	if o.knows == nil {
		o.knows = map[string]bool{}
	}
	o.knows[topic] = true
}

// inbox collects what a consumer received, in the order of its arrival.
type inbox struct {
	mu       sync.Mutex
	messages []received
	times    map[string]int // by body
}

func newInbox() *inbox { return &inbox{times: map[string]int{}} }

// openInbox collects what the program reports of an object from now on.
func (o *object) openInbox() *inbox {
	b := newInbox()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.inboxes[o.name] = b
	return b
}

func (b *inbox) take(messages []received) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range messages {
		b.messages = append(b.messages, m)
		b.times[string(m.Body)]++
	}
}

// different is how many different bodies have arrived.
func (b *inbox) different() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.times)
}

func (b *inbox) all() []received {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]received(nil), b.messages...)
}

func together(boxes ...*inbox) int {
	all := map[string]bool{}
	for _, b := range boxes {
		for _, m := range b.all() {
			all[string(m.Body)] = true
		}
	}
	return len(all)
}

// consumer is a push consumer with its inbox.
type consumer struct {
	*object
	*inbox
}

// options of a push consumer: a subscription, what its listener does (see Listener.java), its constructor's arguments, and
// properties.
type options struct {
	expression string // tags; empty: all
	sql        string // an SQL92 expression in place of tags
	listener   fields
	args       []any
	set        fields
}

// startConsumer starts a push consumer that begins with a topic's first message.
func (j *client) startConsumer(group, topic string, o options) *consumer {
	j.t.Helper()
	c := j.newConsumer(group, topic, o)
	c.start()
	return c
}

// commit has the consumer commit what it has consumed now, until the Broker says that it has an offset: by itself it
// begins to do so after ten seconds.
func (c *consumer) commit(group string, q queue, offset int64) {
	c.t.Helper()
	inner := c.keep("getDefaultMQPushConsumerImpl")
	eventually(c.t, "the offset", func() bool {
		inner.call(nil, "persistConsumerOffset")
		return c.committed(group, q.Topic, q.QueueID) == offset
	})
}

func (j *client) newConsumer(group, topic string, o options) *consumer {
	j.t.Helper()
	all := fields{
		"consumerGroup": group, "consumeFromWhere": "CONSUME_FROM_FIRST_OFFSET", "consumeThreadMin": 4, "consumeThreadMax": 4,
	}
	for name, value := range o.set {
		all[name] = value
	}
	inner := j.newClient(pushClass, all, o.args...)
	c := &consumer{inner, inner.openInbox()}
	listen := fields{"do": "listen", "on": c.name}
	for name, value := range o.listener {
		listen[name] = value
	}
	require.NoError(j.t, j.do(listen, nil))
	switch {
	case o.sql != "":
		c.call(nil, "subscribe", topic, j.keepStatic(selectorClass, "bySql", o.sql).ref())
	case o.expression != "":
		c.call(nil, "subscribe", topic, o.expression)
	default:
		c.call(nil, "subscribe", topic, "*")
	}
	return c
}
