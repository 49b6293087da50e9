// SPDX-License-Identifier: Apache-2.0

// Check of the commit log: every record, the filler at the end of each file,
// nothing behind the end.

package store

import (
	"encoding/binary"
	"fmt"

	"rocketd/protocol/message"
)

func (c *checker) checkLog() error {
	files, size, err := c.offsetFiles(newLogPaths(&c.cfg).all(), c.cfg.CommitLogFileSize, 1, minSegmentBytes)
	if err != nil {
		return err
	}
	for _, f := range files {
		s, err := openSegment(c.fs, f.name(), f.offset, size, true, true)
		if err != nil {
			return err
		}
		c.log = append(c.log, s)
	}
	if len(c.log) == 0 {
		return nil
	}
	c.logMin = c.log[0].base
	c.logEnd = c.logMin
	ended := false
	for _, s := range c.log {
		if ended {
			c.checkUnused(s)
			continue
		}
		ended = c.checkSegment(s)
	}
	return nil
}

// checkSegment walks over one file. It returns true where the log ends.
func (c *checker) checkSegment(s *segment) (ended bool) {
	var v message.View
	for pos := int64(0); pos+message.FillerBytes <= s.size; {
		left := s.data[pos:]
		c.logEnd = s.base + pos
		if message.RecordMagic(left) == message.MagicBlank && int(binary.BigEndian.Uint32(left)) == len(left) {
			c.logEnd = s.base + s.size
			return false
		}
		err := v.Parse(left, true)
		if err == nil && v.PhyOffset != s.base+pos {
			err = errPlace
		}
		if err != nil {
			c.logStops(s, pos, err)
			return true
		}
		if v.StoreTimestampMs < c.lastMs {
			c.note(s.name, pos, "the store time is before that of the record before")
		}
		c.lastMs = max(c.lastMs, v.StoreTimestampMs)
		c.checkQueued(s, &v)
		pos += int64(v.Size)
		c.logEnd = s.base + pos
	}
	return false
}

// logStops says why there is no record at a place: the end of the log, or
// damage.
func (c *checker) logStops(s *segment, pos int64, err error) {
	if zeros(s.data[pos : pos+message.FillerBytes]) {
		if at, ok := firstNonZero(s.data[pos:]); ok {
			c.note(s.name, pos+at, "bytes behind the end of the log, which is at byte %d", pos)
		}
		return
	}
	c.stopAt = &Finding{File: s.name, Offset: pos}
	c.behind(s.name, pos, "no record: %v", err)
}

// checkUnused looks at a file behind the end of the log.
func (c *checker) checkUnused(s *segment) {
	var v message.View
	at, ok := firstNonZero(s.data)
	switch {
	case !ok:
		c.note(s.name, -1, "made in advance, not used yet")
	case v.Parse(s.data, true) == nil && v.PhyOffset == s.base:
		c.damage(s.name, 0, "records behind the end of the log at %d", c.logEnd)
		c.logStopsEarly()
	default:
		c.behind(s.name, at, "bytes behind the end of the log at %d", c.logEnd)
	}
}

// logStopsEarly makes the stop damage, whatever a crash may explain: later
// records are there.
func (c *checker) logStopsEarly() {
	if c.stopAt != nil && c.crashed {
		c.damage(c.stopAt.File, c.stopAt.Offset, "records are missing here, later ones are there")
	}
}

func firstNonZero(b []byte) (int64, bool) {
	const step = 4096
	for at := 0; at < len(b); at += step {
		page := b[at:min(at+step, len(b))]
		if zeros(page) {
			continue
		}
		for i, x := range page {
			if x != 0 {
				return int64(at + i), true
			}
		}
	}
	return 0, false
}

// record returns the record at a physical offset, if a whole one is there.
func (c *checker) record(phyOffset int64, v *message.View) error {
	if len(c.log) == 0 || phyOffset < c.logMin || phyOffset >= c.logEnd {
		return fmt.Errorf("the log has %d to %d", c.logMin, c.logEnd)
	}
	s := c.log[(phyOffset-c.logMin)/c.log[0].size]
	if err := v.Parse(s.data[phyOffset-s.base:], false); err != nil {
		return err
	}
	if v.PhyOffset != phyOffset {
		return errPlace
	}
	return nil
}
