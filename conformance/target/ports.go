// SPDX-License-Identifier: Apache-2.0

package target

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// Ports of test servers lie below the range that systems take for outgoing connections, so that nothing sits on a
// server's port when it is started again.
const (
	firstPort = 20000
	lastPort  = 31990
	portStep  = 10 // a Broker's VIP and replication ports lie beside its own
)

var ports = struct {
	sync.Mutex
	next    int
	claimed []*os.File // open, and so locked, until the process ends
}{next: firstPort + portStep*rand.IntN((lastPort-firstPort)/portStep)}

// FreePort returns a port that is free together with its neighbours, and that this process has not given away before.
func FreePort() (int, error) {
	ports.Lock()
	defer ports.Unlock()
	for range (lastPort - firstPort) / portStep {
		port := ports.next
		ports.next += portStep
		if ports.next > lastPort {
			ports.next = firstPort
		}
		if claim(port) && free(port-2) && free(port) && free(port+1) {
			return port, nil
		}
	}
	return 0, errors.New("no free port for a server")
}

// claim takes a port for as long as this process lives, so that test processes that run side by side do not find the
// same free one. A lock that cannot be had for another reason stops nobody: free decides then.
func claim(port int) bool {
	dir := filepath.Join(os.TempDir(), "rocketd-test-ports")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return true
	}
	file, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(port)), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return true
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close() // somebody else has it
		return false
	}
	ports.claimed = append(ports.claimed, file)
	return true
}

func free(port int) bool {
	l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
	return err == nil && l.Close() == nil
}
