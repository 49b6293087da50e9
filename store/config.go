// SPDX-License-Identifier: Apache-2.0

// The store's settings: keys, defaults and limits are those of Java's
// MessageStoreConfig, except the three marked as ours.

package store

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// minSegmentBytes is the least size of a commit-log file.
const minSegmentBytes = 1024

// FlushDiskType says whether a put waits for the disk.
type FlushDiskType int

const (
	AsyncFlush FlushDiskType = iota
	SyncFlush
)

func (t FlushDiskType) String() string {
	if t == SyncFlush {
		return "SYNC_FLUSH"
	}
	return "ASYNC_FLUSH"
}

func (t FlushDiskType) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

func (t *FlushDiskType) UnmarshalText(b []byte) error {
	switch string(b) {
	case "ASYNC_FLUSH":
		*t = AsyncFlush
	case "SYNC_FLUSH":
		*t = SyncFlush
	default:
		return fmt.Errorf("%q is neither ASYNC_FLUSH nor SYNC_FLUSH", b)
	}
	return nil
}

// Role is the broker's place in its replication group.
type Role int

const (
	AsyncMaster Role = iota
	SyncMaster
	Slave
)

var roleNames = [...]string{"ASYNC_MASTER", "SYNC_MASTER", "SLAVE"}

func (r Role) String() string { return roleNames[r] }

func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

func (r *Role) UnmarshalText(b []byte) error {
	for i, name := range roleNames {
		if string(b) == name {
			*r = Role(i)
			return nil
		}
	}
	return fmt.Errorf("%q is none of ASYNC_MASTER, SYNC_MASTER, SLAVE", b)
}

// Config is what the store can be told. Times are in milliseconds unless the
// key says otherwise, as in Java's file.
type Config struct {
	StorePathRootDir   string `conf:"storePathRootDir,static"`
	StorePathCommitLog string `conf:"storePathCommitLog,static"` // several with ',' between; empty: commitlog under the root
	StoreType          string `conf:"storeType,static"`

	ReadOnlyCommitLogStorePaths string `conf:"readOnlyCommitLogStorePaths,static"` // they get no new files

	CommitLogFileSize    int64 `conf:"mappedFileSizeCommitLog,static"`
	ConsumeQueueFileSize int64 `conf:"mappedFileSizeConsumeQueue,static"`

	EnableConsumeQueueExt   bool  `conf:"enableConsumeQueueExt,static"`
	ConsumeQueueExtFileSize int64 `conf:"mappedFileSizeConsumeQueueExt,static"`
	ConsumeQueueExtBits     int   `conf:"bitMapLengthConsumeQueueExt,static"`

	BrokerRole         Role `conf:"brokerRole,static"`
	OffsetCheckInSlave bool `conf:"offsetCheckInSlave,hot"`

	FlushDiskType FlushDiskType `conf:"flushDiskType,static"`

	FlushIntervalCommitLog         int `conf:"flushIntervalCommitLog,hot"`
	FlushCommitLogLeastPages       int `conf:"flushCommitLogLeastPages,hot"`
	FlushCommitLogThoroughInterval int `conf:"flushCommitLogThoroughInterval,hot"`

	FlushIntervalConsumeQueue         int `conf:"flushIntervalConsumeQueue,hot"`
	FlushConsumeQueueLeastPages       int `conf:"flushConsumeQueueLeastPages,hot"`
	FlushConsumeQueueThoroughInterval int `conf:"flushConsumeQueueThoroughInterval,hot"`

	SyncFlushTimeout int `conf:"syncFlushTimeout,hot"`

	FileReservedTime            int    `conf:"fileReservedTime,hot"` // hours
	DeleteWhen                  string `conf:"deleteWhen,hot"`       // hours of the day, ';' between
	DiskMaxUsedSpaceRatio       int    `conf:"diskMaxUsedSpaceRatio,hot"`
	DiskSpaceCleanForciblyRatio int    `conf:"diskSpaceCleanForciblyRatio,hot"`
	DiskSpaceWarningLevelRatio  int    `conf:"diskSpaceWarningLevelRatio,hot"`
	CleanFileForciblyEnable     bool   `conf:"cleanFileForciblyEnable,hot"`
	CleanResourceInterval       int    `conf:"cleanResourceInterval,hot"`

	DeleteCommitLogFilesInterval    int `conf:"deleteCommitLogFilesInterval,hot"`
	DeleteConsumeQueueFilesInterval int `conf:"deleteConsumeQueueFilesInterval,hot"`
	DeleteFileBatchMax              int `conf:"deleteFileBatchMax,hot"`

	MaxMessageSize               int  `conf:"maxMessageSize,hot"`
	MaxTopicLength               int  `conf:"maxTopicLength,hot"`
	AutoMessageVersionOnTopicLen bool `conf:"autoMessageVersionOnTopicLen,static"`
	CheckCRCOnRecover            bool `conf:"checkCRCOnRecover,static"`
	EnabledAppendPropCRC         bool `conf:"enabledAppendPropCRC,static"` // records end with a checksum of all that is in them
	ForceVerifyPropCRC           bool `conf:"forceVerifyPropCRC,static"`   // recovery looks at it where a record has one

	MaxTransferBytesOnMessageInMemory int `conf:"maxTransferBytesOnMessageInMemory,hot"`
	MaxTransferCountOnMessageInMemory int `conf:"maxTransferCountOnMessageInMemory,hot"`
	MaxTransferBytesOnMessageInDisk   int `conf:"maxTransferBytesOnMessageInDisk,hot"`
	MaxTransferCountOnMessageInDisk   int `conf:"maxTransferCountOnMessageInDisk,hot"`
	AccessMessageInMemoryMaxRatio     int `conf:"accessMessageInMemoryMaxRatio,hot"` // percent of RAM
	MaxFilterMessageSize              int `conf:"maxFilterMessageSize,hot"`

	MessageIndexEnable bool `conf:"messageIndexEnable,static"`
	MessageIndexSafe   bool `conf:"messageIndexSafe,static"`
	MaxHashSlotNum     int  `conf:"maxHashSlotNum,static"`
	MaxIndexNum        int  `conf:"maxIndexNum,static"`
	MaxMsgsNumBatch    int  `conf:"maxMsgsNumBatch,hot"`
	DefaultQueryMaxNum int  `conf:"defaultQueryMaxNum,hot"`

	EnableLmq           bool `conf:"enableLmq,static"` // light queues, which take both keys
	EnableMultiDispatch bool `conf:"enableMultiDispatch,static"`

	MessageDelayLevel        string `conf:"messageDelayLevel,static"`
	FlushDelayOffsetInterval int    `conf:"flushDelayOffsetInterval,static"`

	OSPageCacheBusyTimeout int `conf:"osPageCacheBusyTimeOutMills,hot"`

	TimerWheelEnable bool `conf:"timerWheelEnable,static"`

	// Ours. The number of consume-queue units that may wait in memory to be
	// written to their files; when that many wait, appenders wait.
	QueueTailMaxUnits int `conf:"queueTailMaxUnits,static"`
	// Ours. How many consume-queue files may be open at a time.
	MaxOpenQueueFiles int `conf:"maxOpenQueueFiles,hot"`
	// Ours. How the commit log is written: "mmap", "pwrite", or "auto": pwrite with SYNC_FLUSH, else mmap.
	CommitLogWritePath string `conf:"commitLogWritePath,static"`
	// Ours. How many bytes of a commit-log file get disk blocks at a time.
	CommitLogAllocateStep int64 `conf:"commitLogAllocateStep,static"`
}

