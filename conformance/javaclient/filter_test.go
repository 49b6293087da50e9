// SPDX-License-Identifier: Apache-2.0

package javaclient

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// subscriptionParseFailed is the Broker's answer to an expression that it cannot read.
const subscriptionParseFailed = 23

// sqlFilters are expressions over the properties of sqlMessage, with what they choose.
var sqlFilters = []struct {
	expression string
	chooses    func(i int) bool
}{
	{"TAGS = 'TagA' AND whole BETWEEN 10 AND 29", func(i int) bool { return i%2 == 0 && i >= 10 && i <= 29 }},
	{"price >= 30.5 OR price < 2.0", func(i int) bool { return i >= 30 || i < 2 }},
	{"price < 2 OR whole = 3", func(int) bool { return false }}, // what cannot be compared lets nothing match
	{"color IN ('red', 'Größe') AND NOT (whole < 20)", func(i int) bool { return i%3 != 1 && i >= 20 }},
	{"fresh = TRUE AND big > 9000000010", func(i int) bool { return i%5 == 0 && i > 10 }},
	{"note IS NOT NULL AND below <= -20", func(i int) bool { return i%4 == 0 && i >= 20 }},
	{"note IS NULL AND color CONTAINS 'ree' AND whole <> 7", func(i int) bool { return i%4 != 0 && i%3 == 1 && i != 7 }},
	{"absent = 1 OR whole = 33", func(i int) bool { return i == 33 }},
}

// sqlMessage has properties of every type that an expression knows.
func sqlMessage(topic string, i int) message {
	m := newMessage(topic, i)
	m.Tags = []string{"TagA", "TagB"}[i%2]
	m.Properties = map[string]string{
		"number": strconv.Itoa(i), "whole": strconv.Itoa(i), "price": fmt.Sprintf("%d.5", i), "below": strconv.Itoa(-i),
		"big": strconv.Itoa(9_000_000_000 + i), "color": []string{"red", "green", "Größe"}[i%3], "fresh": strconv.FormatBool(i%5 == 0),
	}
	if i%4 == 0 {
		m.Properties["note"] = "it's"
	}
	return m
}

// A consumer gets the messages that its expression chooses and no other, and gets them again when it refuses them.
func TestSQL92(t *testing.T) {
	each(t, forms, func(t *testing.T, j *client) {
		const early, late = 30, 40
		topic, p := j.newTopic(2), j.startProducer(nil)
		var messages []message
		for i := range late {
			messages = append(messages, sqlMessage(topic, i))
		}
		p.send("sync", messages[:early])
		var consumers []*consumer
		for _, f := range sqlFilters {
			consumers = append(consumers, j.startConsumer(j.unique("group"), topic, options{sql: f.expression, listener: fields{"refuse": 1}}))
		}
		p.send("sync", messages[early:])
		for n, f := range sqlFilters {
			want := map[string]int{}
			for i, m := range messages {
				if f.chooses(i) {
					want[string(m.Body)] = 2
				}
			}
			got := consumers[n]
			eventually(t, f.expression, func() bool { return len(got.all()) >= 2*len(want) })
			times := map[string]int{}
			for _, m := range got.all() {
				times[string(m.Body)]++
				i, err := strconv.Atoi(m.Properties["whole"])
				require.NoError(t, err)
				requireSame(t, messages[i], m)
			}
			require.Equal(t, want, times, f.expression)
		}
	})
}

// A consumer whose expression cannot be read is told so when it starts.
func TestSQL92Refused(t *testing.T) {
	each(t, releases, func(t *testing.T, j *client) {
		c := j.newConsumer(j.unique("group"), j.newTopic(1), options{sql: "whole BETWEEN AND"})
		t.Cleanup(func() { _ = c.try(nil, "shutdown") })
		c.fails(subscriptionParseFailed, "start")
	})
}
