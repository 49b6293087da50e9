// SPDX-License-Identifier: Apache-2.0

// Package benchrun runs loads of `mqtools bench` in processes of their own.
package benchrun

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"rocketd/cmd/mqtools/bench"
	"rocketd/conformance/target"
)

// Server is what a load goes to.
type Server struct {
	Addr string
	PID  int
}

// StartFloor runs the floor, the program of that name in bin, until stop is called.
func StartFloor(bin string) (s Server, stop func() error, err error) {
	dir, err := os.MkdirTemp("", "floor")
	if err != nil {
		return Server{}, nil, err
	}
	port, err := target.FreePort()
	if err != nil {
		return Server{}, nil, err
	}
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	cmd := exec.Command(filepath.Join(bin, "floor"), "-addr", addr, "-file", filepath.Join(dir, "floor.dat"))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return Server{}, nil, err
	}
	return Server{addr, cmd.Process.Pid}, func() error {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // its status is the signal's
		return os.RemoveAll(dir)
	}, nil
}

// Process is a load of `mqtools bench` on a server, in a process of its own.
func Process(mqtools string, s Server, args ...string) *exec.Cmd {
	args = append(append([]string{"bench"}, args...), "-b", s.Addr, "-p", strconv.Itoa(s.PID), "--json")
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
