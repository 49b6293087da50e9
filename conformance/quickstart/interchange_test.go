// SPDX-License-Identifier: Apache-2.0

package quickstart

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/remoting"
)

const subscriptionInHeader = 4

// javaOpens are the packages that Java 17 must open to the Java broker.
var javaOpens = []string{
	"--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED", "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED",
	"--add-opens=java.base/sun.nio.ch=ALL-UNNAMED", "--add-opens=java.base/java.nio=ALL-UNNAMED",
	"--add-opens=java.base/jdk.internal.ref=ALL-UNNAMED", "--add-opens=java.base/jdk.internal.misc=ALL-UNNAMED",
	"--add-opens=java.base/java.lang=ALL-UNNAMED", "--add-opens=java.base/java.util=ALL-UNNAMED",
}

// startJavaBroker starts the published Java broker on the installation's
// configuration and store.
func (in *installation) startJavaBroker() *server {
	fetch := in.command(context.Background(), nil, "../conformance/javaclient/fetch.sh", "peer")
	fetch.Stderr = os.Stderr
	jars, err := fetch.Output()
	require.NoError(in.t, err)
	args := append(append([]string{}, javaOpens...), "-Xmx1g", "-Duser.home="+in.home, "-cp", strings.TrimSpace(string(jars))+"/*",
		"org.apache.rocketmq.broker.BrokerStartup", "-c", in.brokerConf, "-n", in.namesrv)
	cmd := exec.Command("java", args...)
	cmd.Env = append(os.Environ(), "ROCKETMQ_HOME="+in.home)
	return in.untilBoot(cmd, "the Java broker")
}

// pullAll reads every message of TopicTest and returns its queue, offset,
// properties and body.
func (in *installation) pullAll(addr string) []string {
	ctx := context.Background()
	client := remoting.NewClient(remoting.DefaultClientConfig(), nil, zerolog.Nop(), (&net.Dialer{}).DialContext)
	defer func() { require.NoError(in.t, client.Close()) }()
	var all []string
	for queue := int32(0); queue < 4; queue++ {
		for offset := int64(0); ; {
			req := protocol.NewRequest(protocol.PullMessage, &protocol.PullHeader{ConsumerGroup: "interchange", Topic: "TopicTest", QueueID: queue,
				QueueOffset: offset, MaxMsgNums: 32, SysFlag: subscriptionInHeader, Subscription: "*", ExpressionType: "TAG"})
			resp, err := client.Call(ctx, addr, req)
			require.NoError(in.t, err)
			if resp.Code == protocol.PullNotFound {
				break
			}
			require.EqualValues(in.t, protocol.Success, resp.Code, resp.Remark)
			for body := resp.Body; len(body) > 0; offset++ {
				var m message.Message
				require.NoError(in.t, message.DecodeRecord(body, &m))
				require.Equal(in.t, offset, m.QueueOffset)
				all = append(all, fmt.Sprint(m.QueueID, m.QueueOffset, m.PhyOffset, m.BornTimestampMs, message.ParseProperties(m.Properties), string(m.Body)))
				body = body[m.StoreSize:]
			}
		}
	}
	return all
}

// TestStoreGoesToJavaAndBack has Java 5.5.0 take over a store of ours, read
// every message as we do, and write to it; then we take it back.
func TestStoreGoesToJavaAndBack(t *testing.T) {
	requireJava(t)
	in := newInstallation(t)
	broker := in.startServers()
	in.produce(nil)
	ours := in.pullAll(in.broker)
	require.Len(t, ours, 1000)
	broker.end(syscall.SIGTERM)

	java := in.startJavaBroker()
	require.Equal(t, ours, in.pullAll(in.broker), "what the Java broker reads")
	in.produce(nil)
	written := in.pullAll(in.broker)
	require.Len(t, written, 2000)
	java.end(syscall.SIGTERM)
	require.NoFileExists(t, filepath.Join(in.home, "store", "abort"), "Java ended cleanly")

	in.start("mqbroker", "-n", in.namesrv, "-c", in.brokerConf)
	require.Equal(t, written, in.pullAll(in.broker), "what we read of Java's messages")
}
