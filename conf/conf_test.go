// SPDX-License-Identifier: Apache-2.0

package conf

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/internal/settings"
)

type level string

func (l level) MarshalText() ([]byte, error) { return []byte(l), nil }
func (l *level) UnmarshalText(text []byte) error {
	if !slices.Contains([]string{"ASYNC_MASTER", "SYNC_MASTER", "SLAVE", "ASYNC_FLUSH", "SYNC_FLUSH"}, string(text)) {
		return fmt.Errorf("no such constant")
	}
	*l = level(text)
	return nil
}

type brokerConfig struct {
	Cluster    string `conf:"brokerClusterName"`
	Name       string `conf:"brokerName"`
	ID         int64  `conf:"brokerId"`
	Auto       bool   `conf:"autoCreateTopicEnable"`
	ListenPort int32  `conf:"listenPort"`
	Password   int32  `conf:"keyPassword"`
}

type storeConfig struct {
	DeleteWhen   string `conf:"deleteWhen"`
	ReservedTime int    `conf:"fileReservedTime"`
	Role         level  `conf:"brokerRole"`
	Flush        level  `conf:"flushDiskType"`
	ListenPort   int32  `conf:"listenPort"`
}

func mustWrite(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "broker.conf")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestLoad(t *testing.T) {
	path := mustWrite(t, `# my broker
brokerName = broker-a\
  -1
brokerId=0
brokerId = 3 
brokername=other
autoCreateTopicEnabled=true
autoCreateTopicEnable=yes
listenPort:10921
flushDiskType=SYNC_FLUSH
storePathIndex=/data/index
useEpollNativeSelector=true
tls.server.mode=permissive
deleteWhen=${hour}
plain
`)
	broker, store := brokerConfig{Cluster: "DefaultCluster", Auto: true}, storeConfig{ReservedTime: 72}
	report, err := Load(path, &broker, &store)
	require.NoError(t, err)
	require.Equal(t, brokerConfig{Cluster: "DefaultCluster", Name: "broker-a-1", ID: 3, ListenPort: 10921}, broker)
	require.Equal(t, storeConfig{DeleteWhen: "${hour}", ReservedTime: 72, Flush: "SYNC_FLUSH", ListenPort: 10921}, store)
	require.Equal(t, Report{
		Unknown: []UnknownKey{
			{"brokername", "brokerName", 6}, {"autoCreateTopicEnabled", "autoCreateTopicEnable", 7}, {"tls.server.mode", "", 13}, {"plain", "", 15},
		},
		Ignored: []string{"storePathIndex", "useEpollNativeSelector"},
		Warnings: []string{
			path + ":5: brokerId occurs 2 times, this last one counts",
			path + ":8: autoCreateTopicEnable=yes: neither true nor false, counts as false",
		},
	}, report)
}

func TestLoadRefuses(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string // after the path
	}{
		{"brokerId=0x1\n\nlistenPort=70000000000\n", []string{":1: brokerId=0x1: not a whole number", ":3: listenPort=70000000000: too large for 32 bits"}},
		{"flushDiskType=sync", []string{":1: flushDiskType=sync: no such constant"}},
		{"a=1\nb=\\u00", []string{": line 2: malformed \\uxxxx encoding"}},
		{"keyPassword=hunter2", []string{":1: keyPassword=******: not a whole number"}},
	} {
		path := mustWrite(t, c.text)
		_, err := Load(path, &brokerConfig{}, &storeConfig{})
		require.Error(t, err, c.text)
		got := strings.Split(err.Error(), "\n")
		for _, want := range c.want {
			require.Contains(t, got, path+want)
		}
	}
	_, err := Load(filepath.Join(t.TempDir(), "none.conf"), &brokerConfig{})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "none.conf")
}

func TestEmptyFile(t *testing.T) {
	report, err := Load(mustWrite(t, "# nothing\n\\"), &brokerConfig{})
	require.NoError(t, err)
	require.Zero(t, report)
}

// The number of keys per class is what the reference counts in the released jars, setters of parents included.
func TestIgnored(t *testing.T) {
	for want, keys := range map[int][]string{242: brokerKeys, 215: storeKeys, 18: nettyServerKeys, 20: nettyClientKeys, 26: authKeys, 22: namesrvKeys} {
		require.Len(t, keys, want)
	}
	all := Ignored()
	require.True(t, slices.IsSorted(all))
	for _, key := range []string{"dLegerGroup", "jRaftGroupId", "useTLS", "brokerIP1", "storePathConsumeQueue", "bindAddress", "authConfigPath"} {
		require.Contains(t, all, key)
	}
	ignored := Ignored(brokerConfig{}, &storeConfig{})
	require.NotContains(t, ignored, "brokerName")
	require.NotContains(t, ignored, "deleteWhen")
	require.Len(t, ignored, len(all)-9, "ten keys are served, one of which Java does not know")
	lower := map[string]string{}
	for _, key := range all {
		require.NotContains(t, lower, strings.ToLower(key), "viper could not tell it from another key")
		lower[strings.ToLower(key)] = key
	}
}

func TestSamples(t *testing.T) {
	patterns := []string{"*.conf", "2m-*/*.properties"}
	var paths []string
	for _, pattern := range patterns {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		paths = append(paths, found...)
	}
	require.Len(t, paths, 12)
	for _, path := range paths {
		t.Run(path, func(t *testing.T) {
			var broker brokerConfig
			var store storeConfig
			report, err := Load(path, &broker, &store)
			require.NoError(t, err)
			require.Zero(t, report)
			if path == "namesrv.conf" {
				require.EqualValues(t, 9876, broker.ListenPort)
				return
			}
			slave := strings.Contains(path, "-s.")
			want := brokerConfig{Cluster: "DefaultCluster", Name: strings.TrimSuffix(strings.TrimSuffix(filepath.Base(path), ".properties"), "-s")}
			role := level("ASYNC_MASTER")
			switch {
			case path == "broker.conf":
				want.Name = "broker-a"
			case slave:
				role, want.ID = "SLAVE", 1
			case strings.HasPrefix(path, "2m-2s-sync"):
				role = "SYNC_MASTER"
			}
			require.Equal(t, want, broker)
			require.Equal(t, storeConfig{DeleteWhen: "04", ReservedTime: 48, Role: role, Flush: "ASYNC_FLUSH"}, store)
		})
	}
}

// A file of all keys, as request 26 prints it and Java persists it, loads without a word.
func TestLoadsWhatFormatPrints(t *testing.T) {
	want := brokerConfig{Cluster: "c", Name: "b", ID: 5, Auto: true, ListenPort: 1}
	var got brokerConfig
	report, err := Load(mustWrite(t, settings.Format(&want)), &got)
	require.NoError(t, err)
	require.Zero(t, report)
	require.Equal(t, want, got)
}
