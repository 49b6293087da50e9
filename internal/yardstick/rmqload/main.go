// SPDX-License-Identifier: Apache-2.0

// Command rmqload drives any RocketMQ broker over the remoting protocol, with
// no client library in between, and prints what it cost: throughput, latency,
// and the broker's own CPU time and memory. It is the yardstick used on both
// sides of every comparison, so that client overhead cancels out.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type frame struct {
	Code      int               `json:"code"`
	Language  string            `json:"language"`
	Version   int               `json:"version"`
	Opaque    int32             `json:"opaque"`
	Flag      int               `json:"flag"`
	Remark    string            `json:"remark,omitempty"`
	ExtFields map[string]string `json:"extFields,omitempty"`
	Serialize string            `json:"serializeTypeCurrentRPC,omitempty"`
}

func encode(buf []byte, h []byte, body []byte) []byte {
	buf = binary.BigEndian.AppendUint32(buf, uint32(4+len(h)+len(body)))
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(h))) // serialization type 0 = JSON
	buf = append(buf, h...)
	return append(buf, body...)
}

// readFrame returns the opaque and code without decoding more than it needs to.
func readFrame(r *bufio.Reader, scratch []byte) (code int, opaque int32, ext map[string]string, body []byte, buf []byte, err error) {
	var l [8]byte
	if _, err = io.ReadFull(r, l[:]); err != nil {
		return
	}
	total := int(binary.BigEndian.Uint32(l[:4]))
	hl := int(binary.BigEndian.Uint32(l[4:]) & 0xffffff)
	st := l[4]
	n := total - 4
	if cap(scratch) < n {
		scratch = make([]byte, n*2)
	}
	buf = scratch[:n]
	if _, err = io.ReadFull(r, buf); err != nil {
		return
	}
	body = buf[hl:]
	if st == 0 {
		var f frame
		if err = json.Unmarshal(buf[:hl], &f); err != nil {
			return
		}
		return f.Code, f.Opaque, f.ExtFields, body, buf, nil
	}
	h := buf[:hl]
	code = int(binary.BigEndian.Uint16(h))
	opaque = int32(binary.BigEndian.Uint32(h[5:]))
	return code, opaque, nil, body, buf, nil
}

func call(addr string, code int, ext map[string]string, body []byte) (int, map[string]string, []byte, error) {
	c, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return 0, nil, nil, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	h, _ := json.Marshal(frame{Code: code, Language: "JAVA", Version: 463, Opaque: 1, ExtFields: ext, Serialize: "JSON"})
	if _, err := c.Write(encode(nil, h, body)); err != nil {
		return 0, nil, nil, err
	}
	code, _, e, b, _, err := readFrame(bufio.NewReader(c), nil)
	return code, e, b, err
}

// usage is what one process has spent so far.
type usage struct {
	cpu  time.Duration
	rss  int64 // with the pages of mapped files
	anon int64 // without
}

func procUsage(pid int) usage {
	if pid == 0 {
		return usage{}
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return usage{}
	}
	s := string(b)
	f := strings.Fields(s[strings.LastIndexByte(s, ')')+2:])
	ut, _ := strconv.ParseInt(f[11], 10, 64)
	st, _ := strconv.ParseInt(f[12], 10, 64)
	rss, _ := strconv.ParseInt(f[21], 10, 64)
	u := usage{cpu: time.Duration(ut+st) * 10 * time.Millisecond, rss: rss * 4096}
	b, _ = os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if _, s, ok := strings.Cut(string(b), "RssAnon:"); ok {
		fmt.Sscan(s, &u.anon)
		u.anon *= 1024
	}
	return u
}

type result struct {
	Name                     string
	Msgs                     int64
	Errors                   int64
	Secs, MsgsPerSec, MBps   float64
	P50ms, P99ms, P999ms, Mx float64
	CPUusPerMsg              float64
	RSSMB, AnonMB            float64
}

