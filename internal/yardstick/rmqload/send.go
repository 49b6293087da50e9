// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// sendFields are those of SEND_MESSAGE_V2 (310) and SEND_BATCH_MESSAGE (320), under their short names.
func sendFields(queue int, props string) map[string]string {
	return map[string]string{
		"a": "rmqload_producer", "b": *topic, "c": "TBW102", "d": "8", "e": strconv.Itoa(queue), "f": "0",
		"g": strconv.FormatInt(time.Now().UnixMilli(), 10), "h": "0", "i": props, "j": "0", "k": "false", "l": "0", "m": strconv.FormatBool(*batch > 1)}
}

func sendHeader(opaque int32, queue int, props string) []byte {
	code := 310
	if *batch > 1 {
		code = 320
	}
	if *delay > 0 {
		props += "DELAY\x01" + strconv.Itoa(*delay) + "\x02"
	}
	h, _ := json.Marshal(frame{Code: code, Language: "JAVA", Version: 463, Opaque: opaque, Serialize: "JSON", ExtFields: sendFields(queue, props)})
	return h
}

// batchBody is -batch messages as SEND_BATCH_MESSAGE carries them.
func batchBody(buf []byte, key string, body []byte) []byte {
	for i := range *batch {
		props := "UNIQ_KEY\x01" + key + "_" + strconv.Itoa(i) + "\x02WAIT\x01true\x02TAGS\x01TagA\x02"
		buf = binary.BigEndian.AppendUint32(buf, uint32(22+len(body)+len(props)))
		buf = append(buf, make([]byte, 12)...) // magic, checksum, flag
		buf = binary.BigEndian.AppendUint32(buf, uint32(len(body)))
		buf = append(buf, body...)
		buf = binary.BigEndian.AppendUint16(buf, uint16(len(props)))
		buf = append(buf, props...)
	}
	return buf
}

// send keeps -inflight requests going on each connection, or with -rate sends
// on a schedule; latency then counts from when a request was due.
func send() error {
	body := make([]byte, *size)
	for i := range body {
		body[i] = byte('a' + i%26)
	}
	var n, errs, bytes atomic.Int64
	var mu sync.Mutex
	var all []float64
	var wg sync.WaitGroup
	u0 := procUsage(*pid)
	t0 := time.Now()
	stop := t0.Add(time.Duration(*secs * float64(time.Second)))
	for ci := 0; ci < *conns; ci++ {
		c, err := net.Dial("tcp", *addr)
		if err != nil {
			return err
		}
		sem := make(chan struct{}, *inflt)
		starts := make([]time.Time, 1<<16)
		wg.Add(2)
		var sent, recvd atomic.Int64
		var done atomic.Bool
		gone := make(chan struct{}) // the reader has ended
		go func() {                 // writer
			defer wg.Done()
			w := bufio.NewWriterSize(c, 64<<10)
			var buf, many []byte
			var op int32
			gap := time.Duration(0) // between two requests of this connection
			if *rate > 0 {
				gap = time.Duration(float64(time.Second) * float64(*conns**batch) / float64(*rate))
			}
			mine := *count / int64(*conns**batch)
			for more, open := true, true; more && open; {
				due := time.Now()
				if gap > 0 {
					due = t0.Add(gap*time.Duration(ci)/time.Duration(*conns) + gap*time.Duration(op))
					if wait := time.Until(due); wait > 0 {
						w.Flush()
						time.Sleep(wait)
					}
				}
				select {
				case sem <- struct{}{}:
				default:
					w.Flush()
					select {
					case sem <- struct{}{}:
					case <-gone:
						open = false
						continue
					}
				}
				op++
				key := strconv.Itoa(ci) + "_" + strconv.Itoa(int(op))
				h := sendHeader(op, int(op)%*queues, "UNIQ_KEY\x01"+key+"\x02WAIT\x01true\x02TAGS\x01TagA\x02")
				if *batch > 1 {
					many = batchBody(many[:0], key, body)
					buf = encode(buf[:0], h, many)
				} else {
					buf = encode(buf[:0], h, body)
				}
				if gap == 0 {
					due = time.Now()
				}
				starts[op&0xffff] = due
				w.Write(buf)
				sent.Add(1)
				if *count > 0 {
					more = int64(op) < mine
				} else {
					more = time.Now().Before(stop)
				}
			}
			w.Flush()
			done.Store(true)
			if sent.Load() == recvd.Load() {
				c.Close()
			}
		}()
		go func() { // reader
			defer wg.Done()
			r := bufio.NewReaderSize(c, 64<<10)
			var lat []float64
			var scratch []byte
			for {
				code, op, _, _, b, err := readFrame(r, scratch)
				if err != nil {
					if !done.Load() {
						errs.Add(1)
						fmt.Fprintln(os.Stderr, "read:", err)
					}
					break
				}
				scratch = b[:cap(b)]
				lat = append(lat, float64(time.Since(starts[op&0xffff]).Microseconds())/1000)
				if code != 0 {
					errs.Add(1)
				} else {
					n.Add(int64(*batch))
					bytes.Add(int64(*size * *batch))
				}
				<-sem
				if recvd.Add(1) == sent.Load() && done.Load() {
					break
				}
			}
			c.Close()
			close(gone)
			mu.Lock()
			all = append(all, lat...)
			mu.Unlock()
		}()
	}
	wg.Wait()
	report("send", n.Load(), errs.Load(), bytes.Load(), time.Since(t0), all, u0, procUsage(*pid))
	return nil
}
