// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"

	"rocketd/internal/settings"
	"rocketd/internal/testkit"
	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/store/vfs"
)

// A change of a store's key is in force for the next request, and for what runs in the background.
func TestHotStoreKeysReachTheStore(t *testing.T) {
	disk, clock := vfs.NewMem(), clockwork.NewFakeClockAt(time.UnixMilli(1_700_000_000_000))
	b := newBroker(t, disk, clock, func(c *Config) { c.CommitLogFileSize = 64 << 10; c.DeleteWhen = "99" })
	w := dial(t, b, "10911")
	change := func(text string) {
		t.Helper()
		answer := w.ask(protocol.UpdateBrokerConfig, "", text)
		require.Equal(t, protocol.Success, answer.Code, answer.Remark)
	}
	send := func(bytes int) int32 {
		return w.ask(protocol.SendMessage, sendFields("T", ""), strings.Repeat("x", bytes)).Code
	}

	change("maxMessageSize=1000\n")
	require.Equal(t, protocol.MessageIllegal, send(1001))
	change("maxMessageSize=8000\n")
	require.Equal(t, protocol.Success, send(1001))
	_, err := b.store.Put(&message.Message{Topic: "T", Body: make([]byte, 8001)})
	require.Error(t, err, "the store itself, not only the broker's check before it")

	change("maxTransferCountOnMessageInMemory=1\n")
	require.Equal(t, protocol.Success, send(10))
	require.Len(t, bodiesOf(t, w.ask(protocol.PullMessage, pullFields("T", 0, "maxMsgNums=32"), "").Body), 1)

	for range 60 {
		require.Equal(t, protocol.Success, send(8000))
	}
	disk.SetCapacity(disk.Used() * 2) // half full
	change("diskSpaceWarningLevelRatio=35\ndiskSpaceCleanForciblyRatio=30\ncleanFileForciblyEnable=false\ndiskMaxUsedSpaceRatio=95\n")
	testkit.Eventually(t, func() bool { clock.Advance(5 * time.Second); return send(1) == protocol.ServiceNotAvailable }, "half full is too full now")
	change("diskSpaceWarningLevelRatio=90\ndiskSpaceCleanForciblyRatio=85\n")
	testkit.Eventually(t, func() bool { clock.Advance(5 * time.Second); return send(1) == protocol.Success }, "and is not any more")

	low := func() int64 { first, _, _ := b.store.QueueRange("T", 0); return first }
	require.Zero(t, low())
	change("diskMaxUsedSpaceRatio=10\nfileReservedTime=1\n")
	testkit.Eventually(t, func() bool { clock.Advance(10 * time.Minute); return low() > 0 }, "old files to be deleted")
}

// Whatever number a hot key is given, it is refused by name or the broker lives with it.
func TestHotKeysTakeAnyNumber(t *testing.T) {
	disk, clock := vfs.NewMem(), clockwork.NewFakeClockAt(time.UnixMilli(1_700_000_000_000))
	b := newBroker(t, disk, clock, func(c *Config) { c.CommitLogFileSize = 64 << 10 })
	w := dial(t, b, "10911")
	numbers := []int64{math.MinInt64, math.MaxInt32, 0, math.MinInt32, -1, 1, math.MaxInt64}
	step, next := testkit.Sparse(3), 0
	for _, key := range settings.Keys(b.Config()) {
		if !key.Hot || key.Type != "int" && key.Type != "long" {
			continue
		}
		for ; next < len(numbers); next += step {
			n := numbers[next]
			answer := w.ask(protocol.UpdateBrokerConfig, "", fmt.Sprintf("%s=%d\n", key.Name, n))
			if answer.Code != protocol.Success {
				require.Equal(t, protocol.InvalidParameter, answer.Code, "%s=%d: %s", key.Name, n, answer.Remark)
				require.Contains(t, answer.Remark, key.Name)
			}
			clock.Advance(time.Minute)
			w.ask(protocol.SendMessage, sendFields("T", ""), "m")
			w.ask(protocol.PullMessage, pullFields("T", 0, ""), "")
			w.ask(protocol.QueryMessage, "topic=T key=k maxNum=32 beginTimestamp=0 endTimestamp=1800000000000", "")
		}
		next -= len(numbers) // the next key goes on where this one ends
		back := w.ask(protocol.UpdateBrokerConfig, "", key.Name+"="+key.Default+"\n")
		require.Equal(t, protocol.Success, back.Code, back.Remark)
	}
	require.Zero(t, b.mux.Panics())
	require.Equal(t, protocol.Success, w.ask(protocol.SendMessage, sendFields("T", ""), "m").Code)
}

