// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"bytes"
	"context"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"rocketd/compat"
	"rocketd/compat/fastjson"
	"rocketd/internal/testkit"
	"rocketd/namesrv"
	"rocketd/protocol"
	"rocketd/remoting"
	"rocketd/remoting/remotingtest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const (
	nsAddr     = "ns:9876"
	masterAddr = "10.0.0.1:10911"
	slaveAddr  = "10.0.0.2:10911"
)

// cluster is a real name server and brokers that say what a test tells them, in memory.
type cluster struct {
	t       *testing.T
	network *remotingtest.Network
	names   *namesrv.Server

	mu      sync.Mutex
	asked   []*protocol.Command // by the brokers, in order
	answers map[string]map[int32]answer
}

// answer is what a broker says to a request code.
type answer struct {
	code   int32
	remark string
	fields map[string]string
	body   string
}

// noFiles keeps nothing.
type noFiles struct{}

func (noFiles) ReadFile(string) ([]byte, error)  { return nil, os.ErrNotExist }
func (noFiles) ReplaceFile(string, []byte) error { return nil }
func (noFiles) Rename(string, string) error      { return nil }
func (c *cluster) listen(a string) net.Listener {
	l, err := c.network.Listen("tcp", a)
	require.NoError(c.t, err)
	return l
}
func (c *cluster) serve(fn func(context.Context)) { serve(c.t, fn) }

// serve runs fn until the test ends.
func serve(t *testing.T, fn func(ctx context.Context)) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); fn(ctx) }()
	t.Cleanup(func() { stop(); <-done })
}

// newCluster starts a name server at nsAddr, and broker-a with a master and a slave.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t, network: &remotingtest.Network{}, answers: map[string]map[int32]answer{}}
	cfg := namesrv.DefaultConfig()
	cfg.BindAddress, cfg.OrderMessageEnable = "ns", true
	names, err := namesrv.New(cfg, namesrv.Deps{FS: noFiles{}, Clock: clockwork.NewRealClock(), Log: zerolog.Nop(), Listen: c.network.Listen})
	require.NoError(t, err)
	c.names = names
	c.serve(func(ctx context.Context) { _ = names.Run(ctx) })
	<-names.Ready()
	c.broker(masterAddr)
	c.broker(slaveAddr)
	c.register("broker-a", 0, masterAddr, "T1", "TBW102", "%RETRY%g1", "%RETRY%g0")
	c.register("broker-a", 1, slaveAddr)
	return c
}

// broker starts a scripted server.
func (c *cluster) broker(addr string) {
	c.t.Helper()
	c.answers[addr] = map[int32]answer{}
	mux := remoting.NewMux(zerolog.Nop())
	lane := remoting.NewLane("all", 100, false)
	for _, code := range []int32{
		protocol.UpdateAndCreateTopic, protocol.DeleteTopicInBroker, protocol.GetTopicStatsInfo, protocol.GetBrokerRuntimeInfo,
		protocol.GetConsumeStats, protocol.GetConsumerConnectionList, protocol.SendMessageV2,
	} {
		remoting.Handle(mux, code, lane, func(_ context.Context, call *remoting.Call, _ *protocol.Empty) (*protocol.Empty, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			cmd := *call.Request()
			cmd.Body, cmd.Fields = bytes.Clone(cmd.Body), slices.Clone(cmd.Fields)
			c.asked = append(c.asked, &cmd)
			a := c.answers[addr][code]
			call.Outcome(a.code, a.remark)
			for k, v := range a.fields {
				call.SetField(k, v)
			}
			call.SetBody([]byte(a.body))
			return &protocol.Empty{}, nil
		})
	}
	l := c.listen(addr)
	server := remoting.NewServer(remoting.DefaultServerConfig(), mux, zerolog.Nop(), remoting.Hooks{})
	c.serve(func(ctx context.Context) { _ = server.Serve(ctx, l) })
}

