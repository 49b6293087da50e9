// SPDX-License-Identifier: Apache-2.0

// Command mqtools holds client programs that answer to the names of upstream's Java classes. They run on the official
// Go client, which no server program links. bin/tools.sh calls it.
package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/apache/rocketmq-client-go/v2/rlog"

	"rocketd/cmd/mqtools/bench"
)

// programs are the classes known here. A program returns an error of one sentence, or nil.
var programs = map[string]func(args []string) error{
	"org.apache.rocketmq.example.quickstart.Producer": quickstartProducer,
	"org.apache.rocketmq.example.quickstart.Consumer": quickstartConsumer,
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
		return fmt.Errorf("Usage: tools.sh CLASS [arguments]. %s", known())
	}
	if args[0] == "bench" {
		root := bench.Command()
		root.SetArgs(args[1:])
		return root.Execute()
	}
	program, ok := programs[args[0]]
	if !ok {
		return fmt.Errorf("Unknown class %s. %s", args[0], known())
	}
	return program(args[1:])
}

func known() string {
	names := make([]string, 0, len(programs))
	for name := range programs {
		names = append(names, name)
	}
	slices.Sort(names)
	return "Known here: " + strings.Join(names, ", ") + ". With TOOLS_RUNTIME=java the Java class of that name runs."
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
