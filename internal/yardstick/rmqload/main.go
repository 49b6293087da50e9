// SPDX-License-Identifier: Apache-2.0

// Command rmqload drives any RocketMQ broker over the remoting protocol, with
// no client library in between, and prints what it cost: throughput, latency,
// and the broker's own CPU time and memory. It is the yardstick used on both
// sides of every comparison, so that client overhead cancels out.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"time"
)

var (
	addr    = flag.String("addr", "127.0.0.1:10911", "broker address")
	topic   = flag.String("topic", "rmqload", "topic")
	queues  = flag.Int("queues", 8, "queues of the topic")
	conns   = flag.Int("conns", 4, "connections")
	inflt   = flag.Int("inflight", 32, "requests in flight per connection")
	size    = flag.Int("size", 1024, "body bytes")
	secs    = flag.Float64("secs", 10, "seconds to run")
	rate    = flag.Int("rate", 0, "messages a second: send as fast as it can if 0, e2e 2000 if 0")
	count   = flag.Int64("n", 0, "messages to send, in place of -secs (send)")
	batch   = flag.Int("batch", 1, "messages a request: send uses SEND_BATCH_MESSAGE, topics UPDATE_AND_CREATE_TOPIC_LIST, if over 1")
	delay   = flag.Int("delay", 0, "delay level; e2e latency is then lateness (1 to 4)")
	pid     = flag.Int("pid", 0, "server process, for its CPU time and memory")
	maxNums = flag.Int("max", 32, "messages a pull asks for")
	group   = flag.String("group", "rmqload_group", "consumer group")
	groups  = flag.Int("groups", 1, "consumer groups that each get every message (e2e)")
	park    = flag.Bool("park", false, "each connection also holds one PULL (idle)")
	nTopics = flag.Int("topics", 10000, "topics to create (topics)")
	ns      = flag.String("ns", "127.0.0.1:9876", "name server, for route queries (topics)")
)

// delayLevels are the first delays of the default messageDelayLevel.
var delayLevels = []time.Duration{0, time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second}

func topicFields(name string) map[string]string {
	return map[string]string{"topic": name, "defaultTopic": "TBW102", "readQueueNums": strconv.Itoa(*queues),
		"writeQueueNums": strconv.Itoa(*queues), "perm": "6", "topicFilterType": "SINGLE_TAG", "topicSysFlag": "0", "order": "false"}
}

func createTopic() error {
	code, _, _, err := call(*addr, 17, topicFields(*topic), nil)
	if err == nil && code != 0 {
		err = fmt.Errorf("create topic: code %d", code)
	}
	if err != nil {
		return err
	}
	for g := 0; g < *groups && err == nil; g++ {
		err = createGroup(groupName(g))
	}
	return err
}

func groupName(i int) string {
	if i == 0 {
		return *group
	}
	return *group + "_" + strconv.Itoa(i)
}

func createGroup(name string) error {
	body := fmt.Sprintf(`{"groupName":%q,"consumeEnable":true,"consumeFromMinEnable":true,"consumeBroadcastEnable":true,"retryQueueNums":1,"retryMaxTimes":16,"brokerId":0,"whichBrokerWhenConsumeSlowly":1,"notifyConsumerIdsChangedEnable":true}`, name)
	code, _, _, err := call(*addr, 200, nil, []byte(body))
	if err == nil && code != 0 {
		err = fmt.Errorf("create group: code %d", code)
	}
	return err
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: rmqload send|pull|e2e|idle|topics|wait [flags]")
		os.Exit(2)
	}
	verb := os.Args[1]
	flag.CommandLine.Parse(os.Args[2:])
	if *delay < 0 || *delay >= len(delayLevels) {
		fmt.Fprintln(os.Stderr, "rmqload: -delay 0 to", len(delayLevels)-1)
		os.Exit(2)
	}
	var err error
	if verb != "wait" {
		err = createTopic()
	}
	if err == nil {
		switch verb {
		case "send":
			err = send()
		case "pull":
			err = pull()
		case "e2e":
			err = e2e()
		case "idle":
			err = idle()
		case "topics":
			err = topics()
		case "wait":
			err = wait()
		default:
			err = errors.New("unknown verb " + verb)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "rmqload:", err)
		os.Exit(1)
	}
}
