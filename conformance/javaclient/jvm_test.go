// SPDX-License-Identifier: Apache-2.0

package javaclient

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
)

// release is a published client, and the header form that it writes.
type release struct {
	version string
	form    string // empty: JSON
}

func (r release) String() string {
	if r.form == "" {
		return "java " + r.version
	}
	return "java " + r.version + " " + r.form + " headers"
}

// jvm is a running Java program (src/rocketd/Main.java) with one release of the client.
type jvm struct {
	release
	home string
	cmd  *exec.Cmd

	mu      sync.Mutex // held while a command is written, and around what follows
	in      io.WriteCloser
	last    int64
	waiting map[int64]chan reply
	inboxes map[string]*inbox
	ended   error // why there will be no more answers
}

type reply struct {
	Result json.RawMessage
	Error  *javaError
}

// javaError is an exception.
type javaError struct {
	Class, Text string
	Code        int32 // what the server answered, where the exception says it
}

func (e *javaError) Error() string { return fmt.Sprintf("%s: %s", e.Class, e.Text) }

// jvms holds the programs that tests share: one a release, because each takes seconds to start.
var jvms struct {
	sync.Mutex
	running map[release]*jvm
	errors  map[release]error
}

func shareJVM(t *testing.T, r release) *jvm {
	t.Helper()
	jvms.Lock()
	defer jvms.Unlock()
	if jvms.running[r] == nil && jvms.errors[r] == nil {
		if jvms.running == nil {
			jvms.running, jvms.errors = map[release]*jvm{}, map[release]error{}
		}
		jvms.running[r], jvms.errors[r] = startJVM(r)
	}
	require.NoError(t, jvms.errors[r])
	return jvms.running[r]
}

func closeJVMs(keep bool) (err error) {
	for _, j := range jvms.running {
		if j != nil {
			err = errors.Join(err, j.close(keep))
		}
	}
	return err
}

// requireJDK ends the test where there is no Java, no Maven or no compiler: in CI as a failure.
func requireJDK(t *testing.T) {
	target.Require(t, target.Java)
	if _, err := exec.LookPath("javac"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("javac is not on the PATH")
		}
		t.Skip("left out: javac is not on the PATH")
	}
}

// classPath fetches a release's jars and compiles the program against them, both once a machine: the folder's name holds
// the checksum of the sources.
func classPath(version string) (string, error) {
	cmd := exec.Command("sh", "fetch.sh", "client-"+version)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("fetching the client %s: %w", version, err)
	}
	lib := strings.TrimSpace(string(out))
	sources, err := filepath.Glob("src/rocketd/*.java")
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, file := range sources {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%s %d\n%s", file, len(text), text)
	}
	jars, classes := filepath.Join(lib, "*"), lib+"-classes-"+hex.EncodeToString(sum.Sum(nil))[:12]
	if _, err := os.Stat(classes); err == nil {
		return classes + ":" + jars, nil
	}
	part, err := os.MkdirTemp(filepath.Dir(lib), "classes-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(part)
	if text, err := exec.Command("javac", slices.Concat([]string{"-d", part, "-cp", jars}, sources)...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("compiling against the client %s: %w\n%s", version, err, text)
	}
	// Another process may have been faster; its result is the same.
	if err := os.Rename(part, classes); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	return classes + ":" + jars, nil
}

// javaFlags: a start as quick as it gets, and clients that look around often. By itself a client rebalances every 20 s.
var javaFlags = []string{
	"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx384m", "-Xss512k",
	"-Drocketmq.client.rebalance.waitInterval=500", "-Drocketmq.client.rebalance.minInterval=100",
	"-Drocketmq.client.rebalance.lockInterval=500", "-Dcom.rocketmq.remoting.client.connect.timeout=30000",
	"-Drocketmq.client.logLevel=WARN", "-Drocketmq.client.logUseSlf4j=false", "-Drocketmq.log.level=WARN",
}

func startJVM(r release) (*jvm, error) {
	classes, err := classPath(r.version)
	if err != nil {
		return nil, err
	}
	home, err := os.MkdirTemp("", "rocketd-javaclient-")
	if err != nil {
		return nil, err
	}
	j := &jvm{release: r, home: home, waiting: map[int64]chan reply{}, inboxes: map[string]*inbox{}}
	j.cmd = exec.Command("java", slices.Concat(javaFlags, []string{"-Duser.home=" + home, "-Djava.io.tmpdir=" + home, "-cp", classes, "rocketd.Main"})...)
	j.cmd.Dir = home
	j.cmd.Env = append(os.Environ(), "HOME="+home, "ROCKETMQ_SERIALIZE_TYPE="+r.form)
	errs, err := os.Create(filepath.Join(home, "stderr"))
	if err != nil {
		return nil, err
	}
	defer errs.Close()
	j.cmd.Stderr = errs
	if j.in, err = j.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := j.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := j.cmd.Start(); err != nil {
		return nil, err
	}
	go j.read(out)
	return j, nil
}

func (j *jvm) close(keep bool) error {
	err := errors.Join(j.in.Close(), j.cmd.Wait())
	if keep {
		return errors.Join(err, fmt.Errorf("the logs of %s stay in %s", j.release, j.home))
	}
	return errors.Join(err, os.RemoveAll(j.home))
}

// read takes the program's lines until its end, which whoever waits is told of.
func (j *jvm) read(out io.Reader) {
	r := bufio.NewReader(out)
	for {
		text, err := r.ReadBytes('\n')
		if err == nil {
			err = j.take(text)
		}
		if err != nil {
			j.mu.Lock()
			defer j.mu.Unlock()
			j.ended = fmt.Errorf("%s: %w", j.release, err)
			for _, w := range j.waiting {
				close(w)
			}
			return
		}
	}
}

func (j *jvm) take(text []byte) error {
	var line struct {
		ID int64
		reply
		On       string
		Messages []received
	}
	if err := json.Unmarshal(text, &line); err != nil {
		return fmt.Errorf("%w in the line %.2000s", err, text)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if line.ID == 0 {
		j.inboxes[line.On].take(line.Messages)
		return nil
	}
	j.waiting[line.ID] <- line.reply
	delete(j.waiting, line.ID)
	return nil
}

type fields map[string]any

// do runs a command of the program and waits for its answer, which is decoded into result unless that is nil.
func (j *jvm) do(command fields, result any) error {
	answer := make(chan reply, 1)
	j.mu.Lock()
	j.last++
	command["id"] = j.last
	text, err := json.Marshal(command)
	if err == nil && j.ended != nil {
		err = j.ended
	}
	if err == nil {
		j.waiting[j.last] = answer
		_, err = j.in.Write(append(text, '\n'))
	}
	j.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case r, ok := <-answer:
		switch {
		case !ok:
			return j.ended
		case r.Error != nil:
			return r.Error
		case result == nil:
			return nil
		}
		if err := json.Unmarshal(r.Result, result); err != nil {
			return fmt.Errorf("%w in %.2000s", err, r.Result)
		}
		return nil
	case <-time.After(2 * time.Minute):
		return fmt.Errorf("%s does not answer %.500s", j.release, text)
	}
}