// A rewritten configuration file keeps its comments, its other lines and its permissions.
func TestTheConfigurationFileStaysTheOperators(t *testing.T) {
	file := filepath.Join(t.TempDir(), "broker.conf")
	require.NoError(t, os.WriteFile(file, []byte(confText), 0o600))
	b := newBareBroker(t, nil)
	b.fs, b.deps.ConfigFile = vfs.OS, file
	b.mustAsk(protocol.UpdateBrokerConfig, "", "traceOn=false\nmaxMessageSize=65536\n")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "# the broker\nbrokerName = broker-a\ntraceOn=false\nmaxMessageSize=65536\n", string(text))
	for name, want := range map[string]os.FileMode{file: 0o600, file + ".bak": 0o600} {
		info, err := os.Stat(name)
		require.NoError(t, err)
		require.Equal(t, want, info.Mode().Perm(), name)
	}
}

const confText = "# the broker\nbrokerName = broker-a\ntraceOn=true\n"

func newConfiguredBroker(t *testing.T) *bareBroker {
	b := newBareBroker(t, nil)
	require.NoError(t, b.disk.MkdirAll("/conf"))
	require.NoError(t, vfs.WriteFileAtomic(b.disk, "/conf/broker.conf", []byte(confText)))
	return b
}

func (b *bareBroker) confFile() string {
	text, err := vfs.ReadFile(b.disk, "/conf/broker.conf")
	require.NoError(b.t, err)
	return string(text)
}

func TestHotKeysChange(t *testing.T) {
	b := newConfiguredBroker(t)
	b.clock.Advance(time.Second)
	b.mustAsk(protocol.UpdateBrokerConfig, "", "traceOn=false\nmaxMessageSize=65536\n")
	require.False(t, b.cfg.Load().TraceOn)
	require.Equal(t, 65536, b.cfg.Load().MaxMessageSize)
	require.Contains(t, b.confFile(), "# the broker\nbrokerName = broker-a\n")
	require.Contains(t, b.confFile(), "traceOn=false\n")
	require.Contains(t, b.confFile(), "maxMessageSize=65536\n")
	answer := b.mustAsk(protocol.GetBrokerConfig, "", "")
	require.Equal(t, []protocol.Field{{Key: "version", Value: `{"counter":1,"stateVersion":0,"timestamp":1700000001000}`}}, answer.Fields)
	require.Contains(t, string(answer.Body), "\ntraceOn=false\n")
	require.Contains(t, string(answer.Body), "\nbrokerName=broker-a\n")
	before := b.confFile()
	b.mustAsk(protocol.UpdateBrokerConfig, "", "")
	b.mustAsk(protocol.UpdateBrokerConfig, "", "# nothing\n")
	require.Equal(t, before, b.confFile())
}

