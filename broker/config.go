// SPDX-License-Identifier: Apache-2.0

// The broker's configuration: Java's BrokerConfig keys here, those of
// MessageStoreConfig and NettyServerConfig with their owners, all flat in one
// properties file. Keys tagged `hot` are the only ones that a running broker
// lets UPDATE_BROKER_CONFIG change; a path, a class name, a port, a credential
// or a security switch is never one of them.

package broker

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"time"

	"rocketd/broker/delay"
	"rocketd/broker/filter"
	"rocketd/protocol"
	"rocketd/remoting"
	"rocketd/store"
)

// Config is everything that broker.conf can say. Field comments name only what
// the key does not.
type Config struct {
	store.Config
	remoting.ServerConfig

	BrokerClusterName string `conf:"brokerClusterName,static"`
	BrokerName        string `conf:"brokerName,static"` // empty: the host's name
	BrokerID          int64  `conf:"brokerId,static"`
	BrokerIP1         string `conf:"brokerIP1,static"` // the address clients are told; empty: the host's
	BrokerIP2         string `conf:"brokerIP2,static"` // the address replicas are told; empty: as brokerIP1
	NamesrvAddr       string `conf:"namesrvAddr,static"`
	ListenPort        int32  `conf:"listenPort,static"` // listenPort-2 serves the same (the VIP channel)
	BindAddress       string `conf:"bindAddress,static"`
	RocketmqHome      string `conf:"rocketmqHome,static"`
	ConfigBlackList   string `conf:"configBlackList,static"` // keys that no request may change, ';' between
	HAListenPort      int32  `conf:"haListenPort,static"`    // 0: listenPort+1

	BrokerPermission               int32  `conf:"brokerPermission,hot"`
	RegisterNameServerPeriod       int32  `conf:"registerNameServerPeriod,hot"`
	RegisterBrokerTimeoutMills     int32  `conf:"registerBrokerTimeoutMills,hot"`
	CompressedRegister             bool   `conf:"compressedRegister,static"`
	RegionID                       string `conf:"regionId,static"`
	TraceOn                        bool   `conf:"traceOn,hot"`
	StartAcceptSendRequestTimeMs   int64  `conf:"startAcceptSendRequestTimeStamp,hot"`
	EnableDLegerCommitLog          bool   `conf:"enableDLegerCommitLog,static"`
	EnableControllerMode           bool   `conf:"enableControllerMode,static"`
	AutoCreateTopicEnable          bool   `conf:"autoCreateTopicEnable,hot"`
	DefaultTopicQueueNums          int32  `conf:"defaultTopicQueueNums,hot"`
	AutoCreateSubscriptionGroup    bool   `conf:"autoCreateSubscriptionGroup,hot"`
	ClusterTopicEnable             bool   `conf:"clusterTopicEnable,static"`
	BrokerTopicEnable              bool   `conf:"brokerTopicEnable,static"`
	TraceTopicEnable               bool   `conf:"traceTopicEnable,static"`
	MsgTraceTopicName              string `conf:"msgTraceTopicName,static"`
	ValidateSystemTopicWhenUpdate  bool   `conf:"validateSystemTopicWhenUpdateTopic,hot"`
	ClearRetryTopicWhenDeleteTopic bool   `conf:"clearRetryTopicWhenDeleteTopic,hot"`
	ReviveQueueNum                 int32  `conf:"reviveQueueNum,static"`

	SendThreadPoolQueueCapacity            int32 `conf:"sendThreadPoolQueueCapacity,static"`
	PullThreadPoolQueueCapacity            int32 `conf:"pullThreadPoolQueueCapacity,static"`
	LitePullThreadPoolQueueCapacity        int32 `conf:"litePullThreadPoolQueueCapacity,static"`
	AckThreadPoolQueueCapacity             int32 `conf:"ackThreadPoolQueueCapacity,static"`
	ReplyThreadPoolQueueCapacity           int32 `conf:"replyThreadPoolQueueCapacity,static"`
	QueryThreadPoolQueueCapacity           int32 `conf:"queryThreadPoolQueueCapacity,static"`
	ClientManagerThreadPoolQueueCapacity   int32 `conf:"clientManagerThreadPoolQueueCapacity,static"`
	ConsumerManagerThreadPoolQueueCapacity int32 `conf:"consumerManagerThreadPoolQueueCapacity,static"`
	HeartbeatThreadPoolQueueCapacity       int32 `conf:"heartbeatThreadPoolQueueCapacity,static"`
	EndTransactionPoolQueueCapacity        int32 `conf:"endTransactionPoolQueueCapacity,static"`
	AdminBrokerThreadPoolQueueCapacity     int32 `conf:"adminBrokerThreadPoolQueueCapacity,static"`
	LoadBalanceThreadPoolQueueCapacity     int32 `conf:"loadBalanceThreadPoolQueueCapacity,static"`
	ChannelExpiredTimeout                  int64 `conf:"channelExpiredTimeout,static"`
	FlushConsumerOffsetInterval            int32 `conf:"flushConsumerOffsetInterval,static"`
	LongPollingEnable                      bool  `conf:"longPollingEnable,hot"`
	ShortPollingTimeMills                  int64 `conf:"shortPollingTimeMills,hot"`
	NotifyConsumerIDsChangedEnable         bool  `conf:"notifyConsumerIdsChangedEnable,hot"`
	EnablePropertyFilter                   bool  `conf:"enablePropertyFilter,static"`
	FilterSupportRetry                     bool  `conf:"filterSupportRetry,static"`
	EnableCalcFilterBitMap                 bool  `conf:"enableCalcFilterBitMap,hot"`
	ExpectConsumerNumUseFilter             int32 `conf:"expectConsumerNumUseFilter,static"`
	MaxErrorRateOfBloomFilter              int32 `conf:"maxErrorRateOfBloomFilter,static"`
	LitePullMessageEnable                  bool  `conf:"litePullMessageEnable,hot"`
	RejectPullConsumerEnable               bool  `conf:"rejectPullConsumerEnable,hot"`
	UseServerSideResetOffset               bool  `conf:"useServerSideResetOffset,static"`
	EnableBroadcastOffsetStore             bool  `conf:"enableBroadcastOffsetStore,hot"`
	BroadcastOffsetExpireSecond            int64 `conf:"broadcastOffsetExpireSecond,hot"`
	BroadcastOffsetExpireMaxSecond         int64 `conf:"broadcastOffsetExpireMaxSecond,hot"`
	StoreReplyMessageEnable                bool  `conf:"storeReplyMessageEnable,static"`
	RejectTransactionMessage               bool  `conf:"rejectTransactionMessage,hot"`
	TransactionTimeOut                     int64 `conf:"transactionTimeOut,hot"`
	TransactionCheckMax                    int32 `conf:"transactionCheckMax,hot"`
	TransactionCheckInterval               int64 `conf:"transactionCheckInterval,hot"`
	TransactionOpMsgMaxSize                int32 `conf:"transactionOpMsgMaxSize,hot"`
	TransactionOpBatchInterval             int64 `conf:"transactionOpBatchInterval,hot"`
	RecallMessageEnable                    bool  `conf:"recallMessageEnable,hot"`
	AllowRecallWhenBrokerNotWriteable      bool  `conf:"allowRecallWhenBrokerNotWriteable,hot"`
	TimerPrecisionMs                       int32 `conf:"timerPrecisionMs,static"`
	TimerRollWindowSlot                    int32 `conf:"timerRollWindowSlot,static"`
	TimerMaxDelaySec                       int32 `conf:"timerMaxDelaySec,hot"`
	TimerFlushIntervalMs                   int32 `conf:"timerFlushIntervalMs,hot"`
	TimerCongestNumEachSlot                int32 `conf:"timerCongestNumEachSlot,hot"`
	TimerStopEnqueue                       bool  `conf:"timerStopEnqueue,hot"`
	TimerStopDequeue                       bool  `conf:"timerStopDequeue,hot"`
	MappedFileSizeTimerLog                 int32 `conf:"mappedFileSizeTimerLog,static"`
	AuthenticationEnabled                  bool  `conf:"authenticationEnabled,static"`
	AuthorizationEnabled                   bool  `conf:"authorizationEnabled,static"`
	ACLEnable                              bool  `conf:"aclEnable,static"`
}

