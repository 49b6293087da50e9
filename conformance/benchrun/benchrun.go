// SPDX-License-Identifier: Apache-2.0

// Package benchrun runs loads of `mqtools bench` in processes of their own.
package benchrun

import (
	"encoding/json"
	"os"
	"os/exec"
	"strconv"

	"rocketd/cmd/mqtools/bench"
)

// Process is a load of `mqtools bench` in a process of its own, on the server at addr whose process is pid.
func Process(mqtools, addr string, pid int, args ...string) *exec.Cmd {
	args = append(append([]string{"bench"}, args...), "-b", addr, "-p", strconv.Itoa(pid), "--json")
	cmd := exec.Command(mqtools, args...)
	cmd.Stderr = os.Stderr
	return cmd
}

// ResultOf runs a Process to its end.
func ResultOf(cmd *exec.Cmd) (*bench.Result, error) {
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	r := new(bench.Result)
	return r, json.Unmarshal(out, r)
}
