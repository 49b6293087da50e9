// SPDX-License-Identifier: Apache-2.0

package quickstart

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
)

const progress = "please_rename_unique_group_name_4"

// startBoth types the page's two lines, one right after the other, in another folder than the clone.
func (u *user) startBoth() (namesrv, broker *target.Process) {
	u.t.Helper()
	var namesErr, brokerErr error
	var both sync.WaitGroup
	both.Go(func() { namesrv, namesErr = u.spawn("mqnamesrv") })
	both.Go(func() { broker, brokerErr = u.spawn("mqbroker", "-n", names) })
	both.Wait()
	require.NoError(u.t, namesErr)
	require.NoError(u.t, brokerErr)
	return namesrv, broker
}

// TestQuickstart starts with nothing built, so that both launchers want to build the same program at once.
func TestQuickstart(t *testing.T) {
	u := newUser(t)
	require.NoError(t, os.RemoveAll(filepath.Join(clone, "build")))
	namesrv, broker := u.startBoth()

	bootLine := "The Name Server boot success. serializeType=JSON, address 0.0.0.0:9876"
	mustPrint(t, namesrv, bootLine)
	u.mustLog("namesrv.log", bootLine)
	host, err := os.Hostname()
	require.NoError(t, err)
	bootLine = fmt.Sprintf("The broker[%s, 127.0.0.1:10911] boot success. serializeType=JSON and name server is %s", host, names)
	mustPrint(t, broker, bootLine)
	u.mustLog("broker.log", bootLine)

	u.produce()
	u.consume()
	require.Equal(t, 1000, u.stored())

	u.shutdown("broker", broker)
	require.NoFileExists(t, filepath.Join(u.Home, "store", "abort"), "a clean end leaves no abort file")
	u.shutdown("namesrv", namesrv)

	namesrv, broker = u.startBoth()
	u.produce()
	require.Equal(t, 2000, u.stored(), "messages outlive a restart")
	u.consume()
	require.Contains(t, u.mustRun(nil, "mqadmin", "consumerProgress", "-g", progress), "Consume Diff Total: 0\n", "offsets outlive a restart")

	require.NoError(t, broker.Kill())
	broker = u.start("mqbroker", "-n", names)
	u.produce()
	require.Equal(t, 3000, u.stored(), "acknowledged messages outlive kill -9")
	u.shutdown("broker", broker)
	u.shutdown("namesrv", namesrv)
}

// TestJavaQuickstart runs the published classes in both header forms.
func TestJavaQuickstart(t *testing.T) {
	target.Require(t, target.Java)
	u := newUser(t)
	u.startBoth()
	for i, form := range []string{"JSON", "ROCKETMQ"} {
		java := []string{"TOOLS_RUNTIME=java", "ROCKETMQ_SERIALIZE_TYPE=" + form}
		u.produce(java...)
		u.consume(java...)
		require.Equal(t, 1000*(i+1), u.stored(), form)
	}
}

func TestStandalone(t *testing.T) {
	u := newUser(t)
	for round, which := range []string{"broker", "namesrv"} {
		both := u.start("standalone")
		mustPrint(t, both, "The Name Server boot success. serializeType=JSON, address 0.0.0.0:9876")
		require.Eventually(t, func() bool {
			out, err := both.Output()
			return err == nil && strings.Contains(out, "127.0.0.1:10911] boot success. serializeType=JSON and name server is 127.0.0.1:9876")
		}, patience, testPoll)
		u.produce()
		u.consume()
		require.Equal(t, 1000*(round+1), u.stored())
		u.shutdown(which, both, "It was NameServer and Broker in one process: both are told to end.")
		status, out := u.run(nil, "mqshutdown", "namesrv")
		require.Equal(t, "No mqnamesrv running.\n", out)
		require.Equal(t, 1, status)
		require.NoFileExists(t, filepath.Join(u.Home, "store", "abort"))
	}
}

// TestJarsOfTheUser puts a class of the user's own into lib/, where it comes before upstream's of the same name.
func TestJarsOfTheUser(t *testing.T) {
	target.Require(t, target.Java)
	u := newUser(t)
	source := u.write("src/Producer.java", `package org.apache.rocketmq.example.quickstart;
public class Producer { public static void main(String[] args) { System.out.println("from lib: " + String.join(",", args)); } }
`)
	lib := filepath.Join(clone, "lib")
	require.NoError(t, os.MkdirAll(lib, 0o755))
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(lib)) })
	for _, line := range [][]string{{"javac", "-d", u.Home, source}, {"jar", "cf", filepath.Join(lib, "own.jar"), "-C", u.Home, "org"}} {
		out, err := exec.Command(line[0], line[1:]...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	require.Equal(t, "from lib: a b,c\n", u.mustRun([]string{"TOOLS_RUNTIME=java"}, "tools.sh", producer, "a b", "c"))
}
