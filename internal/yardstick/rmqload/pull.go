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

func pullHeader(group string, op int32, queue int, off int64, sysFlag int, suspend int) []byte {
	h, _ := json.Marshal(frame{Code: 11, Language: "JAVA", Version: 463, Opaque: op, Serialize: "JSON", ExtFields: map[string]string{
		"consumerGroup": group, "topic": *topic, "queueId": strconv.Itoa(queue), "queueOffset": strconv.FormatInt(off, 10),
		"maxMsgNums": strconv.Itoa(*maxNums), "sysFlag": strconv.Itoa(sysFlag), "commitOffset": "0", "suspendTimeoutMillis": strconv.Itoa(suspend),
		"subscription": "*", "subVersion": "0", "expressionType": "TAG"}})
	return h
}

// eachMessage walks the stored-message records of a pull body.
func eachMessage(b []byte, f func(bornMs int64, body []byte)) int {
	n := 0
	for len(b) >= 4 {
		sz := int(binary.BigEndian.Uint32(b))
		if sz <= 0 || sz > len(b) {
			break
		}
		m := b[:sz]
		sysFlag := binary.BigEndian.Uint32(m[36:])
		born := int64(binary.BigEndian.Uint64(m[40:]))
		p := 48
		if sysFlag&(1<<4) != 0 {
			p += 20
		} else {
			p += 8
		}
		p += 8
		if sysFlag&(1<<5) != 0 {
			p += 20
		} else {
			p += 8
		}
		p += 4 + 8
		bl := int(binary.BigEndian.Uint32(m[p:]))
		if f != nil {
			f(born, m[p+4:p+4+bl])
		}
		n++
		b = b[sz:]
	}
	return n
}

func pull() error {
	var n, bytes, errs, pulls atomic.Int64
	var wg sync.WaitGroup
	u0 := procUsage(*pid)
	t0 := time.Now()
	for q := 0; q < *queues; q++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			c, err := net.Dial("tcp", *addr)
			if err != nil {
				errs.Add(1)
				return
			}
			defer c.Close()
			r := bufio.NewReaderSize(c, 256<<10)
			var scratch, out []byte
			off := int64(0)
			for op := int32(1); ; op++ {
				out = encode(out[:0], pullHeader(*group, op, q, off, 4, 0), nil) // subscription flag only: no suspend
				if _, err := c.Write(out); err != nil {
					errs.Add(1)
					return
				}
				code, _, ext, body, b, err := readFrame(r, scratch)
				if err != nil {
					errs.Add(1)
					return
				}
				scratch = b[:cap(b)]
				pulls.Add(1)
				if code == 0 {
					got := eachMessage(body, nil)
					n.Add(int64(got))
					bytes.Add(int64(len(body)))
					next, err := strconv.ParseInt(ext["nextBeginOffset"], 10, 64)
					if err != nil || next == off {
						errs.Add(1)
						return
					}
					off = next
				} else if code == 20 || code == 21 {
					next, _ := strconv.ParseInt(ext["nextBeginOffset"], 10, 64)
					if next > off {
						off = next
						continue
					}
					return
				} else if code == 19 {
					return
				} else {
					errs.Add(1)
					return
				}
			}
		}()
	}
	wg.Wait()
	report("pull", n.Load(), errs.Load(), bytes.Load(), time.Since(t0), nil, u0, procUsage(*pid))
	fmt.Fprintf(os.Stderr, "pulls %d\n", pulls.Load())
	return nil
}
