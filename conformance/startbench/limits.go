// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// otherFiles are those that a Java Broker has open besides its queues' files.
const otherFiles = 10_000

// permitFiles lets a Java Broker open and map that many queue files, which it does with all of them at its start. The error
// says what the system does not permit.
func permitFiles(files int) error {
	need := uint64(files + otherFiles)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	if limit.Cur < need {
		limit.Cur, limit.Max = need, max(limit.Max, need)
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			return fmt.Errorf("it needs %d open files, which ulimit -n does not permit: %w", need, err)
		}
	}
	const setting = "/proc/sys/vm/max_map_count"
	text, err := os.ReadFile(setting)
	if err != nil {
		return err
	}
	if maps, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err != nil || maps < need {
		return fmt.Errorf("it needs %d maps, and %s is %s", need, setting, strings.TrimSpace(string(text)))
	}
	return nil
}
