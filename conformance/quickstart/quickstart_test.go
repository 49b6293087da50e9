// SPDX-License-Identifier: Apache-2.0

// Package quickstart walks upstream's quickstart page with the real scripts:
// NameServer and Broker, the Go counterparts of the example classes, and the
// published Java classes themselves in both header forms.
package quickstart

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	producer = "org.apache.rocketmq.example.quickstart.Producer"
	consumer = "org.apache.rocketmq.example.quickstart.Consumer"
	patience = 90 * time.Second
)

// installation is one checkout run with a home folder and ports of its own.
type installation struct {
	t          *testing.T
	root, home string
	namesrv    string
	broker     string
	brokerConf string
}

func newInstallation(t *testing.T) *installation {
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	in := &installation{t: t, root: root, home: filepath.Join(t.TempDir(), "a home")}
	require.NoError(t, os.MkdirAll(in.home, 0o755))
	in.namesrv = fmt.Sprintf("127.0.0.1:%d", freePort(t))
	return in
}

// freePort finds a port that is free, as is the one two below it.
func freePort(t *testing.T) int {
	for range 50 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		port := l.Addr().(*net.TCPAddr).Port
		vip, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port-2))
		require.NoError(t, l.Close())
		if err == nil {
			require.NoError(t, vip.Close())
			return port
		}
	}
	t.Fatal("no free pair of ports")
	return 0
}

func (in *installation) write(name, text string) string {
	path := filepath.Join(in.home, name)
	require.NoError(in.t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

func (in *installation) command(ctx context.Context, env []string, script string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "sh", append([]string{filepath.Join(in.root, "bin", script)}, args...)...)
	cmd.Dir = in.home
	cache, err := os.UserCacheDir()
	require.NoError(in.t, err)
	cmd.Env = append(os.Environ(), "HOME="+in.home, "XDG_CACHE_HOME="+cache, "NAMESRV_ADDR="+in.namesrv)
	cmd.Env = append(cmd.Env, goCaches(in.t)...)
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

// goCaches keeps the launchers from filling new caches in the test's home.
func goCaches(t *testing.T) []string {
	var env []string
	for _, name := range []string{"GOCACHE", "GOMODCACHE"} {
		out, err := exec.Command("go", "env", name).Output()
		require.NoError(t, err)
		env = append(env, name+"="+strings.TrimSpace(string(out)))
	}
	return env
}

// server is a running launcher, which has become the server by exec.
type server struct {
	t   *testing.T
	cmd *exec.Cmd
}

// start runs a server script until its boot line is on the terminal.
func (in *installation) start(script string, args ...string) *server {
	cmd := in.command(context.Background(), nil, script, args...)
	return in.untilBoot(cmd, script)
}

// untilBoot starts a server and waits for its boot line.
func (in *installation) untilBoot(cmd *exec.Cmd, name string) *server {
	out, err := cmd.StdoutPipe()
	require.NoError(in.t, err)
	errs := &strings.Builder{}
	cmd.Stderr = errs
	require.NoError(in.t, cmd.Start())
	s := &server{t: in.t, cmd: cmd}
	in.t.Cleanup(func() { s.end(syscall.SIGKILL) })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "boot success") {
			go func() { _, _ = io.Copy(io.Discard, out) }() // it must not block on a full pipe
			return s
		}
	}
	in.t.Fatalf("%s ended without its boot line: %s", name, errs)
	return nil
}

func (s *server) end(sig syscall.Signal) {
	if s.cmd.ProcessState == nil {
		require.NoError(s.t, s.cmd.Process.Signal(sig))
		_ = s.cmd.Wait() // its status is the signal's
	}
}

// run runs a script to its end and returns what it printed.
func (in *installation) run(env []string, script string, args ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := in.command(ctx, env, script, args...).CombinedOutput()
	require.NoError(in.t, err, "%s %v: %s", script, args, out)
	return string(out)
}

