// SPDX-License-Identifier: Apache-2.0

// Command dropcache drops files out of the page cache, also where a running
// process has them mapped (there posix_fadvise alone does nothing), so that a
// read of them has to go to the disk. Linux on amd64 or arm64, as root.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

const (
	sysPidfdOpen      = 434
	sysProcessMadvise = 440
	madvPageout       = 21
	fadvDontneed      = 4
)

type iovec struct{ base, len uintptr }

func main() {
	pid := flag.Int("pid", 0, "process that maps the files, or 0")
	flag.Parse()
	want := map[string]bool{}
	for _, p := range flag.Args() {
		p, err := filepath.Abs(p)
		if err != nil {
			log.Fatal(err)
		}
		want[p] = true
	}
	if *pid != 0 {
		if err := pageout(*pid, want); err != nil {
			log.Fatal(err)
		}
	}
	for p := range want {
		f, err := os.Open(p)
		if err != nil {
			log.Fatal(err)
		}
		if err := f.Sync(); err != nil { // only clean pages go
			log.Fatal(err)
		}
		if _, _, e := syscall.Syscall6(syscall.SYS_FADVISE64, f.Fd(), 0, 0, fadvDontneed, 0, 0); e != 0 {
			log.Fatal(p, ": fadvise: ", e)
		}
		f.Close()
	}
}

// pageout unmaps the files' pages from a process's page tables.
func pageout(pid int, want map[string]bool) error {
	fd, _, e := syscall.Syscall(sysPidfdOpen, uintptr(pid), 0, 0)
	if e != 0 {
		return fmt.Errorf("pidfd_open: %w", e)
	}
	m, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return err
	}
	defer m.Close()
	for s := bufio.NewScanner(m); s.Scan(); {
		f := strings.Fields(s.Text())
		if len(f) < 6 || !want[f[5]] {
			continue
		}
		from, to, _ := strings.Cut(f[0], "-")
		a, _ := strconv.ParseUint(from, 16, 64)
		b, _ := strconv.ParseUint(to, 16, 64)
		for a < b { // one call advises at most about 2 GiB
			v := iovec{uintptr(a), uintptr(min(b-a, 1<<30))}
			n, _, e := syscall.Syscall6(sysProcessMadvise, fd, uintptr(unsafe.Pointer(&v)), 1, madvPageout, 0, 0)
			if e != 0 || n == 0 {
				return fmt.Errorf("process_madvise %s: %w", f[5], e)
			}
			a += uint64(n)
		}
	}
	return nil
}
