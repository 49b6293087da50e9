// SPDX-License-Identifier: Apache-2.0

// Package startup starts servers where they cannot start, and servers whose disk fills up. What is refused ends with
// one sentence that names the culprit, and with status 1.
package startup

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
)

const patience = time.Minute

func TestMain(m *testing.M) { os.Exit(target.Alone(m, fetch)) }

// fetch has Go fetch what the launchers will want while there is a network.
func fetch() error {
	if out, err := exec.Command("go", "list", "-deps", "rocketd/cmd/rocketd").CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// operator has a home folder and the launchers.
type operator struct {
	target.Installation
	t *testing.T
}

func newOperator(t *testing.T) *operator {
	target.RequireAlone(t)
	in, err := target.Checkout(t.TempDir())
	require.NoError(t, err)
	return &operator{in, t}
}

// path of a file in the home folder.
func (o *operator) path(name string) string { return filepath.Join(o.Home, name) }

func (o *operator) write(name string, lines ...string) string {
	require.NoError(o.t, os.WriteFile(o.path(name), []byte(strings.Join(lines, "\n")+"\n"), 0o644))
	return o.path(name)
}

func (o *operator) folder(name string) string {
	require.NoError(o.t, os.MkdirAll(o.path(name), 0o755))
	return o.path(name)
}

// start runs a server that is expected to start.
func (o *operator) start(script string, args ...string) *target.Process {
	o.t.Helper()
	p, err := target.Spawn(o.Command(script, args...), o.path(script+".out"))
	require.NoError(o.t, err)
	o.t.Cleanup(func() {
		if p.Running() {
			require.NoError(o.t, p.Stop())
		}
	})
	return p
}

// refused runs a server that must not start, and demands that it says this and nothing else, and writes it into its log.
func (o *operator) refused(want, script string, args ...string) {
	o.t.Helper()
	cmd := o.Command(script, args...)
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	out, err := cmd.CombinedOutput()
	require.IsType(o.t, &exec.ExitError{}, err, "%s started: %s", script, out)
	var said []string
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "load config properties file OK, ") {
			said = append(said, line)
		}
	}
	require.Equal(o.t, want+"\n", strings.Join(said, ""))
	require.Equal(o.t, 1, cmd.ProcessState.ExitCode())
	name := "broker.log"
	if script == "mqnamesrv" {
		name = "namesrv.log"
	}
	log, err := os.ReadFile(o.path("logs/rocketmqlogs/" + name))
	require.NoError(o.t, err)
	require.Contains(o.t, string(log), "ERROR main - ended by a failure error="+strconv.Quote(want)+"\n")
}

func TestPortInUse(t *testing.T) {
	o := newOperator(t)
	o.start("mqnamesrv")
	o.refused("namesrv: the address 0.0.0.0:9876 is already in use: is another name server running?", "mqnamesrv")
	o.refused("namesrv: the address 0.0.0.0:9876 is already in use: is another name server running?", "standalone")

	o.start("mqbroker", "-n", "localhost:9876")
	second := o.write("second.conf", "storePathRootDir="+o.path("second"))
	o.refused("broker: listenPort: the address 0.0.0.0:10911 is already in use: is another broker running?", "mqbroker", "-c", second)
	third := o.write("third.conf", "listenPort=10913", "storePathRootDir="+o.path("third"))
	o.refused("broker: listenPort-2 (the VIP channel): the address 0.0.0.0:10911 is already in use: is another broker running?", "mqbroker", "-c", third)
}

func TestStoreOfAnotherProcess(t *testing.T) {
	o := newOperator(t)
	o.start("mqbroker")
	second := o.write("second.conf", "listenPort=12911")
	store := o.path("store")
	o.refused(fmt.Sprintf("broker: the store directory %s is in use: %[1]s/lock: locked by another process", store), "mqbroker", "-c", second)
}

func TestUnwritableStore(t *testing.T) {
	o := newOperator(t)
	readOnly := o.folder("readonly")
	target.MountReadOnly(t, readOnly)
	file := o.write("file")
	for store, want := range map[string]string{
		readOnly:                       "broker: open " + readOnly + "/lock: read-only file system",
		filepath.Join(readOnly, "new"): "broker: mkdir " + readOnly + "/new: read-only file system",
		file:                           "broker: mkdir " + file + ": not a directory",
		filepath.Join(file, "store"):   "broker: stat " + file + "/store: not a directory",
		"/proc/a-store-that-cannot-be": "broker: mkdir /proc/a-store-that-cannot-be: no such file or directory",
	} {
		o.refused(want, "mqbroker", "-c", o.write("broker.conf", "storePathRootDir="+store))
	}
}

