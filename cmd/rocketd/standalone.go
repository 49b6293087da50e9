// SPDX-License-Identifier: Apache-2.0

// `rocketd standalone`, which bin/standalone runs: a NameServer and a Broker in one process, without configuration.
package main

import (
	"context"
	"net"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"rocketd/internal/run"
	"rocketd/namesrv"
)

const (
	stageBroker = iota // ends first: it takes itself off the NameServer
	stageNamesrv
)

func standaloneCommand() *cobra.Command {
	o := options{}
	cmd := &cobra.Command{Use: "standalone", Short: "Run a NameServer and a Broker in one process", Args: cobra.ArbitraryArgs}
	o.bindBroker(cmd, "standalone")
	cmd.RunE = func(_ *cobra.Command, args []string) (err error) {
		tellIgnored(args)
		p := startProcess("broker", brokerGarbage)
		defer p.end(&err)
		cfg, printed, err := o.brokerConfig(p)
		if err != nil || printed {
			return err
		}
		names := namesrv.DefaultConfig()
		if cfg.NamesrvAddr == "" {
			cfg.NamesrvAddr = net.JoinHostPort("127.0.0.1", strconv.Itoa(int(names.ListenPort)))
		}
		first, _, _ := strings.Cut(cfg.NamesrvAddr, ";")
		port, err := strconv.Atoi(first[strings.LastIndexByte(first, ':')+1:])
		if err != nil {
			return err
		}
		names.ListenPort = int32(port)
		b, err := p.newBroker(cfg, o.file)
		if err != nil {
			return err
		}
		return p.run(func(ctx context.Context) error {
			g := run.NewGroup(ctx)
			n, err := p.serveNames(g, stageNamesrv, names)
			if err != nil {
				return err
			}
			// The Broker registers when it starts, so the NameServer must answer by then.
			g.Go(stageBroker, "start", func(ctx context.Context) error {
				select {
				case <-ctx.Done():
				case <-n.Ready():
					p.serveMessages(g, stageBroker, b)
				}
				return nil
			})
			return g.Wait()
		})
	}
	return cmd
}
