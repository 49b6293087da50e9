// SPDX-License-Identifier: Apache-2.0

// `rocketd broker`, which bin/mqbroker runs. Java: BrokerStartup.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"rocketd/broker"
	"rocketd/internal/run"
)

func brokerCommand() *cobra.Command {
	var o options
	cmd := &cobra.Command{Use: "broker", Short: "Run a Broker", Args: cobra.ArbitraryArgs}
	o.bindBroker(cmd, "mqbroker")
	cmd.RunE = func(_ *cobra.Command, args []string) (err error) {
		tellIgnored(args)
		p := startProcess("broker", brokerGarbage)
		defer p.end(&err)
		cfg, printed, err := o.brokerConfig(p)
		if err != nil || printed {
			return err
		}
		b, err := p.newBroker(cfg, o.file)
		if err != nil {
			return err
		}
		return p.run(func(ctx context.Context) error {
			g := run.NewGroup(ctx)
			p.serveMessages(g, 0, b)
			return g.Wait()
		})
	}
	return cmd
}

// brokerGarbage lets a broker collect rarely: its live data is small, and its garbage is what requests leave.
const brokerGarbage = 400

func (o *options) bindBroker(cmd *cobra.Command, launcher string) {
	o.bind(cmd, launcher, "Broker config properties file", "Print all config item")
	cmd.Flags().BoolVarP(&o.important, "printImportantConfig", "m", false, "Print important config item")
	cmd.Flags().BoolVar(&o.proxy, "enable-proxy", false, "")
	_ = cmd.Flags().MarkHidden("enable-proxy")
}

// brokerConfig puts the configuration together: defaults, environment, file, options. printed says that -p or -m has
// been answered and there is nothing to run.
func (o *options) brokerConfig(p *process) (cfg broker.Config, printed bool, err error) {
	if o.proxy {
		return cfg, false, errors.New("--enable-proxy: the gRPC proxy is not supported; start without it")
	}
	cfg = broker.DefaultConfig()
	cfg.NamesrvAddr, cfg.RocketmqHome = os.Getenv("NAMESRV_ADDR"), os.Getenv("ROCKETMQ_HOME")
	cfg.StorePathRootDir = filepath.Join(p.home, "store")
	if err := o.load(&cfg, p.log); err != nil {
		return cfg, false, err
	}
	if o.servers != "" {
		cfg.NamesrvAddr = o.servers
	}
	if cfg.BrokerIP1 == "" {
		cfg.BrokerIP1 = thisHost().IP
	}
	if o.print(&cfg) {
		return cfg, true, nil
	}
	return cfg, false, checkServers(cfg.NamesrvAddr)
}

// newBroker checks the configuration. file is where changes of it at run time are kept.
func (p *process) newBroker(cfg broker.Config, file string) (*broker.Broker, error) {
	cfg.Serialize = p.serialize
	return broker.New(cfg, broker.Deps{Log: p.log, Host: thisHost(), ConfigFile: file})
}

// serveMessages starts a Broker as a stage of g.
func (p *process) serveMessages(g *run.Group, stage int, b *broker.Broker) {
	g.Go(stage, "broker", b.Run)
	g.Go(stage, "broker boot", func(ctx context.Context) error {
		select {
		case <-ctx.Done():
		case <-b.Ready():
			c := b.Config()
			line := fmt.Sprintf("The broker[%s, %s:%d] boot success. serializeType=%s", c.BrokerName, c.BrokerIP1, c.ListenPort, p.serialize)
			if c.NamesrvAddr != "" {
				line += " and name server is " + c.NamesrvAddr
			}
			p.booted(line)
		}
		return nil
	})
}
