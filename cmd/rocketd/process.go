// SPDX-License-Identifier: Apache-2.0

// What every server of this program has: log files, a memory policy, and an end that a signal brings.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"

	"github.com/rs/zerolog"

	"rocketd/internal/logs"
	"rocketd/protocol"
)

// process is one running server, or the two of standalone.
type process struct {
	home      string // of the user: logs, and the store unless configured elsewhere
	files     *logs.Files
	log       zerolog.Logger
	serialize protocol.SerializeType
}

// startProcess opens the logs. gcPercent is how much garbage may stand beside the live data: a busy server buys speed
// with it, an idle one gives it back once it is ready. GOGC in the environment wins.
func startProcess(mainLog string, gcPercent int) *process {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = "."
	}
	files := logs.Open(filepath.Join(home, "logs", "rocketmqlogs"), mainLog)
	return &process{home: home, files: files, log: files.Logger(), serialize: serializeType()}
}

// run calls serve with a context that ends at the first signal; at the second one the process ends at once.
func (p *process) run(serve func(ctx context.Context) error) error {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup: the terminal's end is not ours
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	defer stop()
	context.AfterFunc(ctx, stop)

	err := serve(ctx)
	if err == nil {
		p.log.Info().Msg("ended as told")
	}
	return err
}

// end closes the log, in which a start that is refused leaves its reason too: who reads the log does not see the terminal.
func (p *process) end(err *error) {
	if *err != nil {
		p.log.Error().Err(*err).Msg("ended by a failure")
	}
	if closeErr := p.files.Close(); *err == nil {
		*err = closeErr
	}
}

// booted tells the operator, who looks at the terminal or into the log, that the ports answer.
func (p *process) booted(line string) {
	p.log.Info().Msg(line)
	fmt.Println(line)
	debug.FreeOSMemory()
}

// serializeType reads, as Java does, the header form of everything that this process writes.
func serializeType() protocol.SerializeType {
	if os.Getenv("ROCKETMQ_SERIALIZE_TYPE") == protocol.SerializeBinary.String() {
		return protocol.SerializeBinary
	}
	return protocol.SerializeJSON
}
