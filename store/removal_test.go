// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"math/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rocketd/internal/testkit"
	"rocketd/store/vfs"
)

// leaveOld makes a store of which queue 1 has the first messages, in the oldest part of the log only, which a start would
// not read for anything else, and leaves it.
func leaveOld(t *testing.T, how string, first int) *damaged {
	d := &damaged{fs: vfs.NewMem(), cfg: smallConfig("/store"), bodies: map[int32][]string{}}
	r := newRetained(t, d.fs, d.cfg)
	for i := range damagedMessages {
		q, body := int32(0), fmt.Sprint(i)
		if i < first {
			q = 1
		}
		mustPut(t, r.Store, newMessage("T", q, body))
		d.bodies[q] = append(d.bodies[q], body)
		if i%100 == 99 {
			require.NoError(t, r.flushEverything())
			r.clock.Advance(time.Minute)
		}
	}
	d.leaveAs(t, r.Store, how)
	return d
}

// Files of queues and index that cannot be right are removed at a start, after it has said that units are missing: a kill
// or a power loss at any moment of that start, and the next one makes them again.
func TestRemovalsAreKnownToTheNextStart(t *testing.T) {
	for _, ending := range append([]string{"power loss without a list"}, endings...) {
		for name, harm := range map[string]func(d *damaged){
			"a queue file":         func(d *damaged) { d.resize(t, q1+segmentName(400), 7) },
			"the first queue file": func(d *damaged) { d.resize(t, q1+segmentName(0), 7) },
			"a hole":               func(d *damaged) { d.remove(t, q1+segmentName(400)) },
			"an index file":        func(d *damaged) { d.resize(t, d.index(t), 1000) },
			"the first index file": func(d *damaged) { d.resize(t, "index/"+mustList(t, d.fs, "/store/index")[0], 1000) },
			"both":                 func(d *damaged) { d.resize(t, q1+segmentName(400), 7); d.resize(t, d.index(t), 1000) },
		} {
			t.Run(ending+"/"+name, func(t *testing.T) {
				d := leaveOld(t, ending, 60)
				harm(d)
				d.openCut(t)
			})
		}
	}
}

// openCut opens a store, and again what a kill and what a power loss would leave before each operation of that.
func (d *damaged) openCut(t *testing.T) {
	rng := rand.New(rand.NewSource(max(*crashSeed, 1)))
	points := 0
	d.fs.SetFault(func(op vfs.Op) error {
		if points++; !op.Changes() || op.Kind != "remove" && points > 40 && rng.Intn(20) > 0 || rng.Intn(testkit.Sparse(6)) > 0 {
			return nil
		}
		killed, failed := *d, *d
		killed.fs = d.fs.Clone()
		failed.fs, failed.boot = d.fs.CrashClone(rng), d.boot+" still later"
		killed.open(t)
		failed.open(t)
		if t.Failed() {
			t.Logf("at point %d, before %s %s", points, op.Kind, op.Name)
		}
		return nil
	})
	d.open(t)
	require.Greater(t, points, 40)
}

// A start that is refused for damage to the log does not forget which files of queues it has removed, whatever was left to
// tell it by.
func TestARefusalRemembersRemovals(t *testing.T) {
	for _, ending := range append([]string{"power loss without a list"}, endings...) {
		t.Run(ending, func(t *testing.T) {
			d := leaveOld(t, ending, 60)
			d.cfg.MessageIndexEnable = false // an index that is gone would tell it, too
			d.remove(t, "abort")
			d.resize(t, q1+segmentName(400), 7)
			log := "commitlog/" + segmentName(0)
			was := string(readFile(t, d.fs, "/store/"+log)[80:100])
			d.scribble(t, log, 80, "damaged all the way.")
			for range 2 {
				deps := newDeps(d.fs)
				deps.Host.BootID += d.boot
				_, err := Open(d.cfg, deps)
				require.ErrorContains(t, err, "/store/"+log+": corrupt at byte 0")
			}
			d.scribble(t, log, 80, was)
			s := newStoreAfter(t, d.fs, d.cfg, d.boot)
			for q, bodies := range d.bodies {
				require.Equal(t, bodies, readAll(t, s, "T", q))
			}
			s.release()
		})
	}
}

// A disk that fills up or fails at any operation of a start that has much to repair: the start may fail, and the next one,
// after a kill or a power loss, has everything.
func TestADiskFailsDuringRecovery(t *testing.T) {
	rng := rand.New(rand.NewSource(max(*crashSeed, 1)))
	for _, ending := range append([]string{"power loss without a list"}, endings...) {
		for name, fails := range map[string]func(op vfs.Op) error{"full": vfs.FullDisk, "read-only": vfs.ReadOnlyDisk, "gone": vfs.GoneDisk} {
			t.Run(ending+"/"+name, func(t *testing.T) {
				left := leaveOld(t, ending, 60)
				left.resize(t, q1+segmentName(400), 7)
				left.resize(t, left.index(t), 1000)
				for at, reached := 0, true; reached; at += 1 + rng.Intn(30*testkit.Sparse(6)) {
					d, n := *left, 0
					d.fs = left.fs.Clone()
					d.fs.SetFault(func(op vfs.Op) error {
						if n++; n > at {
							return fails(op)
						}
						return nil
					})
					deps := newDeps(d.fs)
					deps.Host.BootID += d.boot
					s, err := Open(d.cfg, deps)
					if reached = n > at; err == nil {
						s.release()
					}
					d.fs.SetFault(nil)
					if rng.Intn(2) == 0 {
						d.fs = d.fs.Clone()
					} else {
						d.fs, d.boot = d.fs.CrashClone(rng), d.boot+" still later"
					}
					d.open(t)
				}
			})
		}
	}
}
