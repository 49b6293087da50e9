// SPDX-License-Identifier: Apache-2.0

package store

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A configuration that cannot be meant is refused with the name of its key.
func TestConfigIsValidated(t *testing.T) {
	small := smallConfig("/store")
	require.NoError(t, small.Validate())
	for want, change := range map[string]func(c *Config){
		"storePathRootDir is empty":                                  func(c *Config) { c.StorePathRootDir = "" },
		"enableLmq=true and enableMultiDispatch=true: ":              func(c *Config) { c.EnableLmq, c.EnableMultiDispatch = true, true },
		"storeType=defaultRocksDB is not supported: ":                func(c *Config) { c.StoreType = "defaultRocksDB" },
		"mappedFileSizeCommitLog=1023 is not between ":               func(c *Config) { c.CommitLogFileSize = 1023 },
		"mappedFileSizeConsumeQueue=19 is not between ":              func(c *Config) { c.ConsumeQueueFileSize = 19 },
		"mappedFileSizeConsumeQueueExt=2147483648 is not between ":   func(c *Config) { c.ConsumeQueueExtFileSize = 1 << 31 },
		"maxMessageSize=0 is not positive":                           func(c *Config) { c.MaxMessageSize = 0 },
		"maxHashSlotNum=100 or maxIndexNum=1 is too small":           func(c *Config) { c.MaxHashSlotNum, c.MaxIndexNum = 100, 1 },
		"fileReservedTime=-1 is negative: all files but the newest":  func(c *Config) { c.FileReservedTime = -1 },
		"maxOpenQueueFiles=0 is not positive":                        func(c *Config) { c.MaxOpenQueueFiles = 0 },
		"queueTailMaxUnits=0 is not positive":                        func(c *Config) { c.QueueTailMaxUnits = 0 },
		"commitLogAllocateStep=4095 is below 4096":                   func(c *Config) { c.CommitLogAllocateStep = 4095 },
		"commitLogWritePath=direct is none of auto, mmap and pwrite": func(c *Config) { c.CommitLogWritePath = "direct" },
		`deleteWhen=4am: "4am" is not an hour of the day`:            func(c *Config) { c.DeleteWhen = "4am" },
		"messageDelayLevel":                                          func(c *Config) { c.MessageDelayLevel = "1s soon" },
	} {
		c := small
		change(&c)
		require.ErrorContains(t, c.Validate(), want)
	}
}
