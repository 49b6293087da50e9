// SPDX-License-Identifier: Apache-2.0

// A file system that writes down what is done to another one, for tests about
// the order of writes, syncs and renames.

package vfs

import (
	"fmt"
	"io"
	"sync"
)

// Log passes everything on to another FS and records the changing operations.
type Log struct {
	FS
	mu  sync.Mutex
	ops []string
}

// NewLog records the operations on inner.
func NewLog(inner FS) *Log { return &Log{FS: inner} }

func (l *Log) record(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ops = append(l.ops, fmt.Sprintf(format, args...))
}

// Ops returns the operations since the last call, one line each.
func (l *Log) Ops() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	ops := l.ops
	l.ops = nil
	return ops
}

func (l *Log) Open(name string, flag Flag) (File, error) {
	f, err := l.FS.Open(name, flag)
	if err != nil {
		return nil, err
	}
	if flag == Create || flag == Truncate {
		l.record("create %s", name)
	}
	return &logFile{File: f, l: l, name: name}, nil
}

func (l *Log) WriteFileAt(name string, p []byte, off int64) error {
	return writeFileAt(l, name, p, off)
}

func (l *Log) Remove(name string) error {
	l.record("remove %s", name)
	return l.FS.Remove(name)
}

func (l *Log) Rename(from, to string) error {
	l.record("rename %s %s", from, to)
	return l.FS.Rename(from, to)
}

func (l *Log) MkdirAll(dir string) error {
	l.record("mkdir %s", dir)
	return l.FS.MkdirAll(dir)
}

func (l *Log) SyncDir(dir string) error {
	l.record("syncdir %s", dir)
	return l.FS.SyncDir(dir)
}

func (l *Log) OpenVolume(dir string) (Volume, error) {
	v, err := l.FS.OpenVolume(dir)
	if err != nil {
		return nil, err
	}
	return &logVolume{Volume: v, l: l, dir: dir}, nil
}

func (l *Log) Lock(name string) (io.Closer, error) {
	l.record("lock %s", name)
	return l.FS.Lock(name)
}

type logFile struct {
	File
	l    *Log
	name string
}

func (f *logFile) WriteAt(p []byte, off int64) (int, error) {
	f.l.record("write %s %d+%d", f.name, off, len(p))
	return f.File.WriteAt(p, off)
}

func (f *logFile) Truncate(size int64) error {
	f.l.record("truncate %s %d", f.name, size)
	return f.File.Truncate(size)
}

func (f *logFile) Allocate(off, n int64) error {
	f.l.record("allocate %s %d+%d", f.name, off, n)
	return f.File.Allocate(off, n)
}

func (f *logFile) Zero(off, n int64) error {
	f.l.record("zero %s %d+%d", f.name, off, n)
	return f.File.Zero(off, n)
}

func (f *logFile) Sync() error {
	f.l.record("sync %s", f.name)
	return f.File.Sync()
}

func (f *logFile) Map(size int64, writable bool) (Mapping, error) {
	m, err := f.File.Map(size, writable)
	if err != nil {
		return nil, err
	}
	return &logMapping{Mapping: m, f: f}, nil
}

type logVolume struct {
	Volume
	l   *Log
	dir string
}

func (v *logVolume) Sync() error {
	v.l.record("syncfs %s", v.dir)
	return v.Volume.Sync()
}

type logMapping struct {
	Mapping
	f *logFile
}

func (m *logMapping) Store(off int64, b []byte) error {
	m.f.l.record("store %s %d+%d", m.f.name, off, len(b))
	return m.Mapping.Store(off, b)
}