// DefaultConfig returns what Java 5.5.0 starts with when broker.conf is empty.
func DefaultConfig() Config {
	return Config{
		Config:       store.DefaultConfig(),
		ServerConfig: remoting.DefaultServerConfig(),

		BrokerClusterName: "DefaultCluster",
		ListenPort:        10911,
		BindAddress:       "0.0.0.0",
		ConfigBlackList:   "configBlackList;brokerConfigPath",

		BrokerPermission:               protocol.PermRead | protocol.PermWrite,
		RegisterNameServerPeriod:       30_000,
		RegisterBrokerTimeoutMills:     24_000,
		RegionID:                       "DefaultRegion",
		TraceOn:                        true,
		AutoCreateTopicEnable:          true,
		DefaultTopicQueueNums:          8,
		AutoCreateSubscriptionGroup:    true,
		ClusterTopicEnable:             true,
		BrokerTopicEnable:              true,
		MsgTraceTopicName:              "RMQ_SYS_TRACE_TOPIC",
		ValidateSystemTopicWhenUpdate:  true,
		ClearRetryTopicWhenDeleteTopic: true,
		ReviveQueueNum:                 8,

		SendThreadPoolQueueCapacity:            10_000,
		PullThreadPoolQueueCapacity:            100_000,
		LitePullThreadPoolQueueCapacity:        100_000,
		AckThreadPoolQueueCapacity:             100_000,
		ReplyThreadPoolQueueCapacity:           10_000,
		QueryThreadPoolQueueCapacity:           20_000,
		ClientManagerThreadPoolQueueCapacity:   1_000_000,
		ConsumerManagerThreadPoolQueueCapacity: 1_000_000,
		HeartbeatThreadPoolQueueCapacity:       50_000,
		EndTransactionPoolQueueCapacity:        100_000,
		AdminBrokerThreadPoolQueueCapacity:     10_000,
		LoadBalanceThreadPoolQueueCapacity:     100_000,
		ChannelExpiredTimeout:                  120_000,
		FlushConsumerOffsetInterval:            5_000,
		LongPollingEnable:                      true,
		ShortPollingTimeMills:                  1_000,
		ExpectConsumerNumUseFilter:             32,
		MaxErrorRateOfBloomFilter:              20,
		NotifyConsumerIDsChangedEnable:         true,
		LitePullMessageEnable:                  true,
		UseServerSideResetOffset:               true,
		EnableBroadcastOffsetStore:             true,
		BroadcastOffsetExpireSecond:            120,
		BroadcastOffsetExpireMaxSecond:         300,
		StoreReplyMessageEnable:                true,
		TransactionTimeOut:                     6_000,
		TransactionCheckMax:                    15,
		TransactionCheckInterval:               30_000,
		TransactionOpMsgMaxSize:                4096,
		TransactionOpBatchInterval:             3_000,
		AllowRecallWhenBrokerNotWriteable:      true,
		TimerPrecisionMs:                       1_000,
		TimerRollWindowSlot:                    172_800,
		TimerMaxDelaySec:                       259_200,
		TimerFlushIntervalMs:                   1_000,
		TimerCongestNumEachSlot:                math.MaxInt32,
		MappedFileSizeTimerLog:                 100 << 20,
	}
}

