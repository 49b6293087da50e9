// SPDX-License-Identifier: Apache-2.0

// Package quickstart walks upstream's quickstart page as a newcomer does: a fresh clone, the real scripts, the ports of
// the page, the Go counterparts of the example classes and the published Java classes themselves.
package quickstart

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
)

const (
	producer = "org.apache.rocketmq.example.quickstart.Producer"
	consumer = "org.apache.rocketmq.example.quickstart.Consumer"
	names    = "localhost:9876"
	patience = 2 * time.Minute
)

// clone holds what a clone of the checkout would, and what its launchers have built since.
var clone string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "rocketd quickstart ") // a path with blanks
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	clone = filepath.Join(dir, "a clone")
	code := target.Alone(m, fetch)
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// fetch has Go and Maven fetch what the launchers will want while there is a network.
func fetch() error {
	list := exec.Command("go", "list", "-deps", "rocketd/cmd/rocketd", "rocketd/cmd/mqtools")
	if out, err := list.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	if !hasJava() {
		return nil
	}
	_, err := target.Jars("quickstart")
	return err
}

func hasJava() bool {
	_, noJava := exec.LookPath("java")
	_, noMaven := exec.LookPath("mvn")
	return noJava == nil && noMaven == nil
}

// user is a newcomer with an empty home and the clone.
type user struct {
	target.Installation
	t *testing.T
}

func newUser(t *testing.T) *user {
	target.RequireAlone(t)
	in, err := target.Checkout(filepath.Join(t.TempDir(), "a home"))
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(in.Home, 0o755))
	cloneOnce(t, in.Root)
	in.Root = clone
	in.Env = append(in.Env, "NAMESRV_ADDR="+names)
	return &user{in, t}
}

// cloneOnce copies the files that git has or would take, so that the tests judge the work at hand.
func cloneOnce(t *testing.T, checkout string) {
	if _, err := os.Stat(clone); err == nil {
		return
	}
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = checkout
	out, err := list.Output()
	require.NoError(t, err)
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		from, to := filepath.Join(checkout, name), filepath.Join(clone, name)
		info, err := os.Stat(from)
		if os.IsNotExist(err) {
			continue // removed, and not yet committed
		}
		require.NoError(t, err)
		text, err := os.ReadFile(from)
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o755))
		require.NoError(t, os.WriteFile(to, text, info.Mode()))
	}
}

func (u *user) write(name, text string) string {
	path := filepath.Join(u.Home, name)
	require.NoError(u.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(u.t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

// start runs a server script under nohup until its boot line is in its output.
func (u *user) start(script string, args ...string) *target.Process {
	u.t.Helper()
	p, err := u.spawn(script, args...)
	require.NoError(u.t, err)
	return p
}

// spawn is start for goroutines that must not end the test.
func (u *user) spawn(script string, args ...string) (*target.Process, error) {
	launcher := u.Command(script, args...)
	cmd := exec.Command("nohup", launcher.Args...)
	cmd.Dir, cmd.Env = launcher.Dir, append(launcher.Env, "NAMESRV_ADDR=") // that is for the tools
	p, err := target.Spawn(cmd, filepath.Join(u.Home, script+".out"))
	if err == nil {
		u.t.Cleanup(func() {
			if p.Running() {
				_ = p.Kill()
			}
		})
	}
	return p, err
}

// run runs a script to its end and returns its status and what it printed.
func (u *user) run(env []string, script string, args ...string) (int, string) {
	u.t.Helper()
	cmd := u.Command(script, args...)
	cmd.Env = append(cmd.Env, env...)
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	out, err := cmd.CombinedOutput()
	if err != nil {
		require.IsType(u.t, &exec.ExitError{}, err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

func (u *user) mustRun(env []string, script string, args ...string) string {
	u.t.Helper()
	status, out := u.run(env, script, args...)
	require.Zero(u.t, status, "%s %v: %s", script, args, out)
	return out
}

// shutdown ends a server by mqshutdown, and demands upstream's sentences, and no more than own after them.
func (u *user) shutdown(which string, p *target.Process, own ...string) {
	u.t.Helper()
	out := u.mustRun(nil, "mqshutdown", which)
	want := fmt.Sprintf("The mq%s(%d) is running...\nSend shutdown request to mq%[1]s(%[2]d) OK\n", which, p.PID())
	for _, line := range own {
		want += line + "\n"
	}
	require.Equal(u.t, want, out)
	require.NoError(u.t, p.Wait())
}

// produce has the Producer of the page send its 1,000 messages, as soon as the NameServer knows the Broker.
func (u *user) produce(env ...string) {
	u.t.Helper()
	require.Eventually(u.t, func() bool {
		status, out := u.run(nil, "mqadmin", "clusterList")
		return status == 0 && strings.Contains(out, "DefaultCluster")
	}, patience, 50*time.Millisecond)
	require.Equal(u.t, 1000, strings.Count(u.mustRun(env, "tools.sh", producer), "SendResult [sendStatus=SEND_OK, msgId="))
}

var received = regexp.MustCompile(`Receive New Messages: \[MessageExt \[.* msgId=([0-9A-Fa-f]+)`)

// consume runs the Consumer of the page until it has printed 1,000 different messages, and ends it as Ctrl-C does.
func (u *user) consume(env ...string) {
	u.t.Helper()
	cmd := u.Command("tools.sh", consumer)
	cmd.Env = append(cmd.Env, env...)
	pipe, err := cmd.StdoutPipe()
	require.NoError(u.t, err)
	require.NoError(u.t, cmd.Start())
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	ids := map[string]bool{}
	lines := bufio.NewReader(pipe)
	for len(ids) < 1000 {
		line, err := lines.ReadString('\n')
		if m := received.FindStringSubmatch(line); m != nil {
			ids[m[1]] = true
		}
		if err != nil {
			break
		}
	}
	_ = cmd.Process.Signal(syscall.SIGINT)
	_, _ = io.Copy(io.Discard, lines)
	_ = cmd.Wait() // its status is the signal's
	require.Len(u.t, ids, 1000, "messages that the Consumer printed")
}

var queueEnd = regexp.MustCompile(`(?m)^\S+ +\d+ +0 +(\d+) +20`)

// stored adds up the queues' ends, as mqadmin prints them.
func (u *user) stored() (sum int) {
	u.t.Helper()
	for _, m := range queueEnd.FindAllStringSubmatch(u.mustRun(nil, "mqadmin", "topicStatus", "-t", "TopicTest"), -1) {
		var end int
		_, err := fmt.Sscan(m[1], &end)
		require.NoError(u.t, err)
		sum += end
	}
	return sum
}

// mustLog demands a line in a log file of the user's.
func (u *user) mustLog(file, line string) {
	u.t.Helper()
	text, err := os.ReadFile(filepath.Join(u.Home, "logs", "rocketmqlogs", file))
	require.NoError(u.t, err)
	require.Contains(u.t, string(text), line)
}

func mustPrint(t *testing.T, p *target.Process, line string) {
	t.Helper()
	out, err := p.Output()
	require.NoError(t, err)
	require.Contains(t, strings.Split(out, "\n"), line)
}
