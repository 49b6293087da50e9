// SPDX-License-Identifier: Apache-2.0

// Name server addresses: the Go client takes IP addresses only, people type host names.
package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/spf13/pflag"
)

// nameServers takes the list from -n, else from NAMESRV_ADDR, else the one that the Java class holds, and resolves its
// host names.
func nameServers(args []string, own string) (primitive.NamesrvAddr, error) {
	options := pflag.NewFlagSet("tools.sh", pflag.ContinueOnError)
	options.SetOutput(io.Discard)
	list := options.StringP("namesrvAddr", "n", "", "Name server address list")
	if err := options.Parse(args); err != nil {
		return nil, fmt.Errorf("%w; the only option is -n host:port;host:port.", err)
	}
	for _, choice := range []string{*list, os.Getenv("NAMESRV_ADDR"), own} {
		if choice = strings.TrimSpace(choice); choice != "" {
			return resolve(choice, net.LookupHost)
		}
	}
	return nil, errors.New("No name server address, please set it: export NAMESRV_ADDR=localhost:9876")
}

// resolve turns "host:port;host:port" into addresses. An IPv4 address of a host goes first, because a server that
// listens on 0.0.0.0 is not reached over IPv6.
func resolve(list string, lookup func(host string) ([]string, error)) (primitive.NamesrvAddr, error) {
	var addrs primitive.NamesrvAddr
	for _, entry := range strings.Split(list, ";") {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		host, port, err := net.SplitHostPort(entry)
		if err != nil {
			return nil, fmt.Errorf("The name server address %q is not host:port.", entry)
		}
		if _, err := netip.ParseAddr(host); err == nil {
			addrs = append(addrs, entry)
			continue
		}
		found, err := lookup(host)
		if err != nil || len(found) == 0 {
			return nil, fmt.Errorf("The name server %q has no address: %w", entry, err)
		}
		addrs = append(addrs, net.JoinHostPort(preferIPv4(found), port))
	}
	if len(addrs) == 0 {
		return nil, fmt.Errorf("The name server list %q holds no address.", list)
	}
	return addrs, nil
}

func preferIPv4(found []string) string {
	for _, text := range found {
		if a, err := netip.ParseAddr(text); err == nil && a.Is4() {
			return text
		}
	}
	return found[0]
}
