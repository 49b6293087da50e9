// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// e2e sends at a fixed rate while each group long-polls every queue; latency is
// from send to receipt, less the delay asked for.
func e2e() error {
	if *rate == 0 {
		*rate = 2000
	}
	late := delayLevels[*delay]
	var n, errs, bytes atomic.Int64
	var mu sync.Mutex
	var lat []float64
	epoch := time.Now()
	stopPull := make(chan struct{})
	var wg sync.WaitGroup
	for i := range *queues * *groups {
		q, group := i%*queues, groupName(i / *queues)
		code, ext, _, err := call(*addr, 30, map[string]string{"topic": *topic, "queueId": strconv.Itoa(q)}, nil)
		if err != nil || code != 0 {
			return fmt.Errorf("max offset: code %d err %v", code, err)
		}
		off, _ := strconv.ParseInt(ext["offset"], 10, 64)
		c, err := net.Dial("tcp", *addr)
		if err != nil {
			return err
		}
		wg.Add(1)
		go func() { <-stopPull; c.Close() }()
		go func() {
			defer wg.Done()
			r := bufio.NewReaderSize(c, 64<<10)
			var mine []float64
			for op := int32(1); ; op++ {
				if _, err := c.Write(encode(nil, pullHeader(group, op, q, off, 6, 15000), nil)); err != nil {
					break
				}
				code, _, ext, body, _, err := readFrame(r, nil)
				if err != nil {
					break
				}
				now := time.Since(epoch)
				if code == 0 {
					k := eachMessage(body, func(_ int64, b []byte) {
						if len(b) < 8 {
							return
						}
						mine = append(mine, float64(now-late-time.Duration(binary.BigEndian.Uint64(b)))/1e6)
						bytes.Add(int64(len(b)))
					})
					n.Add(int64(k))
				}
				if v, e := strconv.ParseInt(ext["nextBeginOffset"], 10, 64); e == nil {
					off = v
				}
			}
			mu.Lock()
			lat = append(lat, mine...)
			mu.Unlock()
		}()
	}
	time.Sleep(300 * time.Millisecond)
	c, err := net.Dial("tcp", *addr)
	if err != nil {
		return err
	}
	var acked atomic.Int64
	go func() {
		r := bufio.NewReader(c)
		for {
			code, _, _, _, _, err := readFrame(r, nil)
			if err != nil {
				return
			}
			if code != 0 {
				errs.Add(1)
			}
			acked.Add(1)
		}
	}()
	body := make([]byte, max(*size, 8))
	u0 := procUsage(*pid)
	t0 := time.Now()
	total := int64(float64(*rate) * *secs)
	tick := time.NewTicker(time.Millisecond)
	sent := int64(0)
	var out []byte
	for sent < total {
		<-tick.C
		due := min(int64(time.Since(t0).Seconds()*float64(*rate)), total)
		for ; sent < due; sent++ {
			binary.BigEndian.PutUint64(body, uint64(time.Since(epoch)))
			out = encode(out[:0], sendHeader(int32(sent+1), int(sent)%*queues, "UNIQ_KEY\x01e"+strconv.FormatInt(sent, 10)+"\x02TAGS\x01TagA\x02"), body)
			if _, err := c.Write(out); err != nil {
				return err
			}
		}
	}
	d := time.Since(t0)
	total *= int64(*groups)
	for end := time.Now().Add(late + 5*time.Second); time.Now().Before(end) && n.Load() < total; {
		time.Sleep(100 * time.Millisecond)
	}
	u1 := procUsage(*pid)
	close(stopPull)
	wg.Wait()
	c.Close()
	if n.Load() != total {
		errs.Add(total - n.Load())
	}
	report("e2e", n.Load(), errs.Load(), bytes.Load(), d, lat, u0, u1)
	return nil
}