// TestWhatOnlyJavaReads is one sentence with the place and the way out, whether a directory holds it or the configuration asks
// for it.
func TestWhatOnlyJavaReads(t *testing.T) {
	o := newOperator(t)
	pops := o.folder("store/kvStore")
	require.NoError(t, os.WriteFile(filepath.Join(pops, "000012.log"), []byte("pops"), 0o644))
	o.refused("broker: "+pops+" holds unacknowledged pops in RocksDB (popConsumerKVServiceEnable), which cannot be read here: "+
		"let Java move them to the commit log (mqadmin exportPopRecord), then remove the directory", "mqbroker")
	require.NoError(t, os.RemoveAll(pops))
	for key, want := range map[string]string{
		"storeType=defaultRocksDB": "storeType=defaultRocksDB is not supported: set storeType=default, with which the consume queues are built anew from the commit log",
		"enableDLegerCommitLog=true": "enableDLegerCommitLog=true: DLedger commit logs are not supported: let consumers finish with Java, " +
			"switch the key off and begin with an empty directory",
		"brokerRole=SLAVE":          "brokerId=0, brokerRole=SLAVE: only a master (brokerId=0) can be run",
		"enableControllerMode=true": "enableControllerMode=true: the controller mode is not supported",
		"aclEnable=true": "authenticationEnabled, authorizationEnabled and aclEnable: access control is not supported, " +
			"and a broker told to check must not run open",
	} {
		o.refused(want, "mqbroker", "-c", o.write("broker.conf", key))
	}
	o.refused("--enable-proxy: the gRPC proxy is not supported; start without it", "mqbroker", "--enable-proxy")
	o.start("mqbroker")
}

func TestUnreadableConfiguration(t *testing.T) {
	o := newOperator(t)
	at := o.path("broker.conf")
	for _, c := range []struct {
		lines []string
		want  string
	}{
		{[]string{"# a comment", "listenPort = eighty"}, at + ":2: listenPort=eighty: not a whole number"},
		{[]string{"registerNameServerPeriod=99999999999"}, at + ":1: registerNameServerPeriod=99999999999: too large for 32 bits"},
		{[]string{"flushDiskType=SOMETIMES"}, at + `:1: flushDiskType=SOMETIMES: "SOMETIMES" is neither ASYNC_FLUSH nor SYNC_FLUSH`},
		{[]string{"listenPort=99999"}, "listenPort=99999: a port from 3 to 65535 is needed (listenPort-2 is served too)"},
	} {
		o.refused(c.want, "mqbroker", "-c", o.write("broker.conf", c.lines...))
		o.refused(c.want, "standalone", "-c", at)
	}
	o.refused(o.write("namesrv.conf", "listenPort=eighty")+":1: listenPort=eighty: not a whole number", "mqnamesrv", "-c", o.path("namesrv.conf"))
	o.refused("open "+o.path("none.conf")+": no such file or directory", "mqbroker", "-c", o.path("none.conf"))
	o.refused("read "+o.Home+": is a directory", "mqbroker", "-c", o.Home)
}

func TestBadNameServerAddress(t *testing.T) {
	o := newOperator(t)
	for _, list := range []string{"localhost", "localhost:", ":9876", "localhost:none", "localhost:9876;other", "localhost:70000", "localhost:9876;;localhost:9877"} {
		want := fmt.Sprintf("The Name Server Address[%s] illegal, please set it as follows, \"127.0.0.1:9876;192.168.0.1:9876\"", list)
		for _, script := range []string{"mqbroker", "standalone"} {
			o.refused(want, script, "-n", list)
		}
	}
}

// TestUnknownKey is a warning: real configuration files carry keys of other versions.
func TestUnknownKey(t *testing.T) {
	o := newOperator(t)
	file := o.write("broker.conf", "brokerName=a", "flushDiskTyp=SYNC_FLUSH", "useEpollNativeSelector=true")
	p := o.start("mqbroker", "-c", file)
	out, err := p.Output()
	require.NoError(t, err)
	warning := "warning: " + file + ":2: unknown key flushDiskTyp, did you mean flushDiskType?"
	require.Equal(t, 1, strings.Count(out, "warning"), out)
	require.Contains(t, strings.Split(out, "\n"), warning)
	log, err := os.ReadFile(o.path("logs/rocketmqlogs/broker.log"))
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(log), strings.TrimPrefix(warning, "warning: ")))
}
