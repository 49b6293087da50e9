// SPDX-License-Identifier: Apache-2.0

package javaclient

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// requestTimeout is the client's own code where no reply has come.
const requestTimeout = 10006

// ask sends requests in one of the modes of Sender.java.
func (o *object) ask(mode string, timeoutMs int, messages []message, answers any) error {
	return o.do(fields{"do": "send", "on": o.name, "mode": mode, "timeoutMs": timeoutMs, "messages": messages}, answers)
}

// A producer asks and waits; a consumer answers through a producer of its own.
func TestRequestReply(t *testing.T) {
	each(t, forms, func(t *testing.T, j *client) {
		const count = 5
		topic, replies, p := j.newTopic(2), j.startProducer(nil), j.startProducer(nil)
		asked := j.startConsumer(j.unique("group"), topic, options{listener: fields{"reply": replies.name}})
		requests := newMessages(topic, 0, count)
		var answers []received
		require.NoError(t, p.ask("request", 60_000, requests, &answers))
		require.Len(t, answers, count)
		var clientID string
		p.call(&clientID, "buildMQClientId")
		correlations := map[string]string{}
		for _, m := range asked.all() {
			require.Equal(t, "60000", m.Properties["TTL"])
			require.Contains(t, m.Properties["REPLY_TO_CLIENT"], clientID)
			require.NotEmpty(t, m.Properties["CORRELATION_ID"])
			correlations[m.Properties["CORRELATION_ID"]] = string(m.Body)
		}
		require.Len(t, correlations, count)
		for i, m := range answers {
			require.Equal(t, "reply to "+string(requests[i].Body), string(m.Body))
			require.Equal(t, string(requests[i].Body), correlations[m.Properties["CORRELATION_ID"]])
			require.Equal(t, "DefaultCluster_REPLY_TOPIC", m.Topic)
			require.Equal(t, "reply", m.Properties["MSG_TYPE"])
		}

		// Both releases call back when the request is stored, and pass over the reply. A reply that the asking client
		// had not taken would make the request come again.
		require.NoError(t, p.ask("async request", 60_000, newMessages(topic, count, count), nil))
		eventually(t, "the later requests", func() bool { return asked.different() == 2*count })
		j.mustHoldOnce(topic, 2*count)
		asked.call(nil, "shutdown")
		require.Len(t, asked.all(), 2*count)
	})
}

// A request that nobody answers ends in time, and is stored all the same.
func TestRequestTimeout(t *testing.T) {
	each(t, releases, func(t *testing.T, j *client) {
		topic, p := j.newTopic(1), j.startProducer(nil)
		var thrown *javaError
		require.ErrorAs(t, p.ask("request", 2000, newMessages(topic, 0, 1), nil), &thrown)
		require.EqualValues(t, requestTimeout, thrown.Code, thrown.Error())
		j.mustHoldOnce(topic, 1)
	})
}
