// SPDX-License-Identifier: Apache-2.0

// cluster.go: clusterList. Java: ClusterListSubCommand. Codes: 28, 106.
// Deviation: a broker that cannot be reached is complained about in one line and shown as Java shows it.

package admin

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"rocketd/compat"
	"rocketd/protocol"
)

func clusterListCommand() *command {
	return &command{
		name: "clusterList", class: "ClusterListSubCommand", text: "List cluster infos.", run: clusterList,
		options: []option{
			{short: "m", long: "moreStats", text: "Print more stats"},
			{short: "i", long: "interval", arg: true, text: "specify intervals numbers, it is in seconds"},
			{short: "c", long: "clusterName", arg: true, text: "which cluster"},
		},
	}
}

func clusterList(s *session, o given) error {
	if !o.has("i") {
		return s.listClusters(o)
	}
	seconds, err := number(o["i"])
	if err != nil {
		return err
	}
	for {
		if err := s.listClusters(o); err != nil {
			return err
		}
		select {
		case <-s.ctx.Done():
			return nil
		case <-s.clock.After(time.Duration(seconds) * time.Second):
		}
	}
}

func (s *session) listClusters(o given) error {
	info, err := s.clusters()
	if err != nil {
		return err
	}
	clusters := slices.Sorted(maps.Keys(info.ClusterAddrTable))
	if name := o.text("c"); name != "" {
		clusters = []string{name}
	}
	show := s.showState
	if o.has("m") {
		show = s.showTotals
		s.printf("%-16s  %-32s %14s %14s %14s %14s\n", "#Cluster Name", "#Broker Name", "#InTotalYest", "#OutTotalYest", "#InTotalToday", "#OutTotalToday")
	} else {
		s.printf(stateRow, "#Cluster Name", "#Broker Name", "#BID", "#Addr", "#Version", "#InTPS(LOAD)", "#OutTPS(LOAD)",
			"#Timer(Progress)", fmt.Sprintf("%-11s", "#PCWait(ms)"), "#Hour", "#SPACE", fmt.Sprintf("%-10s", "#ACTIVATED"))
	}
	for _, cluster := range clusters {
		for _, name := range slices.Sorted(slices.Values(info.ClusterAddrTable[cluster])) {
			broker := info.BrokerAddrTable[name]
			for _, id := range slices.Sorted(maps.Keys(broker.BrokerAddrs)) {
				show(cluster, broker, name, id)
			}
		}
	}
	return nil
}

// showTotals prints how many messages a broker took and gave, yesterday and today.
func (s *session) showTotals(cluster string, broker protocol.BrokerData, name string, id int64) {
	var sums [4]int64
	if info, err := s.runtimeInfo(broker.BrokerAddrs[id]); err == nil {
		var counts [6]int64
		for i, key := range []string{
			"msgPutTotalYesterdayMorning", "msgPutTotalTodayMorning", "msgPutTotalTodayNow",
			"msgGetTotalYesterdayMorning", "msgGetTotalTodayMorning", "msgGetTotalTodayNow",
		} {
			if counts[i], err = strconv.ParseInt(info[key], 10, 64); err != nil {
				break
			}
		}
		if err == nil {
			sums = [4]int64{counts[1] - counts[0], counts[4] - counts[3], counts[2] - counts[1], counts[5] - counts[4]}
		}
	}
	s.printf("%-16s  %-32s %14d %14d %14d %14d\n", cluster, name, sums[0], sums[1], sums[2], sums[3])
}

const stateRow = "%-22s  %-22s  %-4s  %-22s %-16s  %16s  %30s  %-22s  %11s  %-12s  %-8s  %10s\n"

// showState prints what a broker is doing now.
func (s *session) showState(cluster string, broker protocol.BrokerData, name string, id int64) {
	addr := broker.BrokerAddrs[id]
	info, err := s.runtimeInfo(addr)
	var in, out string
	var timer [3]int64
	var timerRates [2]float64
	if err != nil {
		s.complain(err)
		in, out = load(0, "", ""), fmt.Sprintf("%9.2f(%s,%sms|%s,%sms)", 0.0, "", "", "", "")
	} else {
		timer, timerRates = timerProgress(info)
		in = load(firstRate(info["putTps"]), orNull(info, "sendThreadPoolQueueSize"), orNull(info, "sendThreadPoolQueueHeadWaitTimeMills"))
		out = fmt.Sprintf("%9.2f(%s,%sms|%s,%sms)", firstRate(info["getTransferredTps"]),
			orNull(info, "pullThreadPoolQueueSize"), orNull(info, "pullThreadPoolQueueHeadWaitTimeMills"),
			orN(info, "ackThreadPoolQueueSize"), orN(info, "ackThreadPoolQueueHeadWaitTimeMills"))
	}
	hours, space := 0.0, 0.0
	if earliest, err := strconv.ParseInt(info["earliestMessageTimeStamp"], 10, 64); err == nil {
		hours = float64(s.clock.Now().UnixMilli()-earliest) / 3600_000
	}
	if ratio, err := strconv.ParseFloat(info["commitLogDiskRatio"], 64); err == nil {
		space = ratio
	}
	version, wait := "", ""
	if err == nil {
		version, wait = orNull(info, "brokerVersionDesc"), orNull(info, "pageCacheLockTimeMills")
	}
	s.printf(stateRow, cluster, name, strconv.FormatInt(id, 10), addr, version, in, out,
		fmt.Sprintf("%d-%d(%.1fw, %.1f, %.1f)", timer[0], timer[1], float64(timer[2])/10000, timerRates[0], timerRates[1]),
		wait, fmt.Sprintf("%2.2f", hours), fmt.Sprintf("%.4f", space), strconv.FormatBool(compat.ParseBool(info["brokerActive"])))
}

func load(rate float64, queued, wait string) string {
	return fmt.Sprintf("%9.2f(%s,%sms)", rate, queued, wait)
}

// orNull is a value as Java prints it, also when there is none.
func orNull(info map[string]string, key string) string {
	if value, ok := info[key]; ok {
		return value
	}
	return "null"
}

// orN is the value of a key that brokers before 5.0 have not.
func orN(info map[string]string, key string) string {
	if value, ok := info[key]; ok {
		return value
	}
	return "N"
}

// firstRate is the first of the rates "10s 1min 10min".
func firstRate(rates string) float64 {
	first, _, _ := strings.Cut(rates, " ")
	f, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return 0
	}
	return f
}

// timerProgress reads what brokers with timed messages report; at the first value that is missing Java stops reading.
func timerProgress(info map[string]string) (counts [3]int64, rates [2]float64) {
	for i, key := range []string{"timerReadBehind", "timerOffsetBehind", "timerCongestNum"} {
		n, err := strconv.ParseInt(info[key], 10, 64)
		if err != nil {
			return counts, rates
		}
		counts[i] = n
	}
	for i, key := range []string{"timerEnqueueTps", "timerDequeueTps"} {
		f, err := strconv.ParseFloat(info[key], 64)
		if err != nil {
			return counts, rates
		}
		rates[i] = f
	}
	return counts, rates
}
