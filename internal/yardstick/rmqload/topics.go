// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// topics creates -topics topics, one a request or -batch a request, then asks
// the name server for routes. Latency is that of one create request.
func topics() error {
	name := func(i int) string { return fmt.Sprintf("%s_%05d", *topic, i) }
	var lat []float64
	u0 := procUsage(*pid)
	t0 := time.Now()
	for i := 0; i < *nTopics; {
		var body []byte
		fields, code, next := topicFields(name(i)), 17, i+1
		if *batch > 1 {
			next = min(i+*batch, *nTopics)
			fields, code, body = nil, 18, topicList(name, i, next)
		}
		t := time.Now()
		code, _, _, err := call(*addr, code, fields, body)
		if err != nil || code != 0 {
			return fmt.Errorf("create %s: code %d err %v", name(i), code, err)
		}
		lat = append(lat, time.Since(t).Seconds()*1000)
		i = next
	}
	u1 := procUsage(*pid)
	report("topics", int64(*nTopics), 0, 0, time.Since(t0), lat, u0, u1)
	fmt.Fprintf(os.Stderr, "rss %.1f MB -> %.1f MB (anonymous %.1f -> %.1f)\n", float64(u0.rss)/1e6, float64(u1.rss)/1e6, float64(u0.anon)/1e6, float64(u1.anon)/1e6)

	lat = lat[:0]
	var errs, bytes int64
	t0 = time.Now()
	for i := range 1000 {
		t := time.Now()
		code, _, body, err := call(*ns, 105, map[string]string{"topic": name(i * *nTopics / 1000)}, nil)
		if err != nil || code != 0 {
			errs++
			continue
		}
		lat = append(lat, time.Since(t).Seconds()*1000)
		bytes += int64(len(body))
	}
	report("route", int64(len(lat)), errs, bytes, time.Since(t0), lat, usage{}, usage{})
	fmt.Fprintf(os.Stderr, "route reply: %d bytes of body on average\n", bytes/max(int64(len(lat)), 1))
	return nil
}

func topicList(name func(int) string, from, to int) []byte {
	type config struct {
		TopicName       string            `json:"topicName"`
		ReadQueueNums   int               `json:"readQueueNums"`
		WriteQueueNums  int               `json:"writeQueueNums"`
		Perm            int               `json:"perm"`
		TopicFilterType string            `json:"topicFilterType"`
		TopicSysFlag    int               `json:"topicSysFlag"`
		Order           bool              `json:"order"`
		Attributes      map[string]string `json:"attributes"`
	}
	var list []config
	for i := from; i < to; i++ {
		list = append(list, config{name(i), *queues, *queues, 6, "SINGLE_TAG", 0, false, map[string]string{}})
	}
	b, _ := json.Marshal(map[string]any{"topicConfigList": list})
	return b
}

// wait sends one message over and over until the server stores it, and prints
// how long that took: start it together with the server. The topic must exist.
func wait() error {
	t0 := time.Now()
	for end := t0.Add(time.Duration(*secs * float64(time.Second))); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		code, _, _, err := call(*addr, 310, sendFields(0, "UNIQ_KEY\x01wait\x02"), []byte("wait"))
		if err == nil && code == 0 {
			fmt.Printf("answered after %d ms\n", time.Since(t0).Milliseconds())
			return nil
		}
	}
	return fmt.Errorf("no answer in %v s", *secs)
}