func report(name string, n, errs int64, bytes int64, d time.Duration, lat []float64, u0, u1 usage) {
	sort.Float64s(lat)
	q := func(p float64) float64 {
		if len(lat) == 0 {
			return 0
		}
		i := int(p * float64(len(lat)))
		if i >= len(lat) {
			i = len(lat) - 1
		}
		return lat[i]
	}
	r := result{Name: name, Msgs: n, Errors: errs, Secs: d.Seconds(), MsgsPerSec: float64(n) / d.Seconds(), MBps: float64(bytes) / d.Seconds() / 1e6,
		P50ms: q(.5), P99ms: q(.99), P999ms: q(.999), Mx: q(1), RSSMB: float64(u1.rss) / 1e6, AnonMB: float64(u1.anon) / 1e6}
	if n > 0 {
		r.CPUusPerMsg = float64((u1.cpu - u0.cpu).Microseconds()) / float64(n)
	}
	b, _ := json.Marshal(r)
	fmt.Println(string(b))
}

var (
	addr    = flag.String("addr", "127.0.0.1:10911", "broker address")
	topic   = flag.String("topic", "rmqload", "topic")
	queues  = flag.Int("queues", 8, "queues of the topic")
	conns   = flag.Int("conns", 4, "connections")
	inflt   = flag.Int("inflight", 32, "requests in flight per connection")
	size    = flag.Int("size", 1024, "body bytes")
	secs    = flag.Float64("secs", 10, "seconds to run")
	rate    = flag.Int("rate", 0, "messages a second: send as fast as it can if 0, e2e 2000 if 0")
	count   = flag.Int64("n", 0, "messages to send, in place of -secs (send)")
	batch   = flag.Int("batch", 1, "messages a request: send uses SEND_BATCH_MESSAGE, topics UPDATE_AND_CREATE_TOPIC_LIST, if over 1")
	delay   = flag.Int("delay", 0, "delay level; e2e latency is then lateness (1 to 4)")
	pid     = flag.Int("pid", 0, "server process, for its CPU time and memory")
	maxNums = flag.Int("max", 32, "messages a pull asks for")
	group   = flag.String("group", "rmqload_group", "consumer group")
	groups  = flag.Int("groups", 1, "consumer groups that each get every message (e2e)")
	park    = flag.Bool("park", false, "each connection also holds one PULL (idle)")
	nTopics = flag.Int("topics", 10000, "topics to create (topics)")
	ns      = flag.String("ns", "127.0.0.1:9876", "name server, for route queries (topics)")
)

// delayLevels are the first delays of the default messageDelayLevel.
var delayLevels = []time.Duration{0, time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second}

func topicFields(name string) map[string]string {
	return map[string]string{"topic": name, "defaultTopic": "TBW102", "readQueueNums": strconv.Itoa(*queues),
		"writeQueueNums": strconv.Itoa(*queues), "perm": "6", "topicFilterType": "SINGLE_TAG", "topicSysFlag": "0", "order": "false"}
}

func createTopic() error {
	code, _, _, err := call(*addr, 17, topicFields(*topic), nil)
	if err == nil && code != 0 {
		err = fmt.Errorf("create topic: code %d", code)
	}
	if err != nil {
		return err
	}
	for g := 0; g < *groups && err == nil; g++ {
		err = createGroup(groupName(g))
	}
	return err
}

func groupName(i int) string {
	if i == 0 {
		return *group
	}
	return *group + "_" + strconv.Itoa(i)
}

func createGroup(name string) error {
	body := fmt.Sprintf(`{"groupName":%q,"consumeEnable":true,"consumeFromMinEnable":true,"consumeBroadcastEnable":true,"retryQueueNums":1,"retryMaxTimes":16,"brokerId":0,"whichBrokerWhenConsumeSlowly":1,"notifyConsumerIdsChangedEnable":true}`, name)
	code, _, _, err := call(*addr, 200, nil, []byte(body))
	if err == nil && code != 0 {
		err = fmt.Errorf("create group: code %d", code)
	}
	return err
}

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

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: rmqload send|pull|e2e|idle|topics|wait [flags]")
		os.Exit(2)
	}
	verb := os.Args[1]
	flag.CommandLine.Parse(os.Args[2:])
	if *delay < 0 || *delay >= len(delayLevels) {
		fmt.Fprintln(os.Stderr, "rmqload: -delay 0 to", len(delayLevels)-1)
		os.Exit(2)
	}
	var err error
	if verb != "wait" {
		err = createTopic()
	}
	if err == nil {
		switch verb {
		case "send":
			err = send()
		case "pull":
			err = pull()
		case "e2e":
			err = e2e()
		case "idle":
			err = idle()
		case "topics":
			err = topics()
		case "wait":
			err = wait()
		default:
			err = errors.New("unknown verb " + verb)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "rmqload:", err)
		os.Exit(1)
	}
}
