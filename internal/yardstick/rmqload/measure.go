// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"
)

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
