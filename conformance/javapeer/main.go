// SPDX-License-Identifier: Apache-2.0

// Command javapeer runs one Java NameServer and Broker for all test processes of a run: it writes their address to the
// file that it is given, and ends them when its standard input ends. Their logs and store stay if there is a file of the
// same name with .keep behind it then.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"rocketd/conformance/target"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "javapeer:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 2 {
		return errors.New("usage: javapeer FILE")
	}
	c, err := target.Start(target.Java, target.Options{})
	if err != nil {
		return err
	}
	if err := c.Publish(os.Args[1]); err != nil {
		return errors.Join(err, c.Close(false))
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	_, absent := os.Stat(os.Args[1] + ".keep")
	keep := err != nil || absent == nil
	if keep {
		fmt.Println("the logs and the store of the Java servers stay in " + c.Home)
	}
	return errors.Join(err, c.Close(keep))
}
