// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"bytes"
	"context"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"

	"rocketd/protocol"
)

const (
	totalsHead = "#Cluster Name     #Broker Name                       #InTotalYest  #OutTotalYest  #InTotalToday #OutTotalToday\n"
	stateHead  = "#Cluster Name           #Broker Name            #BID  #Addr                  #Version              #InTPS(LOAD)                   #OutTPS(LOAD)  #Timer(Progress)        #PCWait(ms)  #Hour         #SPACE    #ACTIVATED\n"
)

// runtimeInfo is a broker's answer as Java 5.5.0 gives it, shortened.
func runtimeInfo() string {
	earliest := strconv.FormatInt(time.Now().Add(-90*time.Minute).UnixMilli(), 10)
	return `{"table":{"brokerActive":"true","brokerVersionDesc":"V5_5_0","putTps":"12.345 4.5 6.7","getTransferredTps":"1.5 0.0 0.0",` +
		`"sendThreadPoolQueueSize":"1","sendThreadPoolQueueHeadWaitTimeMills":"2","pullThreadPoolQueueSize":"3","pullThreadPoolQueueHeadWaitTimeMills":"4",` +
		`"ackThreadPoolQueueSize":"5","ackThreadPoolQueueHeadWaitTimeMills":"6","pageCacheLockTimeMills":"7","earliestMessageTimeStamp":"` + earliest + `",` +
		`"commitLogDiskRatio":"0.14","timerReadBehind":"1","timerOffsetBehind":"2","timerCongestNum":"30000","timerEnqueueTps":"4.0","timerDequeueTps":"5.5",` +
		`"msgPutTotalYesterdayMorning":"1","msgPutTotalTodayMorning":"11","msgPutTotalTodayNow":"111",` +
		`"msgGetTotalYesterdayMorning":"2","msgGetTotalTodayMorning":"22","msgGetTotalTodayNow":"222"}}`
}

func TestClusterList(t *testing.T) {
	c := newCluster(t)
	c.script(masterAddr, protocol.GetBrokerRuntimeInfo, answer{body: runtimeInfo()})
	c.script(slaveAddr, protocol.GetBrokerRuntimeInfo, answer{body: `{"table":{"brokerVersionDesc":"V4_9_8"}}`})
	out, errs, code := c.run("clusterList")
	require.Equal(t, stateHead+
		"DefaultCluster          broker-a                0     10.0.0.1:10911         V5_5_0                12.35(1,2ms)               1.50(3,4ms|5,6ms)  1-2(3.0w, 4.0, 5.5)               7  1.50          0.1400          true\n"+
		"DefaultCluster          broker-a                1     10.0.0.2:10911         V4_9_8                 0.00(null,nullms)         0.00(null,nullms|N,Nms)  0-0(0.0w, 0.0, 0.0)            null  0.00          0.0000         false\n", out)
	require.Empty(t, errs)
	require.Zero(t, code)

	out, _, _ = c.run("clusterList", "-m", "-c", "DefaultCluster")
	require.Equal(t, totalsHead+
		"DefaultCluster    broker-a                                     10             20            100            200\n"+
		"DefaultCluster    broker-a                                      0              0              0              0\n", out)
	out, _, _ = c.run("clusterList", "-c", "Nope")
	require.Equal(t, stateHead, out)
}

func TestClusterListWithADeadBroker(t *testing.T) {
	c := newCluster(t)
	c.register("broker-z", 0, "10.9.9.9:1")
	c.script(masterAddr, protocol.GetBrokerRuntimeInfo, answer{code: protocol.SystemError, remark: "no"})
	out, errs, _ := c.run("clusterList")
	require.Contains(t, out, "DefaultCluster          broker-z                0     10.9.9.9:1                                      0.00(,ms)                   0.00(,ms|,ms)  0-0(0.0w, 0.0, 0.0)                  0.00          0.0000         false\n")
	require.Contains(t, errs, "connect to 10.9.9.9:1 failed")
	require.Contains(t, errs, "MQBrokerException: CODE: 1  DESC: no BROKER: 10.0.0.1:10911")
}

// stopAfter ends a run when its output has had some tables.
type stopAfter struct {
	bytes.Buffer
	tables int
	stop   func()
}

func (w *stopAfter) Write(b []byte) (int, error) {
	if strings.HasPrefix(string(b), "#Cluster Name") {
		if w.tables--; w.tables == 0 {
			w.stop()
		}
	}
	return w.Buffer.Write(b)
}

func TestClusterListRepeats(t *testing.T) {
	c := newCluster(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out := &stopAfter{tables: 3, stop: stop}
	tool := &tool{out: out, err: io.Discard, env: func(string) string { return nsAddr }, clock: clockwork.NewRealClock(), dial: c.network.Dial}
	require.Zero(t, tool.main(ctx, []string{"clusterList", "-m", "-i", "0"}))
	require.Equal(t, 3, strings.Count(out.String(), totalsHead))
	_, problem, _ := c.run("clusterList", "-i", "often")
	require.Contains(t, problem, `NumberFormatException: For input string: "often"`)
}
