// SPDX-License-Identifier: Apache-2.0

// Servers as processes of their own: ours by the launchers, and the Java original.

package target

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// Process is a server process whose output goes to a file.
type Process struct {
	cmd    *exec.Cmd
	out    string
	exited chan struct{} // closed when the process has ended and err is set
	err    error
}

// bootLine stands in the output of all servers, ours and Java's, once the port answers.
const bootLine = "boot success"

// Spawn starts a server, whose output goes to the file out, and waits for its boot line. It ends with this process.
func Spawn(cmd *exec.Cmd, out string) (*Process, error) {
	file, err := os.Create(out)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // the process has its own
	cmd.Stdout, cmd.Stderr = file, file
	cmd.SysProcAttr = diesWithParent()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, out: out, exited: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.exited)
	}()
	deadline := time.After(Patience)
	for {
		if text, err := os.ReadFile(out); err == nil && bytes.Contains(text, []byte(bootLine)) {
			return p, nil
		}
		select {
		case <-p.exited:
			return nil, fmt.Errorf("%s ended at its start: %s\n%s", filepath.Base(out), cmd.ProcessState, p.tail())
		case <-deadline:
			return nil, errors.Join(fmt.Errorf("%s did not start within %v\n%s", filepath.Base(out), Patience, p.tail()), p.Kill())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Stop ends the server in order, and waits for that.
func (p *Process) Stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("%s had ended already: %w\n%s", filepath.Base(p.out), err, p.tail())
	}
	return p.Wait()
}

// Wait waits for the end of a server that has been told to end. Its status counts for nothing: a JVM that ended in order
// reports the signal.
func (p *Process) Wait() error {
	select {
	case <-p.exited:
		return nil
	case <-time.After(Patience):
		return errors.Join(fmt.Errorf("%s did not end within %v\n%s", filepath.Base(p.out), Patience, p.tail()), p.Kill())
	}
}

// Running says whether the server has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// PID of the server, which the launcher has become.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Output is what the server has printed so far.
func (p *Process) Output() (string, error) {
	text, err := os.ReadFile(p.out)
	return string(text), err
}

// Kill ends the server with SIGKILL.
func (p *Process) Kill() error {
	err := p.cmd.Process.Kill()
	<-p.exited
	return err
}

// tail is the end of what the process printed, for the report of a failure.
func (p *Process) tail() string {
	const most = 2000
	text, err := os.ReadFile(p.out)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}

// binary runs a launcher, which builds the program if need be and becomes it.
func binary(home, script string, args ...string) (running, error) {
	in, err := Checkout(home)
	if err != nil {
		return nil, err
	}
	return Spawn(in.Command(script, args...), filepath.Join(home, script+".out"))
}

// JavaLib is the class path of the Java servers.
func JavaLib() (string, error) {
	lib, err := Jars("peer")
	return filepath.Join(lib, "*"), err
}

// javaFlags are what Java 17 must be told to let the servers work with memory directly.
var javaFlags = []string{
	"--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED", "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED",
	"--add-opens=java.base/sun.nio.ch=ALL-UNNAMED", "--add-opens=java.base/java.nio=ALL-UNNAMED",
	"--add-opens=java.base/jdk.internal.ref=ALL-UNNAMED", "--add-opens=java.base/jdk.internal.misc=ALL-UNNAMED",
	"--add-opens=java.base/java.lang=ALL-UNNAMED", "--add-opens=java.base/java.util=ALL-UNNAMED",
}

// fastJVM starts sooner and takes less memory, which is what a test wants.
func fastJVM(heap string) []string {
	return []string{"-Xmx" + heap, "-XX:TieredStopAtLevel=1", "-XX:MaxDirectMemorySize=512m"}
}

func javaNames(home, file string, jvm []string) (running, error) {
	if jvm == nil {
		jvm = fastJVM("256m")
	}
	return java(home, "namesrv.out", jvm, "org.apache.rocketmq.namesrv.NamesrvStartup", "-c", file)
}

func javaBroker(home, file string, jvm []string) (running, error) {
	if jvm == nil {
		jvm = fastJVM("512m")
	}
	return java(home, "broker.out", jvm, "org.apache.rocketmq.broker.BrokerStartup", "-c", file)
}

func java(home, out string, jvm []string, class string, args ...string) (running, error) {
	lib, err := JavaLib()
	if err != nil {
		return nil, err
	}
	flags := slices.Concat(jvm, []string{"-Duser.home=" + home, "-Djava.io.tmpdir=" + home, "-cp", lib}, javaFlags, []string{class}, args)
	cmd := exec.Command("java", flags...)
	cmd.Dir = home
	cmd.Env = append(os.Environ(), "ROCKETMQ_HOME="+home, "HOME="+home)
	return Spawn(cmd, filepath.Join(home, out))
}
