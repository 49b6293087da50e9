// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package target

import "syscall"

// diesWithParent has no counterpart here: servers of a killed test are left to the user.
func diesWithParent() *syscall.SysProcAttr { return nil }
