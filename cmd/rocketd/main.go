// SPDX-License-Identifier: Apache-2.0

// Command rocketd is every server and admin program in one: `rocketd namesrv`, `broker`, `standalone`, `admin`,
// `store`. The launchers in bin/ carry upstream's names and call it.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

func main() {
	root := &cobra.Command{
		Use:           "rocketd",
		Short:         "A message broker and name server that speak Apache RocketMQ's protocols",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(namesrvCommand(), brokerCommand(), standaloneCommand(), adminCommand(), storeCommand())
	if err := root.Execute(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
