// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"time"
)

// idle holds conns connections open, each with one heartbeat and, with -park,
// one PULL that the server holds for 15 s and that is asked again when it
// returns. It reports the server's memory, and its CPU time over -secs.
func idle() error {
	ends := make([]int64, *queues)
	for q := range ends {
		code, ext, _, err := call(*addr, 30, map[string]string{"topic": *topic, "queueId": strconv.Itoa(q)}, nil)
		if err != nil || code != 0 {
			return fmt.Errorf("max offset: code %d err %v", code, err)
		}
		ends[q], _ = strconv.ParseInt(ext["offset"], 10, 64)
	}
	var cs []net.Conn
	var pulls, errs atomic.Int64
	var closing atomic.Bool
	u0 := procUsage(*pid)
	for i := range *conns {
		c, err := net.Dial("tcp", *addr)
		if err != nil {
			return err
		}
		hb := fmt.Sprintf(`{"clientID":"127.0.0.1@%d","producerDataSet":[{"groupName":"rmqload_producer"}],"consumerDataSet":[],"heartbeatFingerprint":0,"isWithoutSub":false}`, i)
		h, _ := json.Marshal(frame{Code: 34, Language: "JAVA", Version: 463, Opaque: 1, Serialize: "JSON"})
		c.Write(encode(nil, h, []byte(hb)))
		r := bufio.NewReader(c)
		code, _, _, _, _, err := readFrame(r, nil)
		if err != nil || code != 0 {
			return fmt.Errorf("heartbeat %d: code %d err %v", i, code, err)
		}
		cs = append(cs, c)
		if !*park {
			continue
		}
		go func() {
			q := i % *queues
			for op := int32(2); ; op++ {
				c.Write(encode(nil, pullHeader(*group, op, q, ends[q], 6, 15000), nil))
				code, _, _, _, _, err := readFrame(r, nil)
				if closing.Load() {
					return
				}
				if err != nil || code != 19 {
					errs.Add(1)
					fmt.Fprintf(os.Stderr, "pull: code %d err %v\n", code, err)
					return
				}
				pulls.Add(1)
			}
		}()
	}
	time.Sleep(2 * time.Second)
	u1 := procUsage(*pid)
	t1 := time.Now()
	time.Sleep(time.Duration(*secs * float64(time.Second)))
	u2, d := procUsage(*pid), time.Since(t1)
	closing.Store(true)
	report("idle", int64(len(cs)), errs.Load(), 0, d, nil, u1, u2)
	fmt.Fprintf(os.Stderr, "rss %.1f MB -> %.1f MB -> %.1f MB: %.1f KB a connection (anonymous %.1f -> %.1f -> %.1f); cpu %.2f%% of a core; %d pulls came back\n",
		float64(u0.rss)/1e6, float64(u1.rss)/1e6, float64(u2.rss)/1e6, float64(u2.rss-u0.rss)/1e3/float64(len(cs)),
		float64(u0.anon)/1e6, float64(u1.anon)/1e6, float64(u2.anon)/1e6,
		100*(u2.cpu-u1.cpu).Seconds()/d.Seconds(), pulls.Load())
	for _, c := range cs {
		c.Close()
	}
	return nil
}
