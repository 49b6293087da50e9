// SPDX-License-Identifier: Apache-2.0

// A page of a mapped file that the disk does not give, because it has gone or
// the file was cut, is a signal and no error. Guard makes it one.

package vfs

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
)

// ErrFault says that mapped bytes could not be read or written.
var ErrFault = errors.New("the disk does not give a mapped page")

// Guard runs fn, which looks at mapped bytes or stores to them; a fault in
// there ends fn and is an error. fn may not hold a lock when it looks.
func Guard(fn func() error) (err error) {
	was := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(was)
		if r := recover(); r != nil {
			fault, ok := r.(interface {
				runtime.Error
				Addr() uintptr
			})
			if !ok {
				panic(r)
			}
			err = fmt.Errorf("%w (%w)", ErrFault, fault)
		}
	}()
	return fn()
}
