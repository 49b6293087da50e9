// SPDX-License-Identifier: Apache-2.0

// GET_BROKER_RUNTIME_INFO(28), VIEW_BROKER_STATS_DATA(315). Sent by tools, dashboards and exporters, which parse the
// values. Java: AdminBrokerProcessor.prepareRuntimeInfo and ViewBrokerStatsData, StoreStatsService, BrokerStatsManager.
// Outcomes: Success; SystemError for figures that nobody has kept.
// Deviations: the times of single puts and gets are not measured and read 0, and their statistics do not exist; what lanes
// have no counterpart for reads 0 (queue sizes are requests in work).

package broker

import (
	"context"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"rocketd/broker/stats"
	"rocketd/compat"
	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/remoting"
)

func (b *Broker) brokerRuntimeInfo(_ context.Context, c *remoting.Call, _ *protocol.Empty) (*protocol.Empty, error) {
	table := map[string]string{}
	for _, part := range []map[string]string{b.runtimeIdentity(), b.runtimeStore(), b.runtimeRates(), b.runtimeLanes(), b.runtimeDelays(), b.runtimeTimer()} {
		maps.Copy(table, part)
	}
	return nil, answerJSON(c, protocol.KVTable{Table: table})
}

func (b *Broker) viewStats(_ context.Context, c *remoting.Call, h *protocol.ViewStatsHeader) (*protocol.Empty, error) {
	view, ok := b.stats.View(h.StatsName, h.StatsKey)
	if !ok || strings.HasPrefix(h.StatsName, "BROKER_") && h.StatsKey != b.cfg.Load().BrokerClusterName {
		return nil, protocol.Errorf(protocol.SystemError, "The stats <%s> <%s> not exist", h.StatsName, h.StatsKey)
	}
	return nil, answerJSON(c, protocol.StatsData{
		StatsDay: protocol.StatsItem(view.Of(stats.Day)), StatsHour: protocol.StatsItem(view.Of(stats.Hour)), StatsMinute: protocol.StatsItem(view.Of(stats.Minute)),
	})
}

func (b *Broker) runtimeTimer() map[string]string {
	state := b.timerState()
	return map[string]string{
		"timerReadBehind": decimal(int64(state.Late / time.Second)), "timerOffsetBehind": decimal(state.Unentered), "timerCongestNum": decimal(state.Waiting),
		"timerEnqueueTps": javaDouble(b.stats.TimerEntered.Rate(1)), "timerDequeueTps": javaDouble(b.stats.TimerFired.Rate(1)),
	}
}

func (b *Broker) runtimeIdentity() map[string]string {
	return map[string]string{
		"brokerActive":                    "true",
		"brokerVersionDesc":               compat.VersionName(compat.Version),
		"bootTimestamp":                   decimal(b.bootMs),
		"runtime":                         uptime(time.Duration(b.nowMs()-b.bootMs) * time.Millisecond),
		"startAcceptSendRequestTimeStamp": decimal(b.cfg.Load().StartAcceptSendRequestTimeMs),
	}
}

func (b *Broker) runtimeStore() map[string]string {
	marks, opened := b.store.Marks(), b.store.Stats()
	log := b.cfg.Load().StorePathCommitLog
	if log == "" {
		log = filepath.Join(b.cfg.Load().StorePathRootDir, "commitlog")
	}
	ratio, capacity := b.diskUsage(log)
	if marks.Appended == 0 {
		marks.Min = -1 // as Java says of a log without a file
	}
	return map[string]string{
		"commitLogMinOffset":              decimal(marks.Min),
		"commitLogMaxOffset":              decimal(marks.Appended),
		"dispatchBehindBytes":             decimal(b.store.DispatchBehind()),
		"dispatchMaxBuffer":               "0",
		"earliestMessageTimeStamp":        decimal(opened.EarliestStoreMs),
		"remainHowManyDataToFlush":        humanBytes(marks.Appended - marks.Flushed),
		"remainTransientStoreBufferNumbs": decimal(math.MaxInt32),
		"pageCacheLockTimeMills":          "0",
		"commitLogDiskRatio":              ratio,
		"commitLogDiskRatio_" + log:       ratio,
		"consumeQueueDiskRatio":           ratio,
		"commitLogDirCapacity":            capacity,
	}
}

func (b *Broker) diskUsage(dir string) (ratio, capacity string) {
	usage, err := b.fs.Usage(dir)
	if err != nil {
		return "-1.0", "Total : 0 B, Free : 0 B."
	}
	ratio = javaDouble(math.Ceil(usage.UsedRatio()*100) / 100)
	return ratio, fmt.Sprintf("Total : %s, Free : %s.", humanBytes(usage.Total), humanBytes(usage.Free))
}

