// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"

	"rocketd/conformance/benchrun"
	"rocketd/conformance/target"
	"rocketd/internal/yardstick/rounds"
	"rocketd/protocol"
	"rocketd/remoting"
)

const (
	offsetTopics = 10_000
	offsetQueues = 8
	commitEvery  = 50 * time.Millisecond
)

// measureOffsets holds sends during which a large table of offsets is saved each second, five times as often as by
// default, against sends during which nothing changes in it.
func measureOffsets(dir string) ([]*row, error) {
	table := filepath.Join(dir, "store", "config", "consumerOffset.json")
	if err := writeOffsets(table); err != nil {
		return nil, err
	}
	c, err := target.Start(target.Binary, target.Options{Home: dir, Broker: map[string]string{"flushConsumerOffsetInterval": "1000"}})
	if err != nil {
		return nil, err
	}
	r := &row{
		name: fmt.Sprintf("%d paced sends a second while 80,000 offsets are saved, against sends alone", *pace),
		unit: "p99 ms", goal: "<= 1.20",
	}
	err = offsetRounds(serverOf(c), table, r)
	return []*row{r}, errors.Join(err, c.Close(true))
}

func offsetRounds(broker benchrun.Server, table string, r *row) error {
	if _, err := sendPaced(broker, time.Second); err != nil {
		return err
	}
	for range *count {
		rounds.TouchMemory(touched)
		alone, err := sendPaced(broker, *sendFor)
		if err != nil {
			return err
		}
		before, err := os.Stat(table)
		if err != nil {
			return err
		}
		saving, err := whileCommitting(broker, func() (float64, error) { return sendPaced(broker, *sendFor) })
		if err != nil {
			return err
		}
		after, err := os.Stat(table)
		if err != nil {
			return err
		}
		if after.Size() < offsetTopics*offsetQueues || !after.ModTime().After(before.ModTime()) {
			return fmt.Errorf("the table was not saved: %d bytes of %v", after.Size(), after.ModTime())
		}
		r.add(saving, alone)
	}
	return nil
}

// writeOffsets makes the table that the Broker finds at its start.
func writeOffsets(name string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f) // which keeps the first error for Flush
	fmt.Fprintf(w, `{"offsetTable":{`)
	for topic := range offsetTopics {
		separator := ","
		if topic == 0 {
			separator = ""
		}
		fmt.Fprintf(w, "%s\"storebench_%d@%s\":{", separator, topic, group)
		for queue := range offsetQueues {
			separator = ","
			if queue == 0 {
				separator = ""
			}
			fmt.Fprintf(w, `%s"%d":%d`, separator, queue, 1_000_000+topic)
		}
		fmt.Fprintf(w, "}")
	}
	fmt.Fprintf(w, "}}")
	return errors.Join(w.Flush(), f.Close())
}

// whileCommitting runs f while one offset after the other is committed, so that each period of the table ends in a save.
func whileCommitting(broker benchrun.Server, f func() (float64, error)) (float64, error) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	client := remoting.NewClient(remoting.DefaultClientConfig(), nil, zerolog.Nop(), new(net.Dialer).DialContext)
	defer client.Close()
	failed := make(chan error, 1)
	go func() {
		for offset := time.Now().UnixMilli(); ; offset++ {
			req := protocol.NewRequest(protocol.UpdateConsumerOffset, &protocol.UpdateConsumerOffsetHeader{
				ConsumerGroup: group, Topic: sendTopic, CommitOffset: offset,
			})
			answer, err := client.Call(ctx, broker.Addr, req)
			if err == nil && answer.Code != protocol.Success {
				err = fmt.Errorf("UPDATE_CONSUMER_OFFSET: answer %d: %s", answer.Code, answer.Remark)
			}
			if err != nil || !pause(ctx, commitEvery) {
				failed <- err
				return
			}
		}
	}()
	figure, err := f()
	stop()
	if commits := <-failed; err == nil && !errors.Is(commits, context.Canceled) {
		err = commits
	}
	return figure, err
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
