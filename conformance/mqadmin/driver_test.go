// SPDX-License-Identifier: Apache-2.0

package mqadmin

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
)

// printed is what a command wrote.
type printed struct{ out, err string }

// driver is a JVM that runs the original mqadmin.
type driver struct {
	in      io.WriteCloser
	answers *bufio.Reader
}

// silentLog keeps the client library's logging out of the output.
const silentLog = `<configuration><root level="OFF"/></configuration>`

func newDriver(t *testing.T) *driver {
	t.Helper()
	lib, err := target.JavaLib()
	require.NoError(t, err)
	home := t.TempDir()
	log := filepath.Join(home, "logback.xml")
	require.NoError(t, os.WriteFile(log, []byte(silentLog), 0o644))
	cmd := exec.Command("java", "-XX:TieredStopAtLevel=1", "-Djava.security.manager=allow", "-Duser.home="+home, "-Djava.io.tmpdir="+home, "-Duser.timezone=UTC",
		"-Drmq.logback.configurationFile="+log, "-cp", lib, "Driver.java")
	cmd.Env = append(os.Environ(), "ROCKETMQ_HOME="+home)
	var complaints bytes.Buffer // the JVM does not like to be told who may end it
	cmd.Stderr = &complaints
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Logf("the JVM ended with %v\n%s", err, complaints.String())
		}
	})
	return &driver{in, bufio.NewReader(out)}
}

// run gives a command at most the time limit; one that repeats itself is stopped then.
func (d *driver) run(limit time.Duration, words ...string) (printed, error) {
	var line strings.Builder
	fmt.Fprint(&line, int(limit.Seconds()))
	for _, word := range words {
		line.WriteString(" =" + base64.StdEncoding.EncodeToString([]byte(word)))
	}
	if _, err := io.WriteString(d.in, line.String()+"\n"); err != nil {
		return printed{}, err
	}
	answer, err := d.answers.ReadString('\n')
	if err != nil {
		return printed{}, err
	}
	first, second, _ := strings.Cut(strings.TrimSuffix(answer, "\n"), " ")
	out, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(first, "="))
	if err != nil {
		return printed{}, err
	}
	errors, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(second, "="))
	return printed{string(out), string(errors)}, err
}
