// SPDX-License-Identifier: Apache-2.0

// config.go: what a NameServer is told at start. Java: NamesrvConfig, NettyServerConfig.
// Only keys tagged hot can be changed while it runs (admin.go).

package namesrv

import (
	"fmt"
	"os"
	"path/filepath"

	"rocketd/remoting"
)

// Config holds one NameServer's settings. The tags are the keys of a Java namesrv.conf.
type Config struct {
	ListenPort      int32  `conf:"listenPort,static"`
	BindAddress     string `conf:"bindAddress,static"`
	RocketmqHome    string `conf:"rocketmqHome,static"`
	KVConfigPath    string `conf:"kvConfigPath,static"`
	ConfigStorePath string `conf:"configStorePath,static"` // changes made while running are written here; empty: they are lost at the end
	ConfigBlackList string `conf:"configBlackList,static"`

	OrderMessageEnable                bool `conf:"orderMessageEnable,hot"`
	ReturnOrderTopicConfigToBroker    bool `conf:"returnOrderTopicConfigToBroker,hot"`
	SupportActingMaster               bool `conf:"supportActingMaster,hot"`
	EnableAllTopicList                bool `conf:"enableAllTopicList,hot"`
	EnableTopicList                   bool `conf:"enableTopicList,hot"`
	DeleteTopicWithBrokerRegistration bool `conf:"deleteTopicWithBrokerRegistration,hot"`

	NeedWaitForService    bool  `conf:"needWaitForService,hot"`
	WaitSecondsForService int32 `conf:"waitSecondsForService,hot"`

	ScanNotActiveBrokerIntervalMs int64 `conf:"scanNotActiveBrokerInterval,static"`

	// Requests in work, counted over all connections; route queries run on their connection's reader and are not among them.
	DefaultThreadPoolQueueCapacity int32 `conf:"defaultThreadPoolQueueCapacity,static"`

	// Limits that Java lacks. A registration is not authenticated, so what it can make us keep is bounded.
	MaxRegisteredBrokers int32 `conf:"maxRegisteredBrokers,hot"` // broker addresses
	MaxRegisteredTopics  int32 `conf:"maxRegisteredTopics,hot"`  // pairs of topic and broker name
	MaxKVConfigBytes     int32 `conf:"maxKvConfigBytes,hot"`     // keys and values of the KV table

	remoting.ServerConfig
}

// DefaultConfig returns Java's defaults.
func DefaultConfig() Config {
	return Config{
		ListenPort:                     9876,
		BindAddress:                    "0.0.0.0",
		RocketmqHome:                   os.Getenv("ROCKETMQ_HOME"),
		KVConfigPath:                   filepath.Join(userHome(), "namesrv", "kvConfig.json"),
		ConfigBlackList:                "configBlackList;configStorePath;kvConfigPath",
		ReturnOrderTopicConfigToBroker: true,
		EnableAllTopicList:             true,
		EnableTopicList:                true,
		WaitSecondsForService:          45,
		ScanNotActiveBrokerIntervalMs:  5000,
		DefaultThreadPoolQueueCapacity: 10000,
		MaxRegisteredBrokers:           10_000,
		MaxRegisteredTopics:            10_000_000,
		MaxKVConfigBytes:               16 << 20,
		ServerConfig:                   remoting.DefaultServerConfig(),
	}
}

// userHome is Java's user.home. Without one, paths are relative to the working directory.
func userHome() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return home
}

// Validate refuses settings that cannot work.
func (c *Config) Validate() error {
	for _, check := range []struct {
		key   string
		value int64
		min   int64
		max   int64
	}{
		{"listenPort", int64(c.ListenPort), 0, 65535},
		{"scanNotActiveBrokerInterval", c.ScanNotActiveBrokerIntervalMs, 1, 24 * 3600 * 1000},
		{"waitSecondsForService", int64(c.WaitSecondsForService), 0, 24 * 3600},
		{"defaultThreadPoolQueueCapacity", int64(c.DefaultThreadPoolQueueCapacity), 1, 1 << 30},
		{"maxRegisteredBrokers", int64(c.MaxRegisteredBrokers), 1, 1 << 30},
		{"maxRegisteredTopics", int64(c.MaxRegisteredTopics), 1, 1 << 30},
		{"maxKvConfigBytes", int64(c.MaxKVConfigBytes), 1, 1 << 30},
	} {
		if check.value < check.min || check.value > check.max {
			return fmt.Errorf("%s=%d: must be between %d and %d", check.key, check.value, check.min, check.max)
		}
	}
	if c.KVConfigPath == "" {
		return fmt.Errorf("kvConfigPath: must not be empty")
	}
	return c.ServerConfig.Validate()
}
