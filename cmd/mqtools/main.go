// SPDX-License-Identifier: Apache-2.0

// Command mqtools holds client programs that answer to the names of upstream's Java classes. They run on the official
// Go client, which no server program links. bin/tools.sh calls it.
package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/rlog"

	"rocketd/cmd/mqtools/bench"
)

// program is a class's counterpart. It returns an error of one sentence, or nil.
type program struct {
	run func(servers primitive.NamesrvAddr) error
	own string // the name server address that the Java class holds; here NAMESRV_ADDR goes before it
}

const examples = "org.apache.rocketmq.example."

// programs are the classes known here, without the package that all share.
var programs = map[string]program{
	"quickstart.Producer":               {run: quickstartProducer},
	"quickstart.Consumer":               {run: quickstartConsumer},
	"simple.Producer":                   {run: simpleProducer},
	"simple.AsyncProducer":              {run: asyncProducer},
	"simple.OnewayProducer":             {run: onewayProducer, own: "localhost:9876"},
	"simple.PushConsumer":               {run: simplePushConsumer},
	"simple.PullConsumer":               {run: pullConsumer, own: "127.0.0.1:9876"},
	"simple.LitePullConsumerSubscribe":  {run: litePullSubscribe},
	"simple.LitePullConsumerAssign":     {run: litePullAssign},
	"simple.AclClient":                  {run: aclClient, own: "127.0.0.1:9876"},
	"ordermessage.Producer":             {run: orderProducer},
	"ordermessage.Consumer":             {run: orderConsumer},
	"batch.SimpleBatchProducer":         {run: simpleBatchProducer},
	"batch.SplitBatchProducer":          {run: splitBatchProducer},
	"broadcast.PushConsumer":            {run: broadcastConsumer},
	"filter.TagFilterProducer":          {run: tagFilterProducer},
	"filter.TagFilterConsumer":          {run: tagFilterConsumer},
	"filter.SqlFilterProducer":          {run: sqlFilterProducer},
	"filter.SqlFilterConsumer":          {run: sqlFilterConsumer},
	"schedule.ScheduledMessageProducer": {run: scheduledProducer},
	"schedule.ScheduledMessageConsumer": {run: scheduledConsumer},
	"schedule.TimerMessageProducer":     {run: timerProducer},
	"schedule.TimerMessageConsumer":     {run: timerConsumer},
	"tracemessage.TraceProducer":        {run: traceProducer},
	"tracemessage.TracePushConsumer":    {run: traceConsumer},
	"transaction.TransactionProducer":   {run: transactionProducer},
}

func main() {
	rlog.SetLogger(silence{})
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("Usage: tools.sh CLASS [-n host:port]. %s With TOOLS_RUNTIME=java the Java class of any name runs.", known())
	}
	if args[0] == "bench" {
		root := bench.Command()
		root.SetArgs(args[1:])
		return root.Execute()
	}
	p, ok := programs[strings.TrimPrefix(args[0], examples)]
	if !ok || !strings.HasPrefix(args[0], examples) {
		return fmt.Errorf("Unknown class %s: set TOOLS_RUNTIME=java to run the Java class of that name. %s", args[0], known())
	}
	servers, err := nameServers(args[1:], p.own)
	if err != nil {
		return err
	}
	return p.run(servers)
}

func known() string {
	return "Known here, in " + strings.TrimSuffix(examples, ".") + ": " + strings.Join(slices.Sorted(maps.Keys(programs)), ", ") + "."
}

// silence is the Go client's logger here: what a user must know is returned as an error.
type silence struct{}

func (silence) Debug(string, map[string]any)   {}
func (silence) Info(string, map[string]any)    {}
func (silence) Warning(string, map[string]any) {}
func (silence) Error(string, map[string]any)   {}
func (silence) Fatal(string, map[string]any)   {}
func (silence) Level(string)                   {}
func (silence) OutputPath(string) error        { return nil }