func (b *Broker) runtimeRates() map[string]string {
	s := b.stats
	putYesterday, putToday, getYesterday, getToday := s.Mornings()
	userPuts, userGets := s.UserTotals() // Java leaves its own topics out of the days' totals
	puts, bytes := s.PutMessages.Total(), s.PutBytes.Total()
	average := 0.0
	if puts > 0 {
		average = float64(bytes) / float64(puts)
	}
	transferred := rates(s.GetMessages)
	return map[string]string{
		"msgPutTotalYesterdayMorning": decimal(putYesterday),
		"msgPutTotalTodayMorning":     decimal(putToday),
		"msgPutTotalTodayNow":         decimal(userPuts),
		"msgGetTotalYesterdayMorning": decimal(getYesterday),
		"msgGetTotalTodayMorning":     decimal(getToday),
		"msgGetTotalTodayNow":         decimal(userGets),
		"putTps":                      rates(s.PutMessages),
		"getFoundTps":                 rates(s.GetFound),
		"getMissTps":                  rates(s.GetMiss),
		"getTotalTps":                 rates(s.GetFound, s.GetMiss),
		"getTransferredTps":           transferred,
		"getTransferedTps":            transferred, // the spelling that 4.x tools read
		"putMessageTimesTotal":        decimal(puts),
		"putMessageSizeTotal":         decimal(bytes),
		"putMessageFailedTimes":       decimal(s.PutFailed.Total()),
		"putMessageAverageSize":       javaDouble(average),
		"putMessageEntireTimeMax":     "0",
		"getMessageEntireTimeMax":     "0",
		"putLatency99":                "0.00",
		"putLatency999":               "0.00",
		"putMessageDistributeTime": "[<=0ms]:0 [0~10ms]:0 [10~50ms]:0 [50~100ms]:0 [100~200ms]:0 [200~500ms]:0 [500ms~1s]:0 " +
			"[1~2s]:0 [2~3s]:0 [3~4s]:0 [4~5s]:0 [5~10s]:0 [10s~]:0 ",
	}
}

// rates prints the summed rates of counters over 10 s, 1 min and 10 min.
func rates(meters ...*stats.Meter) string {
	text := ""
	for i, seconds := range []int{10, 60, 600} {
		sum := 0.0
		for _, m := range meters {
			sum += m.Rate(seconds)
		}
		if i > 0 {
			text += " "
		}
		text += javaDouble(sum)
	}
	return text
}

func (b *Broker) runtimeLanes() map[string]string {
	cfg := b.cfg.Load()
	table := map[string]string{
		"EndTransactionQueueSize":               "0",
		"EndTransactionThreadPoolQueueCapacity": decimal(int64(cfg.EndTransactionPoolQueueCapacity)),
		"ackThreadPoolQueueSize":                "0",
		"ackThreadPoolQueueHeadWaitTimeMills":   "0",
		"ackThreadPoolQueueCapacity":            decimal(int64(cfg.AckThreadPoolQueueCapacity)),
	}
	for name, lane := range map[string]struct {
		lane     *remoting.Lane
		capacity int32
	}{
		"send":     {b.lanes.send, cfg.SendThreadPoolQueueCapacity},
		"pull":     {b.lanes.pull, cfg.PullThreadPoolQueueCapacity},
		"litePull": {b.lanes.litePull, cfg.LitePullThreadPoolQueueCapacity},
		"query":    {b.lanes.query, cfg.QueryThreadPoolQueueCapacity},
	} {
		table[name+"ThreadPoolQueueSize"] = decimal(int64(lane.lane.Busy()))
		table[name+"ThreadPoolQueueHeadWaitTimeMills"] = "0"
		table[name+"ThreadPoolQueueCapacity"] = decimal(int64(lane.capacity))
	}
	return table
}

func (b *Broker) runtimeDelays() map[string]string {
	table := map[string]string{}
	for level, offset := range b.delays.All() {
		_, end, _ := b.store.QueueRange(message.ScheduleTopic, level-1)
		table["scheduleMessageOffset_"+decimal(int64(level))] = decimal(offset) + "," + decimal(max(end, 0))
	}
	return table
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// javaDouble prints a number as Java's Double.toString does.
func javaDouble(v float64) string {
	if v == 0 || math.Abs(v) >= 1e-3 && math.Abs(v) < 1e7 {
		return withPoint(strconv.FormatFloat(v, 'f', -1, 64))
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', -1, 64), "e")
	n, err := strconv.Atoi(exponent)
	if err != nil { // infinite, or not a number
		return mantissa
	}
	return withPoint(mantissa) + "E" + strconv.Itoa(n)
}

func withPoint(digits string) string {
	if strings.Contains(digits, ".") {
		return digits
	}
	return digits + ".0"
}

// humanBytes prints a size as Java's UtilAll.humanReadableByteCount does, in powers of 1024.
func humanBytes(n int64) string {
	const unit = 1024
	if n < unit {
		return decimal(n) + " B"
	}
	v, exponent := float64(n), -1
	for ; v >= unit; v /= unit {
		exponent++
	}
	return fmt.Sprintf("%.1f %ciB", v, "KMGTPE"[exponent])
}

func uptime(d time.Duration) string {
	seconds := int64(d / time.Second)
	return fmt.Sprintf("[ %d days, %d hours, %d minutes, %d seconds ]", seconds/86400, seconds/3600%24, seconds/60%60, seconds%60)
}
