// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
	"rocketd/protocol"
)

// S1, S3 and S5 on a disk, with the programs themselves: a change is written into the file that -c named and into no
// other, keeps what the operator wrote and its permissions, and is in force after a restart. What is refused changes no
// byte of it.
func TestS5ChangesOfTheConfiguration(t *testing.T) {
	c := target.New(t, target.Binary, target.Options{})
	client := newClient(t)
	for name, s := range map[string]struct {
		server              *target.Server
		update, get         int32
		change, notPossible string
	}{
		"broker.conf":  {c.Broker, protocol.UpdateBrokerConfig, protocol.GetBrokerConfig, "deleteWhen=05;17", "brokerConfigPath rocketmqHome configBlackList storePathRootDir ROCKETMQHOME"},
		"namesrv.conf": {c.Names, protocol.UpdateNamesrvConfig, protocol.GetNamesrvConfig, "waitSecondsForService=46", "configStorePath kvConfigPath configStorePathName rocketmqHome configBlackList CONFIGSTOREPATH"},
	} {
		ask := func(code int32, body string) *protocol.Command {
			req := protocol.NewRequest[protocol.Empty](code, nil)
			req.Body = []byte(body)
			answer, err := client.Call(context.Background(), s.server.Addr, req)
			require.NoError(t, err)
			return answer
		}
		file := filepath.Join(c.Home, name)
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		text = append([]byte("# written by hand\n"), text...)
		require.NoError(t, os.WriteFile(file, text, 0o600))
		require.NoError(t, os.Chmod(file, 0o600))

		before := tree(t, c.Home)
		for _, key := range strings.Fields(s.notPossible) {
			for _, blanks := range []string{"", "  ", "\t"} {
				answer := ask(s.update, s.change+"\n"+blanks+key+"="+c.Home+"/evil\n")
				require.Equal(t, protocol.NoPermission, answer.Code, "%s: %s", key, answer.Remark)
			}
		}
		for _, value := range []string{`05\nrocketmqHome=/evil`, `46\u000arocketmqHome=/evil`, `46\u0000`, `46\\`} {
			key, _, _ := strings.Cut(s.change, "=")
			require.Equal(t, protocol.InvalidParameter, ask(s.update, key+"="+value+"\n").Code, value)
		}
		require.Equal(t, string(text), read(t, file))
		for path := range tree(t, c.Home) {
			require.True(t, before[path] || !strings.Contains(path, "evil") && !strings.HasSuffix(path, ".tmp"), path)
		}

		answer := ask(s.update, s.change+"\n")
		require.Equal(t, protocol.Success, answer.Code, answer.Remark)
		require.True(t, strings.HasPrefix(read(t, file), string(text)), "the lines that were there, and the comment")
		require.Contains(t, read(t, file), s.change+"\n")
		require.Equal(t, string(text), read(t, file+".bak"))
		for _, f := range []string{file, file + ".bak"} {
			info, err := os.Stat(f)
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), f)
		}
		require.NoError(t, s.server.Stop())
		require.NoError(t, s.server.Start())
		require.Contains(t, string(ask(s.get, "").Body), "\n"+s.change+"\n")
	}
}

func read(t *testing.T, file string) string {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}
