// SPDX-License-Identifier: Apache-2.0

package target

import "syscall"

// diesWithParent ends a server whose test was killed, which would otherwise hold its port and memory for ever.
func diesWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
