// SPDX-License-Identifier: Apache-2.0

// Package admin is the mqadmin tool: one program with upstream's command names, options and texts.
//
// admin.go: which command runs, and what becomes of its failure. Java: MQAdminStartup.
// Exit codes: 1 for a command line that cannot be read, else 0, as upstream. Deviation: with --strict anywhere on the
// command line a command that failed, is unknown or is not served exits with 1.
package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"

	"rocketd/remoting"
)

// command is one of upstream's sub-commands.
type command struct {
	name    string
	text    string // of the list of commands
	class   string // of Java, which failures name
	options []option
	run     func(s *session, o given) error // nil: not served
	runtime bool                            // failures are RuntimeExceptions, not SubCommandExceptions
}

// allOptions puts the common options where Java has them: first.
func (c *command) allOptions() []option { return append(commonOptions(), c.options...) }

func (c *command) help() string { return help("mqadmin "+c.name, c.allOptions()) }

// tool is what Main makes of the process's surroundings.
type tool struct {
	out, err io.Writer
	env      func(string) string
	clock    clockwork.Clock
	dial     func(ctx context.Context, network, addr string) (net.Conn, error) // nil: TCP
	strict   bool
}

// Main runs the command line args, without the program's name, and returns the exit code.
func Main(args []string, stdout, stderr io.Writer, env func(string) string) int {
	t := &tool{out: stdout, err: stderr, env: env, clock: clockwork.NewRealClock()}
	return t.main(context.Background(), args)
}

func (t *tool) main(ctx context.Context, args []string) int {
	if i := slices.Index(args, "--strict"); i >= 0 {
		args = slices.Delete(slices.Clone(args), i, i+1)
		t.strict = true
	}
	switch {
	case len(args) == 0:
		t.list()
		return 0
	case len(args) == 2 && args[0] == "help":
		c := find(args[1])
		if c == nil {
			return t.unknown(args[1])
		}
		if c.run == nil {
			return t.unserved(c)
		}
		t.printf("%s", c.help())
		return 0
	}
	c := find(args[0])
	switch {
	case c == nil:
		return t.unknown(args[0])
	case c.run == nil:
		return t.unserved(c)
	}
	o, err := parseOptions(c.allOptions(), args[1:])
	if err != nil {
		t.complain(err.Error())
		t.printf("%s", c.help())
		return 1
	}
	if o.has("h") {
		t.printf("%s", c.help())
		return 0
	}
	if err := t.run(ctx, c, o); err != nil {
		class := "org.apache.rocketmq.tools.command.SubCommandException"
		if c.runtime {
			class = "java.lang.RuntimeException"
		}
		t.complain(fmt.Sprintf("%s: %s command failed\nCaused by: %v", class, c.class, err))
		return t.failed()
	}
	return 0
}

// run gives a command its connections and takes them away again.
func (t *tool) run(ctx context.Context, c *command, o given) (err error) {
	servers := t.env("NAMESRV_ADDR")
	if o.has("n") {
		servers = o["n"]
	}
	s := &session{
		ctx: ctx, clock: t.clock, out: t.out, err: t.err, timeout: callTimeout,
		client: remoting.NewClient(remoting.DefaultClientConfig(), nil, zerolog.Nop(), t.dial),
		rand:   rand.New(rand.NewPCG(uint64(t.clock.Now().UnixNano()), 0)), // only spreads load and names messages
	}
	for _, addr := range strings.Split(servers, ";") {
		if addr = strings.TrimSpace(addr); addr != "" {
			s.names = append(s.names, addr)
		}
	}
	defer func() { err = errors.Join(err, s.client.Close()) }()
	return c.run(s, o)
}

func (t *tool) list() {
	t.printf("The most commonly used mqadmin commands are:\n")
	for _, c := range commands {
		t.printf("   %-35s %s\n", c.name, c.text)
	}
	t.printf("\nSee 'mqadmin help <command>' for more information on a specific command.\n")
}

// Names lists all commands of upstream, in upstream's order.
func Names() []string {
	names := make([]string, len(commands))
	for i, c := range commands {
		names[i] = c.name
	}
	return names
}

func find(name string) *command {
	for _, c := range commands {
		if strings.EqualFold(c.name, name) {
			return c
		}
	}
	return nil
}

func (t *tool) unknown(name string) int {
	t.printf("The sub command %s not exist.\n", name)
	return t.failed()
}

func (t *tool) unserved(c *command) int {
	t.complain("The sub command " + c.name + " is not served yet.")
	return t.failed()
}

func (t *tool) failed() int {
	if t.strict {
		return 1
	}
	return 0
}

func (t *tool) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(t.out, format, args...) // nobody is left to tell
}

func (t *tool) complain(text string) {
	_, _ = fmt.Fprintln(t.err, text) // as printf
}