var received = regexp.MustCompile(`Receive New Messages: \[MessageExt \[.* msgId=([0-9A-Fa-f]+)`)

// consume runs the Consumer until it has printed count different messages.
func (in *installation) consume(env []string, count int) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := in.command(ctx, env, "tools.sh", consumer)
	pipe, err := cmd.StdoutPipe()
	require.NoError(in.t, err)
	require.NoError(in.t, cmd.Start())
	ids := map[string]bool{}
	lines := bufio.NewReader(pipe)
	for len(ids) < count {
		line, err := lines.ReadString('\n')
		if m := received.FindStringSubmatch(line); m != nil {
			ids[m[1]] = true
		}
		if err == io.EOF {
			break
		}
	}
	require.NoError(in.t, cmd.Process.Signal(syscall.SIGTERM))
	_, _ = io.Copy(io.Discard, lines)
	_ = cmd.Wait() // its status is the signal's
	require.Len(in.t, ids, count, "messages that the Consumer printed")
}

func (in *installation) produce(env []string) {
	require.Equal(in.t, 1000, strings.Count(in.run(env, "tools.sh", producer), "SendResult [sendStatus=SEND_OK, msgId="))
}

var queueEnd = regexp.MustCompile(`(?m)^\S+ +\d+ +0 +(\d+) +20`)

// stored adds up the queues' ends, as mqadmin prints them.
func (in *installation) stored() (sum int) {
	for _, m := range queueEnd.FindAllStringSubmatch(in.run(nil, "mqadmin", "topicStatus", "-t", "TopicTest"), -1) {
		var end int
		_, err := fmt.Sscan(m[1], &end)
		require.NoError(in.t, err)
		sum += end
	}
	return sum
}

// startServers starts both servers with configuration files of their own.
func (in *installation) startServers() *server {
	_, port, err := net.SplitHostPort(in.namesrv)
	require.NoError(in.t, err)
	in.start("mqnamesrv", "-c", in.write("namesrv.conf", "listenPort="+port+"\n"))
	brokerPort := freePort(in.t)
	in.broker = fmt.Sprintf("127.0.0.1:%d", brokerPort)
	in.brokerConf = in.write("broker.conf", fmt.Sprintf("brokerName=broker-a\nbrokerIP1=127.0.0.1\nlistenPort=%d\n", brokerPort))
	return in.start("mqbroker", "-n", in.namesrv, "-c", in.brokerConf)
}

func TestQuickstart(t *testing.T) {
	in := newInstallation(t)
	broker := in.startServers()

	in.produce(nil)
	in.consume(nil, 1000)
	require.Equal(t, 1000, in.stored())

	broker.end(syscall.SIGTERM)
	require.NoFileExists(t, filepath.Join(in.home, "store", "abort"), "a clean end leaves no abort file")
	broker = in.start("mqbroker", "-n", in.namesrv, "-c", in.brokerConf)
	require.Contains(t, in.run(nil, "mqadmin", "consumerProgress", "-g", "please_rename_unique_group_name_4"), "Consume Diff Total: 0\n")
	require.Equal(t, 1000, in.stored())

	sent := 1000
	for _, form := range []string{"JSON", "ROCKETMQ"} {
		java := []string{"TOOLS_RUNTIME=java", "ROCKETMQ_SERIALIZE_TYPE=" + form}
		requireJava(t)
		in.produce(java)
		in.consume(java, 1000)
		sent += 1000
		require.Equal(t, sent, in.stored(), form)
	}

	broker.end(syscall.SIGKILL)
	in.start("mqbroker", "-n", in.namesrv, "-c", in.brokerConf)
	require.Equal(t, sent, in.stored(), "messages that were acknowledged before kill -9")
}

// requireJava skips what needs Java where there is none, except in CI.
func requireJava(t *testing.T) {
	for _, program := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(program); err != nil {
			require.Empty(t, os.Getenv("CI"), "%s is missing", program)
			t.Skipf("%s is missing: the Java quickstart was left out", program)
		}
	}
}
