// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"rocketd/cmd/mqtools/bench"
	"rocketd/conformance/benchrun"
	"rocketd/conformance/target"
)

const (
	sendTopic = "storebench_send"
	group     = "storebench"
)

// load is a load of `mqtools bench` in a process of its own.
func load(s benchrun.Server, args ...string) *exec.Cmd {
	return benchrun.Process(filepath.Join(*bin, "mqtools"), s, append(args, "-g", group)...)
}

func serverOf(c *target.Cluster) benchrun.Server {
	return benchrun.Server{Addr: c.Broker.Addr, PID: c.Broker.PID()}
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
func sendPaced(s benchrun.Server, d time.Duration) (float64, error) {
	r, err := result(load(s, "send", "-t", sendTopic, "-r", strconv.Itoa(*pace), "-d", d.String()))
	if err != nil {
		return 0, err
	}
	return r.P99Ms, nil
}