// register announces a broker with 8 queues for each topic.
func (c *cluster) register(name string, id int, addr string, topics ...string) {
	c.t.Helper()
	table := map[string]*protocol.TopicConfig{}
	for _, topic := range topics {
		table[topic] = protocol.NewTopicConfig(topic, 8, 8, protocol.PermRead|protocol.PermWrite)
	}
	body, err := fastjson.Marshal(protocol.RegisterBrokerBody{TopicConfigSerializeWrapper: protocol.TopicConfigTable{TopicConfigTable: table}})
	require.NoError(c.t, err)
	req := &protocol.Command{Code: protocol.RegisterBroker, Version: compat.Version, Body: body}
	for k, v := range map[string]string{"clusterName": "DefaultCluster", "brokerName": name, "brokerAddr": addr, "haServerAddr": addr, "brokerId": strconv.Itoa(id)} {
		req.SetField(k, v)
	}
	got, err := c.names.Handle(context.Background(), nil, req)
	require.NoError(c.t, err)
	require.Equal(c.t, protocol.Success, got.Code, got.Remark)
}

func (c *cluster) script(addr string, code int32, a answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers[addr][code] = a
}

// last returns the last request that the brokers got.
func (c *cluster) last() *protocol.Command {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	require.NotEmpty(c.t, c.asked)
	return c.asked[len(c.asked)-1]
}

func (c *cluster) order(topic string) string {
	c.t.Helper()
	req := &protocol.Command{Code: protocol.GetKVConfig, Version: compat.Version}
	req.SetField("namespace", protocol.NamespaceOrderTopic)
	req.SetField("key", topic)
	got, err := c.names.Handle(context.Background(), nil, req)
	require.NoError(c.t, err)
	value, _ := got.Field("value")
	return value
}

// run runs a command line against the cluster.
func (c *cluster) run(args ...string) (stdout, stderr string, code int) {
	c.t.Helper()
	return runTool(c.t, c.network.Dial, append(args, "-n", nsAddr)...)
}

func runTool(t *testing.T, dial func(ctx context.Context, network, addr string) (net.Conn, error), args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	tool := &tool{out: &out, err: &errs, env: func(string) string { return "" }, clock: clockwork.NewRealClock(), dial: dial}
	code = tool.main(t.Context(), args)
	return out.String(), errs.String(), code
}

// The texts are what Java 5.5.0 prints.
func TestListOfCommands(t *testing.T) {
	out, errs, code := runTool(t, nil)
	require.Equal(t, testkit.Recorded(t, "list.txt"), out)
	require.Empty(t, errs)
	require.Zero(t, code)
}

func TestHelpOfCommands(t *testing.T) {
	for _, section := range strings.Split(testkit.Recorded(t, "help.txt"), "=== ")[1:] {
		name, want, _ := strings.Cut(section, "\n")
		out, _, code := runTool(t, nil, "help", name)
		require.Equal(t, want, out)
		require.Zero(t, code)
	}
	out, _, code := runTool(t, nil, "topiclist", "-h")
	require.True(t, strings.HasPrefix(out, "usage: mqadmin topicList "), out)
	require.Zero(t, code)
}

func TestUnknownAndUnservedCommands(t *testing.T) {
	for _, args := range [][]string{{"foo"}, {"help", "foo"}, {"foo", "-t", "x"}} {
		out, _, code := runTool(t, nil, args...)
		require.Equal(t, "The sub command foo not exist.\n", out)
		require.Zero(t, code)
		_, _, code = runTool(t, nil, append(args, "--strict")...)
		require.Equal(t, 1, code)
	}
	_, errs, code := runTool(t, nil, "brokerstatus", "-b", "x")
	require.Equal(t, "The sub command brokerStatus is not served yet.\n", errs)
	require.Zero(t, code)
	_, errs, code = runTool(t, nil, "--strict", "help", "brokerStatus")
	require.NotEmpty(t, errs)
	require.Equal(t, 1, code)
}

