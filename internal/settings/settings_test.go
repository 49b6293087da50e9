// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rocketd/compat"
)

type role int

func (r role) MarshalText() ([]byte, error) { return []byte([]string{"ASYNC_MASTER", "SLAVE"}[r]), nil }
func (r *role) UnmarshalText(text []byte) error {
	*r = -1
	for i, name := range []string{"ASYNC_MASTER", "SLAVE"} {
		if string(text) == name {
			*r = role(i)
			return nil
		}
	}
	return errors.New("not one of ASYNC_MASTER, SLAVE")
}

type storeConfig struct {
	Role     role    `conf:"brokerRole,static"`
	FileSize int64   `conf:"mappedFileSizeCommitLog,static"`
	Ratio    float64 `conf:"ratio,hot"`
}

type serverConfig struct {
	IdleSeconds int32 `conf:"serverChannelMaxIdleTimeSeconds,hot"`
	derived     int
}

type config struct {
	storeConfig
	serverConfig
	Name     string `conf:"brokerName,static"`
	ID       int64  `conf:"brokerId,static"`
	Auto     bool   `conf:"autoCreateTopicEnable,hot"`
	Port     int    `conf:"listenPort"`
	Password string `conf:"aclPassword"`
	NotAKey  string
}

func newConfig() *config {
	return &config{storeConfig: storeConfig{FileSize: 1 << 30, Ratio: 1}, serverConfig: serverConfig{IdleSeconds: 120, derived: 1}, Name: "broker-a", Auto: true, Port: 10911}
}

func TestKeys(t *testing.T) {
	want := []Key{
		{"aclPassword", false, false, "", "string"},
		{"autoCreateTopicEnable", false, true, "true", "bool"},
		{"brokerId", true, false, "0", "long"},
		{"brokerName", true, false, "broker-a", "string"},
		{"brokerRole", true, false, "ASYNC_MASTER", "role"},
		{"listenPort", false, false, "10911", "int"},
		{"mappedFileSizeCommitLog", true, false, "1073741824", "long"},
		{"ratio", false, true, "1.0", "double"},
		{"serverChannelMaxIdleTimeSeconds", false, true, "120", "int"},
	}
	require.Equal(t, want, Keys(newConfig()))
	require.Equal(t, want, Keys(*newConfig()), "a value will do")
}

func TestFormat(t *testing.T) {
	require.Equal(t, `aclPassword=
autoCreateTopicEnable=true
brokerId=0
brokerName=broker-a
brokerRole=ASYNC_MASTER
listenPort=10911
mappedFileSizeCommitLog=1073741824
ratio=1.0
serverChannelMaxIdleTimeSeconds=120
`, Format(newConfig()))
}

func TestSet(t *testing.T) {
	for _, c := range []struct {
		key, value, want string
		err              string // "" for none
		warning          bool
	}{
		{"brokerName", " x y \t", "x y", "", false},
		{"brokerName", "", "", "", false},
		{"brokerId", " 7 ", "7", "", false},
		{"brokerId", "-1", "-1", "", false},
		{"brokerId", "7a", "0", "brokerId=7a: not a whole number", false},
		{"brokerId", "", "0", "brokerId=: not a whole number", false},
		{"brokerId", "1.0", "0", "brokerId=1.0: not a whole number", false},
		{"brokerId", "9223372036854775808", "0", "brokerId=9223372036854775808: too large for 64 bits", false},
		{"serverChannelMaxIdleTimeSeconds", "2147483648", "120", "serverChannelMaxIdleTimeSeconds=2147483648: too large for 32 bits", false},
		{"autoCreateTopicEnable", "FALSE", "false", "", false},
		{"autoCreateTopicEnable", "TRUE", "true", "", false},
		{"autoCreateTopicEnable", "yes", "false", "autoCreateTopicEnable=yes: neither true nor false, counts as false", true},
		{"autoCreateTopicEnable", "", "false", "autoCreateTopicEnable=: neither true nor false, counts as false", true},
		{"brokerRole", "SLAVE", "SLAVE", "", false},
		{"brokerRole", "slave", "ASYNC_MASTER", "brokerRole=slave: not one of ASYNC_MASTER, SLAVE", false},
		{"ratio", "0.75", "0.75", "", false},
		{"ratio", "x", "1.0", "ratio=x: not a number", false},
		{"BrokerId", "7", "", "unknown key BrokerId", false},
		{"NotAKey", "7", "", "unknown key NotAKey", false},
	} {
		t.Run(c.key+"="+c.value, func(t *testing.T) {
			cfg := newConfig()
			err := Set(cfg, c.key, c.value)
			if c.err == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, c.err)
			}
			var warning *Warning
			require.Equal(t, c.warning, errors.As(err, &warning))
			got, known := Get(cfg, c.key)
			require.Equal(t, c.want, got)
			require.Equal(t, known, !errors.Is(err, ErrUnknownKey))
		})
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	require.Equal(t, "aclPassword=******", Show("aclPassword", "hunter2"))
	for _, key := range []string{"accessKey", "secretKey", "innerClientAuthenticationCredentials", "initAuthenticationUser", "tls.server.keyPassword", "metricsGrpcExporterHeader"} {
		require.True(t, Secret(key), key)
	}
	for _, key := range []string{"listenPort", "brokerName", "authenticationEnabled", "msgTraceTopicName"} {
		require.False(t, Secret(key), key)
	}
	type odd struct {
		Token int `conf:"token"`
	}
	require.NotContains(t, Set(&odd{}, "token", "hunter2").Error(), "hunter2")
}

