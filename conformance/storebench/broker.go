// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"rocketd/cmd/mqtools/bench"
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
	sendTopic    = "storebench_send"
	coldTopic    = "storebench_cold"
	group        = "storebench"
)

// load is a load of `mqtools bench` on a Broker, in a process of its own.
func load(broker *target.Server, args ...string) *exec.Cmd {
	return benchrun.Process(filepath.Join(*bin, "mqtools"), broker.Addr, broker.PID(), append(args, "-g", group)...)
}

func result(cmd *exec.Cmd) (*bench.Result, error) {
	r, err := benchrun.ResultOf(cmd)
	if err != nil {
		return nil, err
	}
	if r.Errors > 0 {
		return nil, fmt.Errorf("%d answers were no success", r.Errors)
	}
	return r, nil
}

// sendPaced is the 99th percentile of sends at the rate, in ms.
func sendPaced(broker *target.Server, d time.Duration) (float64, error) {
	r, err := result(load(broker, "send", "-t", sendTopic, "-r", strconv.Itoa(*pace), "-d", d.String()))
	if err != nil {
		return 0, err
	}
	return r.P99Ms, nil
}

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
	err = offsetRounds(c.Broker, table, r)
	return []*row{r}, errors.Join(err, c.Close(true))
}

func offsetRounds(broker *target.Server, table string, r *row) error {
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
func whileCommitting(broker *target.Server, f func() (float64, error)) (float64, error) {
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

// measureCold holds sends during which a consumer reads a log that is not in memory, as fast as it can, against sends
// alone; and beside it, without a goal, the same read of the log in memory: what the reader itself takes of the machine.
func measureCold(dir string) ([]*row, error) {
	c, err := target.Start(target.Binary, target.Options{Home: dir})
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%d paced sends a second while %d MiB are read %%s, against sends alone", *pace, *coldMiB)
	cold := &row{name: fmt.Sprintf(name, "cold"), unit: "p99 ms", goal: "<= 2.00"}
	warm := &row{name: fmt.Sprintf(name, "from memory"), unit: "p99 ms"}
	speed := &row{name: "the cold read beside the read from memory, both with the sends", unit: "MB/s"}
	err = coldRounds(c, cold, warm, speed)
	return []*row{cold, warm, speed}, errors.Join(err, c.Close(true))
}

func coldRounds(c *target.Cluster, cold, warm, speed *row) error {
	messages := strconv.Itoa(*coldMiB << 20 / bodyBytes)
	if _, err := result(load(c.Broker, "batch", "-w", "8", "-t", coldTopic, "-n", messages)); err != nil {
		return err
	}
	alone, err := result(load(c.Broker, "pull", "-t", coldTopic))
	if err != nil {
		return err
	}
	// The sends end before the read does, which they slow down.
	d := max(time.Duration(0.8*alone.Seconds*float64(time.Second)), time.Second)
	for range *count {
		rounds.TouchMemory(touched)
		quiet, err := sendPaced(c.Broker, d)
		if err != nil {
			return err
		}
		rounds.TouchMemory(touched)
		fromMemory, warmRead, err := sendWhileReading(c.Broker, d)
		if err != nil {
			return err
		}
		if err := dropLog(c); err != nil {
			return err
		}
		rounds.TouchMemory(touched + *coldMiB<<20) // the log comes back into what is used for the first time otherwise
		fromDisk, coldRead, err := sendWhileReading(c.Broker, d)
		if err != nil {
			return err
		}
		cold.add(fromDisk, quiet)
		warm.add(fromMemory, quiet)
		speed.add(coldRead, warmRead)
	}
	return nil
}

// sendWhileReading returns the 99th percentile of the sends and the MB/s of the read.
func sendWhileReading(broker *target.Server, d time.Duration) (p99, speed float64, err error) {
	var read *bench.Result
	ended := make(chan error, 1)
	go func() {
		var err error
		read, err = result(load(broker, "pull", "-t", coldTopic))
		ended <- err
	}()
	p99, err = sendPaced(broker, d)
	if err = errors.Join(err, <-ended); err != nil {
		return 0, 0, err
	}
	return p99, read.MBPerSecond, nil
}

// dropLog drops the log and the queues of the cold topic from the page cache.
func dropLog(c *target.Cluster) error {
	args := []string{"-pid", strconv.Itoa(c.Broker.PID())}
	for _, pattern := range []string{"commitlog/*", "consumequeue/" + coldTopic + "/*/*"} {
		files, err := filepath.Glob(filepath.Join(c.StoreDir(), pattern))
		if err != nil {
			return err
		}
		args = append(args, files...)
	}
	if out, err := exec.Command(filepath.Join(*bin, "dropcache"), args...).CombinedOutput(); err != nil {
		return fmt.Errorf("dropcache: %w: %s", err, out)
	}
	return nil
}
