// SPDX-License-Identifier: Apache-2.0

package namesrv

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/protocol"
)

const confPath = "/ns/namesrv.conf"

func newConfiguredServer(t *testing.T) *fixture {
	t.Helper()
	files := newMemFS()
	files.files[confPath] = []byte("# mine\nlistenPort=9876\norderMessageEnable = false\n")
	return openServer(t, files, func(c *Config) { c.ConfigStorePath = confPath })
}

func (f *fixture) update(text string) *protocol.Command {
	f.t.Helper()
	return f.ask(protocol.UpdateNamesrvConfig, nil, []byte(text))
}

func TestHotKeyChangesAtOnceAndInItsFile(t *testing.T) {
	f := newConfiguredServer(t)
	require.Equal(t, protocol.Success, f.update("orderMessageEnable=true\n").Code)
	require.True(t, f.config().OrderMessageEnable)
	text := string(f.files.files[confPath])
	require.Contains(t, text, "# mine\nlistenPort=9876\n")
	require.Contains(t, text, "true")
	require.Contains(t, string(f.must(protocol.GetNamesrvConfig, nil, nil).Body), "\norderMessageEnable=true\n")
}

func TestEmptyUpdateIsFine(t *testing.T) {
	f := newConfiguredServer(t)
	require.Equal(t, protocol.Success, f.update("").Code)
	require.Equal(t, protocol.Success, f.update("# nothing\n").Code)
	require.NotContains(t, f.files.names(), confPath+".bak", "nothing was written")
}

// S1, S2, S5 of the security cases: keys that name files are never changed, however they are written.
func TestBlackListedKeys(t *testing.T) {
	for _, key := range []string{
		"configBlackList", "configStorePath", "kvConfigPath", "rocketmqHome", "configStorePathName",
		"ConfigStorePath", "  configStorePath", "KVCONFIGPATH", "\tkvConfigPath", `\u0063onfigStorePath`,
	} {
		f := newConfiguredServer(t)
		before := string(f.files.files[confPath])
		answer := f.update("orderMessageEnable=true\n" + key + "=/tmp/owned\n")
		require.Equal(t, protocol.NoPermission, answer.Code, "%q", key)
		require.Equal(t, "Can not update config in black list.", answer.Remark)
		require.Equal(t, before, string(f.files.files[confPath]))
		require.Equal(t, []string{confPath}, f.files.names(), "no file appeared")
		require.False(t, f.config().OrderMessageEnable, "all of a request or none")
	}
}

func TestOnlyHotKeysChange(t *testing.T) {
	for _, key := range []string{"listenPort", "bindAddress", "scanNotActiveBrokerInterval", "defaultThreadPoolQueueCapacity", "serverMaxFrameBytes", "noSuchKey", "OrderMessageEnable"} {
		f := newConfiguredServer(t)
		answer := f.update(key + "=1\n")
		require.Equal(t, protocol.NoPermission, answer.Code, key)
		require.Contains(t, answer.Remark, key)
	}
}

func TestKeysOfTheOperatorsBlackList(t *testing.T) {
	f := newServer(t, func(c *Config) { c.ConfigBlackList = "orderMessageEnable; enableTopicList" })
	for _, key := range []string{"orderMessageEnable", "enableTopicList", "kvConfigPath"} {
		require.Equal(t, blackListRemark, f.update(key+"=true\n").Remark, key)
	}
}

// S3 of the security cases: no value can become a line of its own.
func TestValuesThatWouldBreakTheFile(t *testing.T) {
	for _, value := range []string{`true\nkvConfigPath=/tmp/owned`, `true\r`, `\u0000`, `1\u000akvConfigPath=/x`, "12\\\n\\nlistenPort=1"} {
		for _, key := range []string{"orderMessageEnable", "maxRegisteredBrokers"} {
			f := newConfiguredServer(t)
			before := string(f.files.files[confPath])
			require.Equal(t, protocol.InvalidParameter, f.update(key+"="+value+"\n").Code, "%s=%q", key, value)
			require.Equal(t, before, string(f.files.files[confPath]))
		}
	}
}

func TestValuesThatAKeyCannotHave(t *testing.T) {
	f := newConfiguredServer(t)
	for _, change := range []string{"orderMessageEnable=maybe", "maxRegisteredBrokers=x", "maxRegisteredBrokers=0", "maxKvConfigBytes=-1"} {
		require.Equal(t, protocol.InvalidParameter, f.update(change+"\n").Code, change)
	}
}

func TestUnsavedConfigIsNotKept(t *testing.T) {
	f := newConfiguredServer(t)
	f.files.fail = errors.New("disk full")
	require.Equal(t, protocol.SystemError, f.update("orderMessageEnable=true\n").Code)
	require.False(t, f.config().OrderMessageEnable)
}

func TestGetConfigIsPropertiesText(t *testing.T) {
	f := newServer(t)
	text := string(f.must(protocol.GetNamesrvConfig, nil, nil).Body)
	require.Contains(t, text, "\nlistenPort=9876\n")
	require.Contains(t, text, "\nscanNotActiveBrokerInterval=5000\n")
	require.Contains(t, text, "kvConfigPath=/ns/kvConfig.json\n")
}
