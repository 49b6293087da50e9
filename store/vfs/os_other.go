// SPDX-License-Identifier: Apache-2.0

//go:build unix && !linux

package vfs

import (
	"errors"
	"os"
)

func allocate(f *os.File, off, n int64) error { return writeZeros(f, off, n, true) }
func zero(f *os.File, off, n int64) error     { return writeZeros(f, off, n, false) }
func dataSync(f *os.File) error               { return f.Sync() }
func hasData(_ int, off, size int64) bool     { return off < size }
func load([]byte)                             {}

func (osFS) OpenVolume(string) (Volume, error) { return nil, errors.ErrUnsupported }
