// SPDX-License-Identifier: Apache-2.0

// Ours in this process: what a test with a debugger or the race detector wants.

package target

import (
	"context"
	"errors"
	"net"
	"os"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"

	"rocketd/broker"
	"rocketd/conf"
	"rocketd/namesrv"
)

// inproc is a Run that was started with a context of its own.
type inproc struct {
	cancel context.CancelFunc
	done   chan error
}

// runInproc waits until ready is closed or run has returned.
func runInproc(run func(ctx context.Context) error, ready <-chan struct{}) (running, error) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &inproc{cancel: cancel, done: make(chan error, 1)}
	go func() { s.done <- run(ctx) }()
	select {
	case <-ready:
		return s, nil
	case err := <-s.done:
		cancel()
		return nil, errors.Join(errors.New("the server ended at its start"), err)
	}
}

func (s *inproc) Stop() error {
	s.cancel()
	return <-s.done
}

func (s *inproc) Kill() error {
	return errors.Join(s.Stop(), errors.New("a server in this process cannot be killed"))
}

func inprocNames(file string) (running, error) {
	cfg := namesrv.DefaultConfig()
	if _, err := conf.Load(file, &cfg); err != nil {
		return nil, err
	}
	s, err := namesrv.New(cfg, namesrv.Deps{FS: namesrv.OS, Clock: clockwork.NewRealClock(), Log: zerolog.Nop(), Listen: net.Listen})
	if err != nil {
		return nil, err
	}
	return runInproc(s.Run, s.Ready())
}

func inprocBroker(file string) (running, error) {
	cfg := broker.DefaultConfig()
	if _, err := conf.Load(file, &cfg); err != nil {
		return nil, err
	}
	b, err := broker.New(cfg, broker.Deps{Log: zerolog.Nop(), Host: broker.Host{Name: "host", PID: os.Getpid(), IP: "127.0.0.1"}})
	if err != nil {
		return nil, err
	}
	return runInproc(b.Run, b.Ready())
}
