// SPDX-License-Identifier: Apache-2.0

package quickstart

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
)

const testPoll = 20 * time.Millisecond

func TestShutdownOfNothing(t *testing.T) {
	u := newUser(t)
	for arg, want := range map[string]string{
		"broker":     "No mqbroker running.\n",
		"namesrv":    "No mqnamesrv running.\n",
		"controller": "No mqcontroller running.\n",
		"proxy":      "No mqproxy running.\n",
		"brokers":    "Usage: mqshutdown broker | namesrv | controller | proxy\n",
		"":           "Usage: mqshutdown broker | namesrv | controller | proxy\n",
	} {
		status, out := u.run(nil, "mqshutdown", strings.Fields(arg)...)
		require.Equal(t, want, out)
		require.Equal(t, 1, status)
	}
}

// TestShutdownLeavesOthersAlone has another installation's NameServer run, and a program that only looks like one.
func TestShutdownLeavesOthersAlone(t *testing.T) {
	u := newUser(t)
	u.mustRun(nil, "mqbroker", "-m") // has the program built
	program, err := os.ReadFile(filepath.Join(clone, "build", "rocketd"))
	require.NoError(t, err)
	foreign := filepath.Join(u.Home, "elsewhere", "build", "rocketd")
	require.NoError(t, os.MkdirAll(filepath.Dir(foreign), 0o755))
	require.NoError(t, os.WriteFile(foreign, program, 0o755))
	cmd := exec.Command(foreign, "namesrv", "-c", u.write("namesrv.conf", "listenPort=19876\n"))
	cmd.Env = append(os.Environ(), "HOME="+u.Home)
	other, err := target.Spawn(cmd, filepath.Join(u.Home, "other.out"))
	require.NoError(t, err)
	lookalike := exec.Command("sleep", "1000")
	lookalike.Args = []string{filepath.Join(clone, "build", "rocketd"), "1000"}
	require.NoError(t, lookalike.Start())
	defer func() {
		_ = lookalike.Process.Kill()
		_ = lookalike.Wait()
	}()

	status, out := u.run(nil, "mqshutdown", "namesrv")
	require.Equal(t, "No mqnamesrv running.\n", out)
	require.Equal(t, 1, status)
	ours := u.start("mqnamesrv")
	u.shutdown("namesrv", ours)
	require.True(t, other.Running())
	require.NoError(t, other.Stop())
}

// TestShutdownAfterARebuild replaces the program under a running server.
func TestShutdownAfterARebuild(t *testing.T) {
	u := newUser(t)
	p := u.start("mqnamesrv")
	require.NoError(t, os.Remove(filepath.Join(clone, "build", "rocketd")))
	u.shutdown("namesrv", p)
}

func TestOptions(t *testing.T) {
	u := newUser(t)
	own := []string{"ROCKETMQ_HOME=/opt/rocketmq", "NAMESRV_ADDR=10.0.0.1:9876;10.0.0.2:9876", "JAVA_OPT=-Xmx8g -nonsense", "JAVA_OPT_EXT=-more"}

	all := strings.Split(u.mustRun(own, "mqbroker", "-p"), "\n")
	require.Contains(t, all, "rocketmqHome=/opt/rocketmq")
	require.Contains(t, all, "namesrvAddr=10.0.0.1:9876;10.0.0.2:9876")
	require.Contains(t, all, "flushDiskType=ASYNC_FLUSH")
	require.Contains(t, all, "storePathRootDir="+filepath.Join(u.Home, "store"))
	require.Contains(t, strings.Split(u.mustRun(nil, "mqbroker", "-p"), "\n"), "rocketmqHome="+clone, "the installation is the default")

	important := strings.Split(u.mustRun(own, "mqbroker", "-m", "-n", "1.2.3.4:5"), "\n")
	require.Equal(t, []string{"namesrvAddr=1.2.3.4:5", "listenPort=10911", "brokerIP1=127.0.0.1"}, important[:3])
	require.Less(t, len(important), 20)

	require.Contains(t, strings.Split(u.mustRun(own, "mqnamesrv", "-p"), "\n"), "listenPort=9876")
	require.Contains(t, strings.Split(u.mustRun(own, "mqnamesrv", "-p"), "\n"), "rocketmqHome=/opt/rocketmq")
	file := u.write("own.conf", "listenPort=9877\n")
	require.Contains(t, u.mustRun(own, "mqnamesrv", "-c", file, "-p"), "load config properties file OK, "+file+"\n")
	require.Contains(t, u.mustRun(own, "mqnamesrv", "-c", file, "-p"), "\nlistenPort=9877\n")

	require.Equal(t, `usage: mqbroker [-c <arg>] [-h] [-m] [-n <arg>] [-p]
 -c,--configFile <arg>       Broker config properties file
 -h,--help                   Print help
 -m,--printImportantConfig   Print important config item
 -n,--namesrvAddr <arg>      Name server address list, eg: '192.168.0.1:9876;192.168.0.2:9876'
 -p,--printConfigItem        Print all config item
`, u.mustRun(nil, "mqbroker", "-h"))
	require.Equal(t, `usage: mqnamesrv [-c <arg>] [-h] [-n <arg>] [-p]
 -c,--configFile <arg>    Name server config properties file
 -h,--help                Print help
 -n,--namesrvAddr <arg>   Name server address list, eg: '192.168.0.1:9876;192.168.0.2:9876'
 -p,--printConfigItem     Print all config items
`, u.mustRun(nil, "mqnamesrv", "--help"))

	status, out := u.run(nil, "mqbroker", "-z")
	require.Equal(t, "Unrecognized option: -z\n", out)
	require.Equal(t, 1, status)
}

// TestLogsAreRotated finds a log that is full and goes on in a new one.
func TestLogsAreRotated(t *testing.T) {
	u := newUser(t)
	full := u.write("logs/rocketmqlogs/namesrv.log", "old\n")
	require.NoError(t, os.Truncate(full, 128<<20))
	p := u.start("mqnamesrv")
	u.mustLog("namesrv.log", "boot success")
	info, err := os.Stat(full)
	require.NoError(t, err)
	require.Less(t, info.Size(), int64(1<<20))
	old, err := filepath.Glob(filepath.Join(filepath.Dir(full), "namesrv-*.log"))
	require.NoError(t, err)
	require.Len(t, old, 1)
	u.shutdown("namesrv", p)
}