func TestCommandLinesThatCannotBeRead(t *testing.T) {
	for line, want := range map[string]string{
		"updateTopic":                   "Missing required options: [-b create topic to which broker, -c create topic to which cluster], t",
		"updateTopic -t A":              "Missing required option: [-b create topic to which broker, -c create topic to which cluster]",
		"updateTopic -h":                "Missing required options: [-b create topic to which broker, -c create topic to which cluster], t",
		"updateTopic -t A -b x -c y":    "The option 'c' was specified but an option from this group has already been selected: 'b'",
		"updateTopic -t A -z":           "Unrecognized option: -z",
		"updateTopic -t A --zz":         "Unrecognized option: --zz",
		"updateTopic -t":                "Missing argument for option: t",
		"updateTopic -t -b x":           "Missing argument for option: t",
		"deleteTopic":                   "Missing required options: t, c",
		"topicRoute":                    "Missing required option: t",
		"topicRoute -lz":                "Unrecognized option: -lz",
		"topicRoute --list=1":           "Unrecognized option: --list=1",
		"topicRoute -l=1":               "Unrecognized option: -l=1",
		"sendMessage -t a -p b --b x":   "Ambiguous option: '--b'  (could be: 'body', 'broker')",
		"sendMessage -t a -p b --bro x": "",
		"updateTopic --t A -c C --un":   "Missing argument for option: u",
		"clusterList --":                "",
		"clusterList stray words":       "",
		"updateTopic -t A -c C --h x":   "Ambiguous option: '--h'  (could be: 'help', 'hasUnitSub')",
		"updateTopic -n ns:1 -t A -b=x": "",
	} {
		args := strings.Fields(line)
		c := find(args[0])
		_, err := parseOptions(c.allOptions(), args[1:])
		if want == "" {
			require.NoError(t, err, line)
			continue
		}
		require.EqualError(t, err, want, line)
		out, errs, code := runTool(t, nil, args...)
		require.Equal(t, want+"\n", errs, line)
		require.Equal(t, c.help(), out, line)
		require.Equal(t, 1, code, line)
	}
}

func TestSpellingsOfOptions(t *testing.T) {
	options := find("updateTopic").allOptions()
	for _, line := range []string{
		"-t A -c C -a +x=-y", "-tA -cC -a=+x=-y", "-t=A -c=C --attributes=+x=-y", "--topic A --clusterName C --attributes +x=-y",
		"--topic=A --cluster C -attributes +x=-y", "-topic A -clusterName=C --attr +x=-y", `-t "A" -c C -a +x=-y -t B`,
	} {
		o, err := parseOptions(options, strings.Fields(line))
		require.NoError(t, err, line)
		require.Equal(t, given{"t": "A", "c": "C", "a": "+x=-y"}, o, line)
	}
	o, err := parseOptions(options, []string{"-t", "A", "-c", "C", "-a", "-x,-y"})
	require.NoError(t, err)
	require.Equal(t, "-x,-y", o["a"], "a value may begin with a hyphen if it is no option")
}

func TestServersFromTheEnvironmentAndFailover(t *testing.T) {
	c := newCluster(t)
	var out, errs bytes.Buffer
	tool := &tool{out: &out, err: &errs, clock: clockwork.NewRealClock(), dial: c.network.Dial, env: func(key string) string {
		require.Equal(t, "NAMESRV_ADDR", key)
		return " dead:9876 ; " + nsAddr + ";"
	}}
	require.Zero(t, tool.main(t.Context(), []string{"TOPICLIST"}))
	require.Equal(t, "%RETRY%g0\n%RETRY%g1\nT1\nTBW102\n", out.String())
	require.Empty(t, errs.String())
}

func TestNobodyAnswers(t *testing.T) {
	network := &remotingtest.Network{}
	_, errs, code := runTool(t, network.Dial, "topicList", "-n", "dead:9876")
	require.Equal(t, "org.apache.rocketmq.tools.command.SubCommandException: TopicListSubCommand command failed\n"+
		"Caused by: org.apache.rocketmq.remoting.exception.RemotingConnectException: connect to dead:9876 failed\n", errs)
	require.Zero(t, code)
	_, _, code = runTool(t, network.Dial, "--strict", "topicList", "-n", "dead:9876")
	require.Equal(t, 1, code)
	_, errs, _ = runTool(t, network.Dial, "topicList")
	require.Contains(t, errs, "NAMESRV_ADDR")
}
