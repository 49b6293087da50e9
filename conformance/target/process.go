// SPDX-License-Identifier: Apache-2.0

// Servers as processes of their own: ours by the launchers, and the Java original.

package target

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a server process whose output goes to a file.
type process struct {
	cmd    *exec.Cmd
	out    string
	exited chan struct{} // closed when the process has ended and err is set
	err    error
}

// bootLine stands in the output of all servers, ours and Java's, once the port answers.
const bootLine = "boot success"

// spawn starts a process and waits for its boot line.
func spawn(cmd *exec.Cmd, out string) (running, error) {
	file, err := os.Create(out)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	cmd.Stdout, cmd.Stderr = file, file
	cmd.SysProcAttr = diesWithParent()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, out: out, exited: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.exited)
	}()
	deadline := time.After(patience)
	for {
		if text, err := os.ReadFile(out); err == nil && bytes.Contains(text, []byte(bootLine)) {
			return p, nil
		}
		select {
		case <-p.exited:
			return nil, fmt.Errorf("%s ended at its start: %v\n%s", filepath.Base(out), p.err, p.tail())
		case <-deadline:
			return nil, fmt.Errorf("%s did not start within %v (%v)\n%s", filepath.Base(out), patience, p.kill(), p.tail())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("%s had ended already: %w\n%s", filepath.Base(p.out), err, p.tail())
	}
	select {
	case <-p.exited:
		return nil // a JVM that ended in order reports the signal
	case <-time.After(patience):
		return fmt.Errorf("%s did not end within %v of SIGTERM (%v)\n%s", filepath.Base(p.out), patience, p.kill(), p.tail())
	}
}

func (p *process) kill() error {
	err := p.cmd.Process.Kill()
	<-p.exited
	return err
}

// tail is the end of what the process printed, for the report of a failure.
func (p *process) tail() string {
	const most = 2000
	text, err := os.ReadFile(p.out)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}

// root is the checkout.
var root = sync.OnceValues(func() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
})

// goCaches are the caches of this user's Go, so that a launcher under another HOME does not fill new ones.
var goCaches = sync.OnceValues(func() ([]string, error) {
	out, err := exec.Command("go", "env", "GOCACHE", "GOMODCACHE").Output()
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return []string{"GOCACHE=" + lines[0], "GOMODCACHE=" + lines[1]}, nil
})

// binary runs a launcher, which builds the program if need be and becomes it.
func binary(home, script string, args ...string) (running, error) {
	dir, err := root()
	if err != nil {
		return nil, err
	}
	caches, err := goCaches()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("sh", append([]string{filepath.Join(dir, "bin", script)}, args...)...)
	cmd.Dir = home
	cmd.Env = append(append(os.Environ(), caches...), "HOME="+home)
	return spawn(cmd, filepath.Join(home, script+".out"))
}

// JavaLib is the class path of the Java servers, fetched once a machine.
var JavaLib = sync.OnceValues(func() (string, error) {
	dir, err := root()
	if err != nil {
		return "", err
	}
	cmd := exec.Command("sh", filepath.Join(dir, "conformance", "javaclient", "fetch.sh"), "peer")
	cmd.Stderr = os.Stderr
	lib, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("fetching the Java servers: %w", err)
	}
	return filepath.Join(strings.TrimSpace(string(lib)), "*"), nil
})

// javaFlags are what Java 17 must be told to let the servers work with memory directly.
var javaFlags = []string{
	"--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED", "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED",
	"--add-opens=java.base/sun.nio.ch=ALL-UNNAMED", "--add-opens=java.base/java.nio=ALL-UNNAMED",
	"--add-opens=java.base/jdk.internal.ref=ALL-UNNAMED", "--add-opens=java.base/jdk.internal.misc=ALL-UNNAMED",
	"--add-opens=java.base/java.lang=ALL-UNNAMED", "--add-opens=java.base/java.util=ALL-UNNAMED",
	"-XX:TieredStopAtLevel=1", "-XX:MaxDirectMemorySize=512m", // starts sooner and takes less, which is what a test wants
}

func javaNames(home, file string) (running, error) {
	return java(home, "namesrv.out", "256m", "org.apache.rocketmq.namesrv.NamesrvStartup", "-c", file)
}

func javaBroker(home, file string) (running, error) {
	return java(home, "broker.out", "512m", "org.apache.rocketmq.broker.BrokerStartup", "-c", file)
}

func java(home, out, heap, class string, args ...string) (running, error) {
	lib, err := JavaLib()
	if err != nil {
		return nil, err
	}
	flags := append([]string{"-Xmx" + heap, "-Duser.home=" + home, "-cp", lib}, javaFlags...)
	cmd := exec.Command("java", append(append(flags, class), args...)...)
	cmd.Dir = home
	cmd.Env = append(os.Environ(), "ROCKETMQ_HOME="+home, "HOME="+home)
	return spawn(cmd, filepath.Join(home, out))
}
