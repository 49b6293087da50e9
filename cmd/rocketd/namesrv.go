// SPDX-License-Identifier: Apache-2.0

// `rocketd namesrv`, which bin/mqnamesrv runs. Java: NamesrvStartup.
package main

import (
	"context"
	"fmt"
	"net"

	"github.com/jonboulle/clockwork"
	"github.com/spf13/cobra"

	"rocketd/internal/run"
	"rocketd/namesrv"
)

func namesrvCommand() *cobra.Command {
	var o options
	cmd := &cobra.Command{Use: "namesrv", Short: "Run a NameServer", Args: cobra.ArbitraryArgs}
	o.bind(cmd, "mqnamesrv", "Name server config properties file", "Print all config items")
	cmd.RunE = func(_ *cobra.Command, args []string) (err error) {
		tellIgnored(args)
		p := startProcess("namesrv", 100)
		defer p.end(&err)
		cfg := namesrv.DefaultConfig()
		if err := o.load(&cfg, p.log); err != nil {
			return err
		}
		if o.file != "" { // whatever the file itself says, as with Java
			cfg.ConfigStorePath = o.file
		}
		if o.print(&cfg) {
			return nil
		}
		return p.run(func(ctx context.Context) error {
			g := run.NewGroup(ctx)
			if _, err := p.serveNames(g, 0, cfg); err != nil {
				return err
			}
			return g.Wait()
		})
	}
	return cmd
}

// serveNames starts a NameServer as a stage of g.
func (p *process) serveNames(g *run.Group, stage int, cfg namesrv.Config) (*namesrv.Server, error) {
	cfg.Serialize = p.serialize
	n, err := namesrv.New(cfg, namesrv.Deps{FS: namesrv.OS, Clock: clockwork.NewRealClock(), Log: p.log, Listen: net.Listen})
	if err != nil {
		return nil, err
	}
	g.Go(stage, "namesrv", n.Run)
	g.Go(stage, "namesrv boot", func(ctx context.Context) error {
		select {
		case <-ctx.Done():
		case <-n.Ready():
			p.booted(fmt.Sprintf("The Name Server boot success. serializeType=%s, address %s:%d", p.serialize, cfg.BindAddress, cfg.ListenPort))
		}
		return nil
	})
	return n, nil
}
