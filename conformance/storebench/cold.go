// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"rocketd/cmd/mqtools/bench"
	"rocketd/conformance/benchrun"
	"rocketd/conformance/target"
	"rocketd/internal/yardstick/rounds"
)

const (
	coldTopic = "storebench_cold"
	bareFor   = 3 * time.Second // the floor is sent to while the log is read, which takes 4 s and more for 4 GiB
)

// coldRows are the rows of measureCold.
type coldRows struct{ cold, bare, warm, speed *row }

// measureCold holds sends during which a consumer reads a log that is not in memory, as fast as it can, against sends
// alone. Beside it, without a goal, are what such a read takes of the machine: sends to the floor while the same files are
// just read, and the same consumer's read from memory.
func measureCold(dir string) ([]*row, error) {
	c, err := target.Start(target.Binary, target.Options{Home: dir})
	if err != nil {
		return nil, err
	}
	floor, stop, err := benchrun.StartFloor(*bin)
	if err != nil {
		return nil, errors.Join(err, c.Close(true))
	}
	name := fmt.Sprintf("%d paced sends a second%%s while %d MiB are read %%s, against sends alone", *pace, *coldMiB)
	rows := coldRows{
		cold:  &row{name: fmt.Sprintf(name, "", "cold"), unit: "p99 ms", goal: "<= 2.00"},
		bare:  &row{name: fmt.Sprintf(name, " to the floor", "cold by a program that does nothing with them"), unit: "p99 ms"},
		warm:  &row{name: fmt.Sprintf(name, "", "from memory"), unit: "p99 ms"},
		speed: &row{name: "the cold read beside the read from memory, both with the sends", unit: "MB/s"},
	}
	err = coldRounds(c, floor, rows)
	return []*row{rows.cold, rows.bare, rows.warm, rows.speed}, errors.Join(err, stop(), c.Close(true))
}

func coldRounds(c *target.Cluster, floor benchrun.Server, rows coldRows) error {
	broker := serverOf(c)
	messages := strconv.Itoa(*coldMiB << 20 / bodyBytes)
	if _, err := result(load(broker, "batch", "-w", "8", "-t", coldTopic, "-n", messages)); err != nil {
		return err
	}
	alone, err := result(load(broker, "pull", "-t", coldTopic))
	if err != nil {
		return err
	}
	// The sends end before the read does, which they slow down.
	d := max(time.Duration(0.8*alone.Seconds*float64(time.Second)), time.Second)
	for range *count {
		rounds.TouchMemory(touched)
		quiet, err := sendPaced(broker, d)
		if err != nil {
			return err
		}
		rounds.TouchMemory(touched)
		fromMemory, warmRead, err := sendWhileReading(broker, d)
		if err != nil {
			return err
		}
		if err := dropLog(c); err != nil {
			return err
		}
		rounds.TouchMemory(touched + *coldMiB<<20) // the log comes back into what is used for the first time otherwise
		fromDisk, coldRead, err := sendWhileReading(broker, d)
		if err != nil {
			return err
		}
		rows.cold.add(fromDisk, quiet)
		rows.warm.add(fromMemory, quiet)
		rows.speed.add(coldRead, warmRead)
		if err := bareRound(c, floor, rows.bare); err != nil {
			return err
		}
	}
	return nil
}

// bareRound measures the floor alone and while the log is read.
func bareRound(c *target.Cluster, floor benchrun.Server, bare *row) error {
	quiet, err := sendPaced(floor, *sendFor)
	if err != nil {
		return err
	}
	if err := dropLog(c); err != nil {
		return err
	}
	rounds.TouchMemory(touched + *coldMiB<<20)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- readLog(ctx, c) }()
	reading, err := sendPaced(floor, bareFor)
	stop()
	if err = errors.Join(err, <-ended); err != nil {
		return err
	}
	bare.add(reading, quiet)
	return nil
}

// readLog reads the log's files one after the other, until it has read them all or is told to stop. The bytes are copied
// nowhere but into one buffer.
func readLog(ctx context.Context, c *target.Cluster) error {
	files, err := filepath.Glob(filepath.Join(c.StoreDir(), "commitlog/*"))
	if err != nil {
		return err
	}
	for _, name := range files {
		if err := readFile(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func readFile(ctx context.Context, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	for buf := make([]byte, 1<<20); ctx.Err() == nil; {
		if _, err := f.Read(buf); err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return err
		}
	}
	return nil
}

// sendWhileReading returns the 99th percentile of the sends and the MB/s of the read.
func sendWhileReading(broker benchrun.Server, d time.Duration) (p99, speed float64, err error) {
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
