// SPDX-License-Identifier: Apache-2.0

// Command floor is the least a broker can do and still be one: it reads each
// request frame, appends its bytes to a file, and answers with the opaque. It
// keeps no index, checks nothing and serves no reads. What it costs is the
// limit that the broker's send path is compared with. With -fsync it answers
// only what is on the disk: requests that come while one sync runs share the
// next. -probe measures the disk alone.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"sync"
	"time"
)

// store appends batches to a file and, with fsync, makes them durable.
type store struct {
	f     *os.File
	fsync bool

	mu             sync.Mutex
	done           sync.Cond
	written, saved int64 // batches
	syncing        bool
}

func (s *store) append(batch []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.f.Write(batch)
	s.written++
	if !s.fsync {
		return
	}
	for mine := s.written; s.saved < mine; {
		if s.syncing {
			s.done.Wait()
			continue
		}
		s.syncing = true
		upTo := s.written
		s.mu.Unlock()
		err := s.f.Sync()
		s.mu.Lock()
		if err != nil {
			log.Fatal(err)
		}
		s.syncing, s.saved = false, upTo
		s.done.Broadcast()
	}
}

// probe syncs after each 1 KiB write for 5 s: to a growing file, then to one whose space is already written.
func probe(f *os.File) {
	kib := make([]byte, 1024)
	for _, what := range []string{"growing file", "written file"} {
		if what == "written file" {
			if _, err := f.Write(make([]byte, 64<<20)); err != nil {
				log.Fatal(err)
			}
			if _, err := f.Seek(0, io.SeekStart); err != nil {
				log.Fatal(err)
			}
		}
		var lat []float64
		for t0 := time.Now(); time.Since(t0) < 5*time.Second; {
			t := time.Now()
			if _, err := f.Write(kib); err != nil {
				log.Fatal(err)
			}
			if err := f.Sync(); err != nil {
				log.Fatal(err)
			}
			lat = append(lat, time.Since(t).Seconds()*1000)
		}
		sort.Float64s(lat)
		fmt.Printf("%s: %d syncs/s, p50 %.2f ms, p99 %.2f ms\n", what, len(lat)/5, lat[len(lat)/2], lat[len(lat)*99/100])
	}
}

func main() {
	addr := flag.String("addr", "127.0.0.1:10999", "listen address")
	path := flag.String("file", filepath.Join(os.TempDir(), "floor.dat"), "file appended to")
	fsync := flag.Bool("fsync", false, "answer only after fsync")
	probing := flag.Bool("probe", false, "measure the disk's fsync and exit")
	flag.Parse()
	f, err := os.Create(*path)
	if err != nil {
		log.Fatal(err)
	}
	if *probing {
		probe(f)
		return
	}
	st := &store{f: f, fsync: *fsync}
	st.done.L = &st.mu
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			defer c.Close()
			r := bufio.NewReaderSize(c, 64<<10)
			w := bufio.NewWriterSize(c, 64<<10)
			var in, batch, out []byte
			for {
				var n [4]byte
				if _, err := io.ReadFull(r, n[:]); err != nil {
					return
				}
				sz := int(binary.BigEndian.Uint32(n[:]))
				if cap(in) < sz {
					in = make([]byte, sz)
				}
				in = in[:sz]
				if _, err := io.ReadFull(r, in); err != nil {
					return
				}
				hl := int(binary.BigEndian.Uint32(in) & 0xffffff)
				h := in[4 : 4+hl]
				i := bytes.Index(h, []byte(`"opaque":`)) + 9
				j := i
				for j < len(h) && h[j] != ',' {
					j++
				}
				op, _ := strconv.Atoi(string(h[i:j]))
				batch = append(batch, in[4+hl:]...)
				o := len(out)
				out = append(out, 0, 0, 0, 0, 0, 0, 0, 0)
				out = append(out, `{"code":0,"language":"GO","version":463,"opaque":`...)
				out = strconv.AppendInt(out, int64(op), 10)
				out = append(out, `,"flag":1,"extFields":{"msgId":"7F00000100002A9F0000000000000000","queueId":"0","queueOffset":"0"},"serializeTypeCurrentRPC":"JSON"}`...)
				binary.BigEndian.PutUint32(out[o:], uint32(len(out)-o-4))
				binary.BigEndian.PutUint32(out[o+4:], uint32(len(out)-o-8))
				if r.Buffered() < 4 { // the batch is over: store, then answer
					st.append(batch)
					w.Write(out)
					w.Flush()
					batch, out = batch[:0], out[:0]
				}
			}
		}()
	}
}