// plainName is what a name may hold that becomes part of topic names and of
// the name server's tables. Java takes any text and breaks later.
var plainName = regexp.MustCompile(`^[%|a-zA-Z0-9_.-]+$`)

// Validate reports the first key whose value the broker cannot run with.
func (c *Config) Validate() error {
	switch {
	case c.BrokerClusterName == "" || !plainName.MatchString(c.BrokerClusterName):
		return fmt.Errorf("brokerClusterName=%q: a name of letters, digits, '_', '-', '.', '%%' and '|' is needed", c.BrokerClusterName)
	case c.BrokerName != "" && !plainName.MatchString(c.BrokerName):
		return fmt.Errorf("brokerName=%q: only letters, digits, '_', '-', '.', '%%' and '|' may stand in it", c.BrokerName)
	case c.ListenPort < 0 || c.ListenPort > 65535 || c.ListenPort == 1 || c.ListenPort == 2:
		return fmt.Errorf("listenPort=%d: a port from 3 to 65535 is needed (listenPort-2 is served too)", c.ListenPort)
	case c.BrokerPermission < 0 || c.BrokerPermission > 7:
		return fmt.Errorf("brokerPermission=%d: 2 (write), 4 (read) or 6 (both) is meant", c.BrokerPermission)
	case c.DefaultTopicQueueNums < 1:
		return fmt.Errorf("defaultTopicQueueNums=%d: at least 1 is needed", c.DefaultTopicQueueNums)
	}
	for _, ip := range [...]struct{ key, value string }{{"brokerIP1", c.BrokerIP1}, {"brokerIP2", c.BrokerIP2}} {
		if len(ip.value) > 0 && !plainHost(ip.value) {
			return fmt.Errorf("%s=%q is neither an address nor a host name", ip.key, ip.value)
		}
	}
	if err := errors.Join(c.refuseUnserved(), c.validateTimer()); err != nil {
		return err
	}
	_, err := filter.NewBloom(c.MaxErrorRateOfBloomFilter, c.ExpectConsumerNumUseFilter)
	return errors.Join(err, c.Config.Validate(), c.ServerConfig.Validate())
}