// DefaultConfig is Java's configuration. The root directory is left empty: who
// opens the store knows the user's home.
func DefaultConfig() Config {
	return Config{
		StoreType:                         "default",
		CommitLogFileSize:                 1 << 30,
		ConsumeQueueFileSize:              300000 * unitBytes,
		ConsumeQueueExtFileSize:           48 << 20,
		ConsumeQueueExtBits:               64,
		FlushIntervalCommitLog:            500,
		FlushCommitLogLeastPages:          4,
		FlushCommitLogThoroughInterval:    10000,
		FlushIntervalConsumeQueue:         1000,
		FlushConsumeQueueLeastPages:       2,
		FlushConsumeQueueThoroughInterval: 60000,
		SyncFlushTimeout:                  5000,
		FileReservedTime:                  72,
		DeleteWhen:                        "04",
		DiskMaxUsedSpaceRatio:             75,
		DiskSpaceCleanForciblyRatio:       85,
		DiskSpaceWarningLevelRatio:        90,
		CleanFileForciblyEnable:           true,
		CleanResourceInterval:             10000,
		DeleteCommitLogFilesInterval:      100,
		DeleteConsumeQueueFilesInterval:   100,
		DeleteFileBatchMax:                10,
		MaxMessageSize:                    4 << 20,
		MaxTopicLength:                    127,
		AutoMessageVersionOnTopicLen:      true,
		CheckCRCOnRecover:                 true,
		MaxTransferBytesOnMessageInMemory: 256 << 10,
		MaxTransferCountOnMessageInMemory: 32,
		MaxTransferBytesOnMessageInDisk:   64 << 10,
		MaxTransferCountOnMessageInDisk:   8,
		AccessMessageInMemoryMaxRatio:     40,
		MaxFilterMessageSize:              16000,
		MessageIndexEnable:                true,
		MaxHashSlotNum:                    5000000,
		MaxIndexNum:                       5000000 * 4,
		MaxMsgsNumBatch:                   64,
		DefaultQueryMaxNum:                32,
		MessageDelayLevel:                 "1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h",
		FlushDelayOffsetInterval:          10000,
		OSPageCacheBusyTimeout:            1000,
		TimerWheelEnable:                  true,
		QueueTailMaxUnits:                 1 << 19,
		MaxOpenQueueFiles:                 4096,
		CommitLogWritePath:                "auto",
		CommitLogAllocateStep:             16 << 20,
	}
}

