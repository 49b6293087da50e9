// SPDX-License-Identifier: Apache-2.0

// Who this machine is. The address that clients are told when no configuration says it is chosen as Java chooses it:
// upstream's NetworkUtil prefers an IPv4 address that is not of 192.168, and takes no bridge.
package main

import (
	"net"
	"net/netip"
	"os"
	"strings"

	"rocketd/broker"
)

func thisHost() broker.Host {
	name, err := os.Hostname()
	if err != nil {
		name = ""
	}
	return broker.Host{Name: name, PID: os.Getpid(), IP: pickAddress(hostAddresses())}
}

// hostAddresses lists the addresses of interfaces that other machines may reach.
func hostAddresses() []netip.Addr {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil
	}
	var found []netip.Addr
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 || i.Flags&(net.FlagLoopback|net.FlagPointToPoint) != 0 || isBridge(i.Name) {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			if ip, ok := a.(*net.IPNet); ok {
				if addr, ok := netip.AddrFromSlice(ip.IP); ok && !addr.IsLoopback() {
					found = append(found, addr.Unmap())
				}
			}
		}
	}
	return found
}

// isBridge recognises what container engines put between their containers.
func isBridge(name string) bool {
	_, err := os.Stat("/sys/class/net/" + name + "/bridge")
	return err == nil
}

// pickAddress takes the first IPv4 address that is not of a home network, else the last IPv4 address, else the first
// IPv6 address that is not of the link.
func pickAddress(found []netip.Addr) string {
	last := ""
	for _, a := range found {
		if a.Is4() {
			last = a.String()
			if !strings.HasPrefix(last, "192.168") {
				return last
			}
		}
	}
	if last != "" {
		return last
	}
	for _, a := range found {
		if !a.IsLinkLocalUnicast() {
			return a.String()
		}
	}
	return "127.0.0.1"
}
