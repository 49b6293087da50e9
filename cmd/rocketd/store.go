// SPDX-License-Identifier: Apache-2.0

// `rocketd store check|dump|repair DIR`: a data directory that no server uses, Java's or ours.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"rocketd/broker"
	"rocketd/conf"
	"rocketd/store"
	"rocketd/store/vfs"
)

func storeCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "store", Short: "Look at a data directory that no server uses, or mend it"}
	var file string
	cmd.PersistentFlags().StringVarP(&file, "configFile", "c", "", "Broker config properties file, for other paths and sizes than the defaults")
	cmd.AddCommand(storeCheckCommand(&file), storeDumpCommand(&file), storeRepairCommand(&file))
	return cmd
}

// storeConfig is the configuration under which a directory is looked at.
func storeConfig(dir, file string) (store.Config, error) {
	cfg := broker.DefaultConfig()
	if file != "" {
		if _, err := conf.Load(file, &cfg); err != nil {
			return cfg.Config, err
		}
	}
	cfg.StorePathRootDir = filepath.Clean(dir)
	return cfg.Config, cfg.Config.Validate()
}

func storeCheckCommand(file *string) *cobra.Command {
	return &cobra.Command{
		Use: "check DIR", Short: "Name what is wrong, one line a finding; exit code 1 when something is damaged", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := storeConfig(args[0], *file)
			if err != nil {
				return err
			}
			return checkStore(cmd, cfg, args[0], "damaged")
		},
	}
}

// checkStore prints what is wrong with a directory, which counts as damaged or as still damaged, or that nothing is.
func checkStore(cmd *cobra.Command, cfg store.Config, dir, damagedIs string) error {
	damaged, err := store.Check(vfs.OS, cfg, printFinding)
	if err == nil && damaged > 0 {
		err = fmt.Errorf("%s is %s: %d findings", dir, damagedIs, damaged)
	}
	if err == nil {
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: commit log, queues, index, checkpoint and tables were checked, no damage found.\n", dir)
	}
	return err
}

func storeDumpCommand(file *string) *cobra.Command {
	return &cobra.Command{
		Use: "dump DIR [FILE]", Short: "Print what is there, or each part of a file, named as under DIR", Args: cobra.RangeArgs(1, 2),
		RunE: func(_ *cobra.Command, args []string) error {
			cfg, err := storeConfig(args[0], *file)
			if err != nil {
				return err
			}
			name := ""
			if len(args) == 2 {
				name = args[1]
			}
			return store.Dump(vfs.OS, cfg, name, os.Stdout)
		},
	}
}

func storeRepairCommand(file *string) *cobra.Command {
	var cut bool
	cmd := &cobra.Command{
		Use: "repair DIR", Short: "Make queues and index anew from the log, and take damaged tables from their backups", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := storeConfig(args[0], *file)
			if err != nil {
				return err
			}
			deps := store.Deps{FS: vfs.OS, Clock: clockwork.NewRealClock(), Log: zerolog.Nop(), Host: store.Host{PID: os.Getpid()}}
			if err := store.Repair(cfg, deps, cut, printFinding); err != nil {
				return err
			}
			return checkStore(c, cfg, args[0], "still damaged")
		},
	}
	cmd.Flags().BoolVar(&cut, "cut", false, "give the log up behind the first damage; a copy of the files stays in DIR/damaged-<ms>")
	return cmd
}

func printFinding(f store.Finding) { fmt.Println(f) }
