// SPDX-License-Identifier: Apache-2.0

package mqadmin

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"rocketd/admin"
	"rocketd/compat/fastjson"
	"rocketd/conformance/target"
	"rocketd/protocol"
	"rocketd/remoting"
)

// run is one target's way through the script.
type run struct {
	cluster *target.Cluster
	java    *driver
	client  *remoting.Client
	words   map[string]string // what {names} stand for in the script's lines
	servers []printed         // what Java's tool printed of each line, comparable with other servers'
	tools   []both            // what both tools printed of this server, comparable with each other
}

type both struct{ java, ours printed }

func newRun(t *testing.T, kind target.Kind, java *driver, prefix string) *run {
	t.Helper()
	r := &run{cluster: shared.Get(t, kind), java: java, client: remoting.NewClient(remoting.DefaultClientConfig(), nil, zerolog.Nop(), nil)}
	t.Cleanup(func() { _ = r.client.Close() })
	r.words = map[string]string{"p": prefix, "ns": r.cluster.Names.Addr, "broker": r.cluster.Broker.Addr, "dir": t.TempDir()}
	r.write(t, "topics.json", `[{"topicName":"{p}ListA","readQueueNums":2,"writeQueueNums":2,"perm":6},`+
		`{"topicName":"{p}ListB","readQueueNums":3,"writeQueueNums":3,"perm":6}]`)
	r.write(t, "groups.json", `[{"groupName":"{p}Listed","retryMaxTimes":3}]`)
	return r
}

func (r *run) write(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(r.words["dir"], name), []byte(r.fill(text)), 0o644))
}

// fill puts in what {names} stand for.
func (r *run) fill(text string) string {
	for name, value := range r.words {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	return text
}

// all goes through the script.
func (r *run) all(t *testing.T) {
	t.Helper()
	for _, s := range script {
		require.NoError(t, r.step(s), "%s: %s", r.cluster.Kind, s.line)
	}
}

func (r *run) step(s step) error {
	if s.before != nil {
		if err := s.before(r); err != nil {
			return err
		}
	}
	words := strings.Fields(r.fill(s.line))
	if words[0] != "help" {
		words = append(words, "-n", r.words["ns"])
	}
	limit := time.Minute
	if s.seconds > 0 {
		limit = time.Duration(s.seconds) * time.Second
	}
	java, err := r.java.run(limit, words...)
	if err != nil {
		return err
	}
	for name, expression := range s.keep {
		found := regexp.MustCompile(expression).FindStringSubmatch(java.out)
		if found == nil {
			return fmt.Errorf("nothing to keep as %s in:\n%s%s", name, java.out, java.err)
		}
		r.words[name] = found[1]
	}
	tools := both{}
	if s.tool {
		tools = both{r.mask(s, java, false), r.mask(s, runTool(words...), false)}
	}
	r.servers, r.tools = append(r.servers, r.mask(s, java, true)), append(r.tools, tools)
	return nil
}

// runTool runs our tool as a process of its own would, without an environment.
func runTool(words ...string) printed {
	var out, err bytes.Buffer
	admin.Main(words, &out, &err, func(string) string { return "" })
	return printed{out.String(), err.String()}
}

// unservedOption is set where a line has an option that our tool refuses by name.
func (r *run) unservedOption(i int) []string {
	if strings.Contains(r.tools[i].ours.err, "which is not served yet.") {
		return []string{toolLedger}
	}
	return nil
}

// stored waits until the messages that were sent can be read.
func stored(r *run) error { return r.cluster.WaitStored(r.words["p"]+"One", 4) }

// online is a consumer and a producer with a fixed name, the consumer with an offset.
func online(r *run) error {
	group, topic := r.words["p"]+"Group", r.words["p"]+"One"
	tagged := protocol.SubscriptionData{Topic: topic, SubString: "TagA", TagsSet: []string{"TagA"}, CodeSet: []int32{2598919}, SubVersion: 1, ExpressionType: "TAG"}
	if err := r.beat(group, tagged, protocol.ProducerData{GroupName: r.words["p"] + "Producers"}); err != nil {
		return err
	}
	return r.call(protocol.NewRequest(protocol.UpdateConsumerOffset, &protocol.UpdateConsumerOffsetHeader{ConsumerGroup: group, Topic: topic, QueueID: 1, CommitOffset: 1}))
}

// filtering is a consumer that filters by an expression.
func filtering(r *run) error {
	return r.beat(r.words["p"]+"Filtering", protocol.SubscriptionData{Topic: r.words["p"] + "One", SubString: "a > 4", SubVersion: 1, ExpressionType: "SQL92"})
}

// beat has a consumer of a group come, with producers.
func (r *run) beat(group string, sub protocol.SubscriptionData, producers ...protocol.ProducerData) error {
	body, err := fastjson.Marshal(protocol.Heartbeat{
		ClientID:        "127.0.0.1@client",
		ProducerDataSet: producers,
		ConsumerDataSet: []protocol.ConsumerData{{
			GroupName: group, ConsumeType: "CONSUME_PASSIVELY", MessageModel: "CLUSTERING", ConsumeFromWhere: "CONSUME_FROM_LAST_OFFSET",
			SubscriptionDataSet: []protocol.SubscriptionData{sub},
		}},
	})
	if err != nil {
		return err
	}
	heartbeat := protocol.NewRequest(protocol.HeartBeat, &protocol.Empty{})
	heartbeat.Body = body
	return r.call(heartbeat)
}

func (r *run) call(cmd *protocol.Command) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	answer, err := r.client.Call(ctx, r.words["broker"], cmd)
	if err == nil && answer.Code != protocol.Success {
		err = fmt.Errorf("%s: answer %d: %s", protocol.RequestName(cmd.Code), answer.Code, answer.Remark)
	}
	return err
}
