// SPDX-License-Identifier: Apache-2.0

package vfs

import "golang.org/x/sys/unix"

// PhysicalMemory is the machine's memory in bytes.
func PhysicalMemory() int64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0
	}
	return int64(info.Totalram) * int64(info.Unit) //nolint:unconvert // its type differs between systems
}
