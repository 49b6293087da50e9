// SPDX-License-Identifier: Apache-2.0

package crash

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
)

// store is a data directory whose Broker is dead.
type store struct {
	dir string
	rng *rand.Rand
}

// harm is something that befalls the files between the kill and the next start.
type harm struct {
	name string
	do   func(s store) error
}

var harms = []harm{
	{"nothing", func(store) error { return nil }},
	{"half a record behind the end", func(s store) error {
		return s.behindEnd(func(last []byte) []byte { return last[:len(last)/2] })
	}},
	{"garbage behind the end", func(s store) error {
		return s.behindEnd(func([]byte) []byte {
			b := make([]byte, 1+s.rng.Intn(3000))
			s.rng.Read(b)
			return b
		})
	}},
	{"no abort file", func(s store) error { return s.remove("abort") }},
	{"no queues", func(s store) error { return s.remove("consumequeue") }},
	{"no queue", func(s store) error { return s.remove("consumequeue/" + topic + "/1") }},
	{"no queue file", func(s store) error { return s.one("consumequeue/"+topic+"/2/*", os.Remove) }},
	{"a short queue file", func(s store) error { return s.one("consumequeue/"+topic+"/*/*", s.truncate(0.5)) }},
	{"a long queue file", func(s store) error { return s.one("consumequeue/"+topic+"/*/*", s.truncate(1.5)) }},
	{"no index", func(s store) error { return s.remove("index") }},
	{"a short index", func(s store) error { return s.one("index/*", s.truncate(0.5)) }},
	{"no checkpoint", func(s store) error { return s.remove("checkpoint") }},
	{"a short checkpoint", func(s store) error { return s.one("checkpoint", s.truncate(0.003)) }},
	{"a wild checkpoint", func(s store) error { return s.one("checkpoint", s.scribble) }},
	{"no mark", func(s store) error { return s.remove("rocketd.mark") }},
	{"a wild mark", func(s store) error { return s.one("rocketd.mark", s.scribble) }},
	{"no list", func(s store) error { return s.remove("rocketd.queues") }},
	{"a wild list", func(s store) error { return s.one("rocketd.queues", s.scribble) }},
	{"no topics.json", func(s store) error { return s.remove("config/topics.json") }},
	{"a wild topics.json", func(s store) error { return s.one("config/topics.json", s.scribble) }},
	{"an empty topics.json", func(s store) error { return s.one("config/topics.json", s.truncate(0)) }},
	{"a wild topics.json.bak", func(s store) error { return s.one("config/topics.json.bak", s.scribble) }},
	{"a wild subscriptionGroup.json", func(s store) error { return s.one("config/subscriptionGroup.json", s.scribble) }},
	{"no abort, no checkpoint, no queues", func(s store) error {
		return errors.Join(s.remove("abort"), s.remove("checkpoint"), s.remove("consumequeue"))
	}},
	{"no mark, no index, no abort", func(s store) error {
		return errors.Join(s.remove("rocketd.mark"), s.remove("index"), s.remove("abort"))
	}},
	{"foreign files", func(s store) error {
		return errors.Join(os.WriteFile(s.path("consumequeue/"+topic+"/notes"), []byte("mine"), 0o644),
			os.WriteFile(s.path("index/notes"), []byte("mine"), 0o644), os.MkdirAll(s.path("consumequeue/"+topic+"/x/y"), 0o755))
	}},
}

func (s store) path(name string) string { return filepath.Join(s.dir, name) }

func (s store) remove(name string) error { return os.RemoveAll(s.path(name)) }

// one does something to one of the files that match, if there is one.
func (s store) one(pattern string, do func(name string) error) error {
	names, err := filepath.Glob(s.path(pattern))
	if err != nil || len(names) == 0 {
		return err
	}
	return do(names[s.rng.Intn(len(names))])
}

func (s store) truncate(part float64) func(name string) error {
	return func(name string) error {
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		return os.Truncate(name, int64(float64(info.Size())*part))
	}
}

// scribble writes nonsense over a piece of a file.
func (s store) scribble(name string) error {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		b := make([]byte, min(info.Size(), 40))
		s.rng.Read(b)
		_, err = f.WriteAt(b, s.rng.Int63n(max(min(info.Size(), 500)-int64(len(b)), 0)+1))
	}
	return errors.Join(err, f.Close())
}

// behindEnd writes behind the last record of the log what make returns; make gets bytes that end with a record.
func (s store) behindEnd(make func(last []byte) []byte) error {
	names, err := filepath.Glob(s.path("commitlog/*"))
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range slices.Backward(names) {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		end := len(bytes.TrimRight(b, "\x00"))
		if end == 0 {
			continue
		}
		begin := bytes.LastIndex(b[:end], []byte{0xda, 0xa3, 0x20, 0xa7})
		if begin < 4 {
			return fmt.Errorf("%s has no record", name)
		}
		more := make(bytes.Clone(b[begin-4 : end]))
		copy(b[end:], more)
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteAt(b[end:min(end+len(more), len(b))], int64(end))
		return errors.Join(err, f.Close())
	}
	return nil
}