// pwrites says whether the commit log is written by system calls, and not through its mapping.
func (c *Config) pwrites() bool {
	if c.CommitLogWritePath == "auto" {
		return c.FlushDiskType == SyncFlush
	}
	return c.CommitLogWritePath == "pwrite"
}

// Validate reports the first setting that the store cannot work with.
func (c *Config) Validate() error {
	switch {
	case c.StorePathRootDir == "":
		return fmt.Errorf("storePathRootDir is empty")
	case c.EnableLmq && c.EnableMultiDispatch:
		return fmt.Errorf("enableLmq=true and enableMultiDispatch=true: light queues are not supported, and messages for them would reach nobody")
	case c.StoreType != "default":
		return fmt.Errorf("storeType=%s is not supported: set storeType=default, with which the consume queues are built anew from the commit log", c.StoreType)
	case c.CommitLogFileSize < minSegmentBytes || c.CommitLogFileSize > 1<<31-1:
		return fmt.Errorf("mappedFileSizeCommitLog=%d is not between 1024 and 2147483647", c.CommitLogFileSize)
	case c.ConsumeQueueFileSize < unitBytes || c.ConsumeQueueFileSize > 1<<31-1:
		return fmt.Errorf("mappedFileSizeConsumeQueue=%d is not between %d and 2147483647", c.ConsumeQueueFileSize, unitBytes)
	case c.ConsumeQueueExtFileSize < extHeadBytes+extEndBytes || c.ConsumeQueueExtFileSize > 1<<31-1:
		return fmt.Errorf("mappedFileSizeConsumeQueueExt=%d is not between %d and 2147483647", c.ConsumeQueueExtFileSize, extHeadBytes+extEndBytes)
	case c.MaxMessageSize < 1:
		return fmt.Errorf("maxMessageSize=%d is not positive", c.MaxMessageSize)
	case c.MaxHashSlotNum < 1 || c.MaxIndexNum < 2:
		return fmt.Errorf("maxHashSlotNum=%d or maxIndexNum=%d is too small", c.MaxHashSlotNum, c.MaxIndexNum)
	case c.FileReservedTime < 0:
		return fmt.Errorf("fileReservedTime=%d is negative: all files but the newest would go; to keep them, give deleteWhen an hour that no day has, such as 25", c.FileReservedTime)
	case c.MaxOpenQueueFiles < 1:
		return fmt.Errorf("maxOpenQueueFiles=%d is not positive", c.MaxOpenQueueFiles)
	case c.QueueTailMaxUnits < 1:
		return fmt.Errorf("queueTailMaxUnits=%d is not positive", c.QueueTailMaxUnits)
	case c.CommitLogAllocateStep < 4096:
		return fmt.Errorf("commitLogAllocateStep=%d is below 4096", c.CommitLogAllocateStep)
	case c.CommitLogWritePath != "auto" && c.CommitLogWritePath != "mmap" && c.CommitLogWritePath != "pwrite":
		return fmt.Errorf("commitLogWritePath=%s is none of auto, mmap and pwrite", c.CommitLogWritePath)
	}
	_, err := c.DelayLevels()
	if err == nil {
		_, err = c.deleteHours()
	}
	if err == nil {
		err = c.validatePaths()
	}
	return err
}

// deleteHours is deleteWhen taken apart. Hours that no day has are never
// reached, which is how some switch deletion by age off.
func (c *Config) deleteHours() ([]int, error) {
	var hours []int
	for _, text := range strings.Split(c.DeleteWhen, ";") {
		if text = strings.TrimSpace(text); text == "" && strings.Contains(c.DeleteWhen, ";") {
			continue
		}
		hour, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("deleteWhen=%s: %q is not an hour of the day", c.DeleteWhen, text)
		}
		hours = append(hours, hour)
	}
	return hours, nil
}

// DelayLevels is messageDelayLevel taken apart: element 0 is level 1.
func (c *Config) DelayLevels() ([]time.Duration, error) {
	units := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}
	var levels []time.Duration
	for _, text := range strings.Split(c.MessageDelayLevel, " ") {
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		unit, ok := units[text[len(text)-1]]
		n, err := strconv.ParseInt(text[:len(text)-1], 10, 32)
		if !ok || err != nil || n < 0 {
			return nil, fmt.Errorf("messageDelayLevel: %q is not a number with s, m, h or d behind it", text)
		}
		levels = append(levels, time.Duration(n)*unit)
	}
	return levels, nil
}