func TestNearest(t *testing.T) {
	for key, want := range map[string]string{
		"autoCreateTopicEnabled": "autoCreateTopicEnable", "brokerID": "brokerId", "brokername": "brokerName", "listenPrt": "listenPort",
		"lsitenPort": "listenPort", "maxMessageSize": "", "x": "", "": "", "brokerRoll": "brokerRole",
	} {
		require.Equal(t, want, Nearest(newConfig(), key), key)
	}
}

func TestWrongStructsPanic(t *testing.T) {
	type twice struct {
		A int `conf:"a"`
		B int `conf:"a"`
	}
	type option struct {
		A int `conf:"a,warm"`
	}
	type kind struct {
		A []int `conf:"a"`
	}
	for _, cfg := range []any{twice{}, option{}, kind{}} {
		require.Panics(t, func() { Keys(cfg) }, fmt.Sprintf("%T", cfg))
	}
}

func TestRewriteFile(t *testing.T) {
	for _, c := range []struct {
		name, old, want string
		changes         map[string]string
	}{
		{"comments, order, spacing stay", "# my broker\nbrokerId = 0\n\n  ! two\nlistenPort:10911\n", "# my broker\nbrokerId=1\n\n  ! two\nlistenPort:10911\n", map[string]string{"brokerId": "1"}},
		{"same value stays as written", "brokerId = 0 \n", "brokerId = 0 \n", map[string]string{"brokerId": "0"}},
		{"new keys at the end, by name", "a=1", "a=1\nb=2\nc=3\n", map[string]string{"c": "3", "b": "2"}},
		{"empty file", "", "b=2\n", map[string]string{"b": "2"}},
		{"the last one counts", "a=1\na=2\n", "a=1\na=3\n", map[string]string{"a": "3"}},
		{"continued lines are replaced whole", "a=1,\\\n  2,\\\n  3\nb=4\n", "a=x\nb=4\n", map[string]string{"a": "x"}},
		{"line ends stay", "a=1\r\nb=2\r\n", "a=9\r\nb=2\r\n", map[string]string{"a": "9"}},
		{"escaped", "a=1\n", "a=C:\\\\x\\u00E9\n", map[string]string{"a": `C:\xé`}},
		{"an open end", "a=1\\", "a=1\\\n\nb=2\n", map[string]string{"b": "2"}},
		{"an open end with a line end", "a=1\\\n", "a=1\\\n\nb=2\n", map[string]string{"b": "2"}},
		{"bytes that are no UTF-8", "# \xe9\na=1\n", "# \xe9\na=2\n", map[string]string{"a": "2"}},
		{"nothing to do", "a=1", "a=1", nil},
		{"not to be parsed", "a=\\uzz\n", "a=\\uzz\na=1\n", map[string]string{"a": "1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, string(RewriteFile([]byte(c.old), c.changes)))
		})
	}
}

// Whatever stood in the file, afterwards the changed keys have their new values and all others the old ones.
func TestRewriteFileProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old := rapid.StringOf(rapid.SampledFrom([]rune("ab=: \t\\\n\r#!é"))).Draw(t, "old")
		changes := rapid.MapOf(rapid.SampledFrom([]string{"a", "b", "ab", "c d"}), rapid.StringOf(rapid.SampledFrom([]rune("x \\\n=é")))).Draw(t, "changes")
		want := valuesOf(t, []byte(old))
		for key, value := range changes {
			if was, ok := want[key]; !ok || was != value {
				want[key] = value
			}
		}
		got := valuesOf(t, RewriteFile([]byte(old), changes))
		for key, value := range changes {
			if got[key] != value { // a value that differs only in blanks around it is left as it was
				require.Equal(t, value, trimmed(got[key]))
				got[key] = value
			}
		}
		require.Equal(t, want, got)
	})
}

func trimmed(s string) string {
	type one struct {
		S string `conf:"s"`
	}
	var cfg one
	if err := Set(&cfg, "s", s); err != nil {
		return err.Error()
	}
	return cfg.S
}

func valuesOf(t *rapid.T, text []byte) map[string]string {
	properties, err := compat.ParseProperties(text)
	require.NoError(t, err)
	values := map[string]string{}
	for _, p := range properties {
		if p.Key != "" { // Java makes an empty key of a single backslash at the end, and only there
			values[p.Key] = p.Value
		}
	}
	return values
}
