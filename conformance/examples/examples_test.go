// SPDX-License-Identifier: Apache-2.0

// Package examples runs upstream's example programs against the binaries, the published Java classes unmodified and
// their Go counterparts, and asks the Broker what they have sent. Some hold the address 127.0.0.1:9876, so the
// NameServer has that port, in a network of its own. What a reader would do first is done here: the Broker has
// enablePropertyFilter for the SQL92 pair and traceTopicEnable for the traces. What is
// no reader's: it asks about transactions every second instead of every half minute.
package examples

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rocketd/conformance/report"
	"rocketd/conformance/target"
	"rocketd/protocol/message"
)

const (
	names    = "127.0.0.1:9876"
	prefix   = "org.apache.rocketmq.example."
	patience = time.Minute
	poll     = 50 * time.Millisecond

	// javaLevels are the delay levels of a Broker that nobody configures. Those of the other tests are shorter.
	javaLevels = "1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h"
)

var runtimes = []string{"go", "java"}

// jvms bounds how many programs run at once.
var jvms = make(chan struct{}, 2)

func TestMain(m *testing.M) { os.Exit(target.Alone(m, fetch)) }

// fetch has Go and Maven fetch and build while there is a network.
func fetch() error {
	in, err := target.Checkout(os.TempDir())
	if err != nil {
		return err
	}
	if out, err := in.Command("tools.sh", prefix+"none").CombinedOutput(); !strings.Contains(string(out), "Unknown class") {
		return fmt.Errorf("tools.sh: %w: %s", err, out)
	}
	if _, err := exec.LookPath("mvn"); err != nil {
		return nil
	}
	_, err = target.Jars("quickstart")
	return err
}

// field is the reader at his terminal.
type field struct {
	*target.Cluster
	in target.Installation
}

func newField(t *testing.T) *field {
	target.RequireAlone(t)
	in, err := target.Checkout(t.TempDir())
	require.NoError(t, err)
	in.Env = append(in.Env, "NAMESRV_ADDR="+names)
	c := target.New(t, target.Binary, target.Options{NamesPort: 9876,
		Broker: map[string]string{"enablePropertyFilter": "true", "traceTopicEnable": "true", "messageDelayLevel": javaLevels,
			"transactionCheckInterval": "1000", "transactionTimeOut": "500"}})
	return &field{c, in}
}

// program is a started example.
type program struct {
	cmd  *exec.Cmd
	out  string
	done chan struct{} // closed when it has ended
}

// start types a line at tools.sh.
func (f *field) start(t *testing.T, runtime, class string) *program {
	cmd := f.in.Command("tools.sh", prefix+class)
	cmd.Env = append(cmd.Env, "TOOLS_RUNTIME="+runtime, "JAVA_OPT=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto -Xmx512m")
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	defer func() { _ = file.Close() }() // the program has its own
	cmd.Stdout, cmd.Stderr = file, file
	require.NoError(t, cmd.Start())
	p := &program{cmd, file.Name(), make(chan struct{})}
	go func() {
		_ = cmd.Wait() // its status is read from the process's state
		close(p.done)
	}()
	t.Cleanup(func() { p.end() })
	return p
}

// end is Ctrl-C, where the program has not ended by itself.
func (p *program) end() {
	_ = p.cmd.Process.Signal(syscall.SIGINT)
	select {
	case <-p.done:
	case <-time.After(5 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

func (p *program) shown(t *testing.T) string {
	text, err := os.ReadFile(p.out)
	require.NoError(t, err)
	return string(text)
}

// wait waits until a condition on the output holds.
func (p *program) wait(t *testing.T, cond func(out string) bool) string {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		out := p.shown(t)
		if cond(out) {
			return out
		}
		if time.Now().After(deadline) {
			require.Fail(t, "waited in vain for what the program must show", "%.3000s", out)
		}
		time.Sleep(poll)
	}
}

// stored are the topic's messages by their place in the log.
func (f *field) stored(t *testing.T, topic string) map[int64]message.Message {
	all := map[int64]message.Message{}
	if _, err := f.Queues(topic); err != nil {
		return all // nobody has sent to it yet
	}
	records, err := f.Read(topic)
	require.NoError(t, err)
	for _, r := range records {
		all[r.PhyOffset] = r.Message
	}
	return all
}

// each runs a part's examples in two lanes, first in Go and then in Java: what shares a topic or a group shares a lane.
func each[E any](t *testing.T, lanes [][]E, name func(E) (class, only string), test func(t *testing.T, runtime string, e E)) {
	for i, lane := range lanes {
		t.Run(fmt.Sprintf("lane %d", i+1), func(t *testing.T) {
			t.Parallel()
			for _, e := range lane {
				for _, runtime := range runtimes {
					class, only := name(e)
					if only != "" && only != runtime {
						continue
					}
					t.Run(class+" "+runtime, func(t *testing.T) {
						enter(t, runtime, class)
						jvms <- struct{}{}
						defer func() { <-jvms }()
						test(t, runtime, e)
					})
				}
			}
		})
	}
}

// enter puts an example into the compatibility tables, and leaves it out where its runtime is missing.
func enter(t *testing.T, runtime, class string) {
	column := "go on binary"
	if runtime == "java" {
		column = "java 5.5.0 on binary"
	}
	report.Test(t, report.Features, "example "+class, column)
	if runtime == "java" {
		target.Require(t, target.Java)
	}
}

// Only a message for a time of its own has a recall handle, the base64 text of "v1 ...", and only Java's client shows it.
var (
	sendResult  = resultWith("[0-9A-Fa-f,]+", "null")
	timerResult = resultWith("[0-9A-Fa-f]+", `djEg[\w-]+=*`)
)

func resultWith(offsetMsgID, handle string) *regexp.Regexp {
	return regexp.MustCompile(`SendResult \[sendStatus=SEND_OK, msgId=[0-9A-Fa-f,]+, offsetMsgId=` + offsetMsgID + `, messageQueue=MessageQueue \[topic=(\w+), brokerName=broker-a, queueId=\d+\], queueOffset=\d+, recallHandle=` + handle + `\]`)
}
