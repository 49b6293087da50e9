// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

const (
	oneTopic   = "startbench"
	manyTopics = "startbench_many"
)

// The rows.
const (
	startClosed       = "start after a clean stop, s"
	startClosedCold   = "start after a clean stop, cold, s"
	startKilled       = "start after kill -9, s"
	startKilledBusy   = "start after kill -9 right after all sends, s"
	startUnlisted     = "start without the queue list, s"
	startUnlistedCold = "start without the queue list, cold, s"
	stopped           = "clean stop, s"
	residentMB        = "RSS after the start, MB"
	anonymousMB       = "RSS without mapped files, MB"
	oneTopicRate      = "sends of 1 KiB to one topic, messages/s"
	manyTopicsRate    = "sends of 1 KiB to all topics, messages/s"
	spreadSends       = "sends to all topics / sends to one"
)

// order is that of the rows in the table.
var order = []string{
	startClosed, startClosedCold, startKilled, startKilledBusy, startUnlisted, startUnlistedCold, stopped, residentMB, anonymousMB,
	oneTopicRate, manyTopicsRate, spreadSends,
}

// round takes a side, whose Broker does not run, through every kind of start.
func round(t *table, s *side) error {
	if err := s.dropCaches(); err != nil {
		return err
	}
	if err := started(t, s, startClosedCold); err != nil {
		return err
	}
	if err := ended(t, s); err != nil {
		return err
	}
	if err := started(t, s, startClosed); err != nil {
		return err
	}
	all, anonymous, err := s.memory()
	if err != nil {
		return err
	}
	t.add(s, residentMB, all)
	t.add(s, anonymousMB, anonymous)
	if err := killed(t, s); err != nil {
		return err
	}
	if err := ended(t, s); err != nil {
		return err
	}
	if s.java {
		return nil
	}
	for _, name := range []string{startUnlisted, startUnlistedCold} {
		for _, ours := range []string{"rocketd.queues", "rocketd.mark"} { // one without the other would be damage
			if err := os.Remove(filepath.Join(s.cluster.StoreDir(), ours)); err != nil {
				return err
			}
		}
		if name == startUnlistedCold {
			if err := s.dropCaches(); err != nil {
				return err
			}
		}
		if err := errors.Join(started(t, s, name), ended(t, s)); err != nil {
			return err
		}
	}
	return nil
}

// killed kills the Broker that runs and starts it again. What is fresh in the log then is sent right before; without that
// it is done twice, at rest and right after a load.
func killed(t *table, s *side) error {
	if t.part.fresh != nil {
		return errors.Join(t.part.fresh(s), s.broker.Kill(), started(t, s, startKilled))
	}
	if err := errors.Join(s.broker.Kill(), started(t, s, startKilled)); err != nil {
		return err
	}
	return errors.Join(compareSends(s, t), s.broker.Kill(), started(t, s, startKilledBusy))
}

func started(t *table, s *side, name string) error {
	seconds, err := s.start()
	if err == nil {
		t.add(s, name, seconds)
	}
	tell("%s: %s %.2f", s.name(), name, seconds)
	return err
}

func ended(t *table, s *side) error {
	began := time.Now()
	err := s.stop()
	if err == nil {
		t.add(s, stopped, time.Since(began).Seconds())
	}
	tell("%s: %s %.2f", s.name(), stopped, time.Since(began).Seconds())
	return err
}

// compareSends holds sends that go round all topics against sends to one, each the better of two turns, since the first
// load on a Broker that has just started is slower.
func compareSends(s *side, t *table) error {
	var one, many float64
	for range 2 {
		for _, to := range []struct {
			rate *float64
			args []string
		}{
			{&one, []string{"-t", oneTopic}},
			{&many, []string{"-t", manyTopics, "--topics", strconv.Itoa(*topics)}},
		} {
			r, err := s.load(append([]string{"send", "-n", strconv.Itoa(*sends), "-q", strconv.Itoa(*queues)}, to.args...)...)
			if err != nil {
				return err
			}
			*to.rate = max(*to.rate, r.PerSecond)
		}
	}
	t.add(s, oneTopicRate, one)
	t.add(s, manyTopicsRate, many)
	t.add(s, spreadSends, many/one)
	return nil
}
