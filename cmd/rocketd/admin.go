// SPDX-License-Identifier: Apache-2.0

// `rocketd admin`, which bin/mqadmin runs. Java: MQAdminStartup.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"rocketd/admin"
)

func adminCommand() *cobra.Command {
	return &cobra.Command{
		Use:                "admin",
		Short:              "Run an admin command",
		DisableFlagParsing: true,
		Run: func(_ *cobra.Command, args []string) {
			os.Exit(admin.Main(args, os.Stdout, os.Stderr, os.Getenv))
		},
	}
}
