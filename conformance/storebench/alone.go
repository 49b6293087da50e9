// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"rocketd/internal/yardstick/rounds"
	"rocketd/protocol/message"
	"rocketd/store"
)

const (
	bodyBytes = 1 << 10
	queues    = 8
	waiters   = 128
	touched   = 1 << 30 // more than a round makes a side write
	drainStep = time.Millisecond
)

func profile(file string) (stop func() error, err error) {
	if file == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, pprof.StartCPUProfile(f)
}

// alone is a store in this process, without a Broker, and beside it the file that is the floor.
type alone struct {
	*store.Store
	floor *os.File
	stop  func() error
}

func openAlone(dir string, flush store.FlushDiskType) (*alone, error) {
	cfg := store.DefaultConfig()
	cfg.StorePathRootDir, cfg.FlushDiskType = filepath.Join(dir, "store"), flush
	s, err := store.Open(cfg, store.Deps{Log: zerolog.New(os.Stderr).Level(zerolog.WarnLevel)})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stop := func() error {
		cancel()
		return errors.Join(<-ended, s.Close())
	}
	return &alone{s, nil, stop}, nil
}

// freshFloor gives the floor a new file; the pages of the old one are free to be used again.
func (a *alone) freshFloor(dir string) (err error) {
	name := filepath.Join(dir, "floor.dat")
	if a.floor != nil {
		if err := errors.Join(a.floor.Close(), os.Remove(name)); err != nil {
			return err
		}
	}
	a.floor, err = os.Create(name)
	return err
}

// sample is what one sender stores: a message such as a client sends, and the same as the record that the floor writes.
type sample struct {
	message.Message
	record []byte
	sent   int
}

func newSample() (*sample, error) {
	host := netip.MustParseAddrPort("127.0.0.1:10911")
	m := message.Message{Topic: "storebench", Body: make([]byte, bodyBytes), BornHost: host, StoreHost: host, BornTimestampMs: time.Now().UnixMilli()}
	s := &sample{Message: m}
	s.name()
	record, err := message.AppendRecord(nil, &s.Message)
	s.record = record
	return s, err
}

// name gives the message a key of its own and the next queue.
func (s *sample) name() {
	s.QueueID = int32(s.sent % queues)
	s.Properties = fmt.Sprintf("UNIQ_KEY\x01%032d\x02WAIT\x01true\x02TAGS\x01TagA\x02MSG_REGION\x01DefaultRegion\x02TRACE_ON\x01true\x02", s.sent)
	s.sent++
}

// measureAppend stores messages as fast as it goes, one after the other, until their units are in the queue files.
func measureAppend(dir string) ([]*row, error) {
	a, err := openAlone(dir, store.AsyncFlush)
	if err != nil {
		return nil, err
	}
	r := &row{name: "append, ASYNC_FLUSH, 1 KiB, against a `write` a record", unit: "records/s", goal: ">= 0.60"}
	err = a.appendRounds(dir, r)
	return []*row{r}, errors.Join(err, a.stop())
}

func (a *alone) appendRounds(dir string, r *row) error {
	s, err := newSample()
	if err != nil {
		return err
	}
	perSecond := func(d time.Duration) float64 { return float64(*appends) / d.Seconds() }
	for range *count {
		rounds.TouchMemory(touched)
		began := time.Now()
		for range *appends {
			s.name()
			if _, err := a.Put(&s.Message); err != nil {
				return err
			}
		}
		for a.DispatchBehind() > 0 {
			time.Sleep(drainStep)
		}
		ours := time.Since(began)
		if err := a.freshFloor(dir); err != nil {
			return err
		}
		rounds.TouchMemory(touched)
		began = time.Now()
		for range *appends {
			s.name() // as much work for the load itself
			if _, err := a.floor.Write(s.record); err != nil {
				return err
			}
		}
		r.add(perSecond(ours), perSecond(time.Since(began)))
	}
	return nil
}

// measureSync stores messages each of which waits for the disk.
func measureSync(dir string) ([]*row, error) {
	a, err := openAlone(dir, store.SyncFlush)
	if err != nil {
		return nil, err
	}
	many := &row{name: "SYNC_FLUSH, 128 waiters, against a group `fsync`", unit: "records/s", goal: ">= 0.80"}
	one := &row{name: "SYNC_FLUSH, one waiter, against `write` and `fsync`", unit: "p50 us", goal: "<= 1.30"}
	for range *count {
		if err = a.syncRound(dir, many, one); err != nil {
			break
		}
	}
	return []*row{many, one}, errors.Join(err, a.stop())
}

func (a *alone) syncRound(dir string, many, one *row) error {
	if err := a.freshFloor(dir); err != nil {
		return err
	}
	group := newGroupFile(a.floor)
	put := func(s *sample) error {
		receipt, err := a.Put(&s.Message)
		if err != nil {
			return err
		}
		return a.AwaitFlush(context.Background(), receipt.EndOffset)
	}
	write := func(s *sample) error { return group.append(s.record) }
	ours, _, err := each(waiters, 20**syncs, put)
	if err != nil {
		return err
	}
	floor, _, err := each(waiters, 20**syncs, write)
	if err != nil {
		return err
	}
	many.add(ours, floor)
	_, ours, err = each(1, *syncs, put)
	if err != nil {
		return err
	}
	_, floor, err = each(1, *syncs, write)
	one.add(ours, floor)
	return err
}

// each lets so many senders store n records in all. It returns the records a second and the median of what one took.
func each(senders, n int, put func(s *sample) error) (perSecond, medianUs float64, err error) {
	var all sync.WaitGroup
	errs := make([]error, senders)
	took := make([][]time.Duration, senders)
	began := time.Now()
	for i := range senders {
		all.Go(func() {
			s, err := newSample()
			for range n / senders {
				if err != nil {
					break
				}
				s.name()
				at := time.Now()
				err = put(s)
				took[i] = append(took[i], time.Since(at))
			}
			errs[i] = err
		})
	}
	all.Wait()
	elapsed := time.Since(began)
	sorted := slices.Sorted(slices.Values(slices.Concat(took...)))
	return float64(len(sorted)) / elapsed.Seconds(), float64(sorted[len(sorted)/2].Nanoseconds()) / 1000, errors.Join(errs...)
}

// groupFile is the least that a durable append costs: a write, and a sync that all share who came while one ran.
type groupFile struct {
	f              *os.File
	mu             sync.Mutex
	done           sync.Cond
	written, saved int64
	syncing        bool
}

func newGroupFile(f *os.File) *groupFile {
	g := &groupFile{f: f}
	g.done.L = &g.mu
	return g
}

func (g *groupFile) append(record []byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, err := g.f.Write(record); err != nil {
		return err
	}
	g.written++
	for mine := g.written; g.saved < mine; {
		if g.syncing {
			g.done.Wait()
			continue
		}
		g.syncing = true
		upTo := g.written
		g.mu.Unlock()
		err := g.f.Sync()
		g.mu.Lock()
		g.syncing = false
		if err != nil {
			return err
		}
		g.saved = upTo
		g.done.Broadcast()
	}
	return nil
}