// S1, S2 and S3 of the security cases: what may not change is refused by Java's code, nothing of the request is done,
// and no value can become a line of its own.
func TestOtherKeysAreRefusedAndNothingChanges(t *testing.T) {
	b := newConfiguredBroker(t)
	const denied = "Can not update config in black list."
	before := *b.cfg.Load()
	for body, want := range map[string]struct {
		code int32
		text string
	}{
		"brokerConfigPath=/x":                               {16, denied},
		"configBlackList=x":                                 {16, denied},
		"rocketmqHome=-c $@|sh . echo x;":                   {16, denied},
		" rocketmqHome = x":                                 {16, denied},
		"traceOn=false\nrocketmqHome=x":                     {16, denied},
		"storePathRootDir=/x":                               {16, "storePathRootDir"},
		"listenPort=1":                                      {16, "listenPort"},
		"namesrvAddr=evil:9876":                             {16, "namesrvAddr"},
		"filterServerNums=1":                                {16, "filterServerNums"},
		"ROCKETMQHOME=x":                                    {16, "ROCKETMQHOME"},
		"traceOn=false\nfooBar=1":                           {16, "fooBar"},
		"traceOn=a\\nrocketmqHome=/evil":                    {29, "line break"},
		"traceOn=a\\u000arocketmqHome=/evil":                {29, "line break"},
		"traceOn=a\\u0000":                                  {29, "NUL"},
		"traceOn=a\\\\":                                     {29, "backslash"},
		"maxMessageSize=abc":                                {29, "maxMessageSize=abc"},
		"brokerPermission=8":                                {29, "brokerPermission=8"},
		"traceOn=xyz":                                       {29, "traceOn=xyz"},
		"maxMessageSize=1\\r\nbrokerPermission=6":           {29, "line break"},
		"diskMaxUsedSpaceRatio=50\nmaxMessageSize=-1":       {29, "maxMessageSize"},
		strings.Repeat("k", 10_000) + "=" + "v":             {16, strings.Repeat("k", 64)},
		fmt.Sprintf("fooBar%s=1", strings.Repeat("\\n", 9)): {29, "line break"},
	} {
		answer := b.ask(protocol.UpdateBrokerConfig, "", body)
		require.Equal(t, want.code, answer.Code, "%.80s: %s", body, answer.Remark)
		require.Contains(t, answer.Remark, want.text, "%.80s", body)
		require.Less(t, len(answer.Remark), 1000)
	}
	require.Equal(t, before, *b.cfg.Load())
	require.Equal(t, confText, b.confFile())
}

func TestAChangeThatCannotBeKeptIsNotMade(t *testing.T) {
	b := newBareBroker(t, nil) // its configuration file does not exist
	answer := b.ask(protocol.UpdateBrokerConfig, "", "traceOn=false\n")
	require.Equal(t, protocol.SystemError, answer.Code)
	require.True(t, b.cfg.Load().TraceOn)
	b.deps.ConfigFile = ""
	b.mustAsk(protocol.UpdateBrokerConfig, "", "traceOn=false\n")
	require.False(t, b.cfg.Load().TraceOn)
}

func TestSecretsStayInside(t *testing.T) {
	require.Equal(t, "brokerName=b\nmaxMessageSize=1\n",
		string(withoutSecrets("accessKey=1\nbrokerName=b\ninnerClientAuthenticationCredentials=2\nmaxMessageSize=1\ntlsServerKeyPassword=3\nfooSecretKey=4\n")))
}

// S2: what a request may change is a number, a switch, or the hours of deleteWhen; nothing that names a file, a class,
// an address, a port or a secret.
func TestHotKeysAreHarmless(t *testing.T) {
	harmful := regexp.MustCompile(`(?i)path|dir|home|class|plugin|addr|host|port$|ip\d|user|auth|acl|tls|white|black|role|brokerId`)
	for _, key := range settings.Keys(DefaultConfig()) {
		if !key.Hot {
			continue
		}
		require.Equal(t, key.Name == "deleteWhen", key.Type == "string", "%s is a text", key.Name)
		require.False(t, harmful.MatchString(key.Name) || secretKey.MatchString(key.Name), key.Name)
	}
}

func TestTheOperatorsBlackList(t *testing.T) {
	b := newBareBroker(t, func(c *Config) { c.ConfigBlackList = "traceOn;maxMessageSize" })
	b.deps.ConfigFile = ""
	for _, key := range []string{"traceOn", " maxMessageSize", "rocketmqHome", "configBlackList"} {
		answer := b.ask(protocol.UpdateBrokerConfig, "", key+"=1\n")
		require.Equal(t, protocol.NoPermission, answer.Code, key)
		require.Equal(t, "Can not update config in black list.", answer.Remark)
	}
	b.mustAsk(protocol.UpdateBrokerConfig, "", "longPollingEnable=false\n")
}