func (c *Config) validateTimer() error {
	switch {
	case c.TimerPrecisionMs < 1:
		return fmt.Errorf("timerPrecisionMs=%d: at least 1 is needed", c.TimerPrecisionMs)
	case int64(c.TimerPrecisionMs)*int64(delay.RollSlots(c.TimerRollWindowSlot)) > math.MaxInt32:
		return fmt.Errorf("timerPrecisionMs=%d, timerRollWindowSlot=%d: their product must not be more than %d (milliseconds)", c.TimerPrecisionMs, c.TimerRollWindowSlot, math.MaxInt32)
	case c.MappedFileSizeTimerLog < delay.LeastTimerLogBytes:
		return fmt.Errorf("mappedFileSizeTimerLog=%d: at least %d is needed", c.MappedFileSizeTimerLog, delay.LeastTimerLogBytes)
	}
	return nil
}

// refuseUnserved stops the start of a broker that was told to be something it
// cannot be: running on as an ordinary master would silently break a promise
// that the operator relies on.
func (c *Config) refuseUnserved() error {
	switch {
	case c.BrokerID != 0 || c.BrokerRole == store.Slave:
		return fmt.Errorf("brokerId=%d, brokerRole=%s: only a master (brokerId=0) can be run", c.BrokerID, c.BrokerRole)
	case c.EnableDLegerCommitLog:
		return fmt.Errorf("enableDLegerCommitLog=true: DLedger commit logs are not supported: let consumers finish with Java, switch the key off and begin with an empty directory")
	case c.EnableControllerMode:
		return fmt.Errorf("enableControllerMode=true: the controller mode is not supported")
	case c.AuthenticationEnabled, c.AuthorizationEnabled, c.ACLEnable:
		return fmt.Errorf("authenticationEnabled, authorizationEnabled and aclEnable: access control is not supported, and a broker told to check must not run open")
	}
	return nil
}

// plainHost says whether s is an address, an IPv6 one in brackets too, or a name.
func plainHost(s string) bool {
	if ip, err := netip.ParseAddr(remoting.BareHost(s)); err == nil {
		return s == ip.String() || ip.Is6()
	}
	return plainName.MatchString(s)
}

// withHost fills what an empty configuration leaves to the machine.
func (c Config) withHost(h Host) Config {
	if c.BrokerName == "" {
		c.BrokerName = h.Name
	}
	if c.BrokerName == "" {
		c.BrokerName = "DEFAULT_BROKER"
	}
	if c.BrokerIP1 == "" {
		c.BrokerIP1 = h.IP
	}
	if c.BrokerIP1 == "" {
		c.BrokerIP1 = "127.0.0.1"
	}
	if c.BrokerIP2 == "" {
		c.BrokerIP2 = c.BrokerIP1
	}
	if c.HAListenPort == 0 {
		c.HAListenPort = c.ListenPort + 1
	}
	return c
}

// registerPeriod is registerNameServerPeriod held between 10 and 60 s, as in Java.
func (c *Config) registerPeriod() time.Duration {
	return time.Duration(min(max(c.RegisterNameServerPeriod, 10_000), 60_000)) * time.Millisecond
}
