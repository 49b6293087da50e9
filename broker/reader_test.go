// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"

	"rocketd/protocol"
	"rocketd/remoting/remotingtest"
	"rocketd/store/vfs"
)

// readerWatch notes what would make a connection's reader wait: a sync, a dial, a write of what is written behind.
type readerWatch struct {
	mu    sync.Mutex
	seen  map[string]int // all calls, by what they are
	found map[string]bool
}

// look notes the calling stack if a connection's reader is on it.
func (w *readerWatch) look(what string) {
	w.mu.Lock()
	w.seen[what]++
	w.mu.Unlock()
	pc := make([]uintptr, 64)
	frames := runtime.CallersFrames(pc[:runtime.Callers(3, pc)])
	var path []string
	for {
		f, more := frames.Next()
		name := f.Function[strings.LastIndex(f.Function, "/")+1:]
		path = append(path, name)
		if strings.HasSuffix(f.Function, "remoting.(*conn).readLoop") {
			w.mu.Lock()
			w.found[what+": "+strings.Join(path, " < ")] = true
			w.mu.Unlock()
			return
		}
		if !more {
			return
		}
	}
}

// watchedFS looks at every call that may wait for the disk.
type watchedFS struct {
	vfs.FS
	watch *readerWatch
}

func (f watchedFS) SyncDir(dir string) error {
	f.watch.look("SyncDir")
	return f.FS.SyncDir(dir)
}

func (f watchedFS) Open(name string, flag vfs.Flag) (vfs.File, error) {
	file, err := f.FS.Open(name, flag)
	if err != nil {
		return nil, err
	}
	return watchedFile{file, f.watch}, nil
}

type watchedFile struct {
	vfs.File
	watch *readerWatch
}

func (f watchedFile) Sync() error {
	f.watch.look("Sync")
	return f.File.Sync()
}

func (f watchedFile) WriteAt(p []byte, off int64) (int, error) {
	f.watch.look("WriteAt")
	return f.File.WriteAt(p, off)
}

func (f watchedFile) ReadAt(p []byte, off int64) (int, error) {
	f.watch.look("ReadAt")
	return f.File.ReadAt(p, off)
}

// Sends, pulls and heartbeats run on their connection's reader, which serves everything else of that connection too: nothing
// that they may meet, a topic or a group that is to be made, a new queue, a full tail, the next file of the log or of the
// index, a message to be read, may wait for the disk or the network there.
func TestReadersNeverWaitForDiskOrNetwork(t *testing.T) {
	watch := &readerWatch{seen: map[string]int{}, found: map[string]bool{}}
	network := new(remotingtest.Network)
	b := startBroker(t, network, Deps{
		FS: watchedFS{vfs.NewMem(), watch}, Clock: clockwork.NewRealClock(), Listen: network.Listen,
		Dial: func(_ context.Context, _, addr string) (net.Conn, error) {
			watch.look("Dial")
			return nil, fmt.Errorf("%s is not there", addr)
		},
	}, func(c *Config) {
		c.NamesrvAddr = nobodysAddr
		c.QueueTailMaxUnits = 3                  // after which an append writes queues and index by itself
		c.MaxHashSlotNum, c.MaxIndexNum = 10, 40 // some files of the index, too
	})
	w := dial(t, b, "10911")
	body := strings.Repeat("x", 3000)
	for i := range 500 { // which fills some files of the log
		for topic, queue := range map[string]string{"T": fmt.Sprint(i % 4), fmt.Sprint("new", i%50): "0", "%RETRY%G": "0"} {
			answer := w.ask(protocol.SendMessage, sendFields(topic, "queueId="+queue+" properties="+props("KEYS=k")), body)
			require.Equal(t, protocol.Success, answer.Code, answer.Remark)
		}
		group := fmt.Sprint("G", i%20)
		beat := heartbeatBody(fmt.Sprint("c", i%7), group, 0, false, "T", "U")
		require.Equal(t, protocol.Success, w.ask(protocol.HeartBeat, "", beat).Code)
		for _, group := range []string{group, fmt.Sprint("P", i)} {
			pull := pullFields("T", int64(i/4), fmt.Sprintf("queueId=%d sysFlag=6 suspendTimeoutMillis=1 consumerGroup=%s", i%4, group))
			require.Contains(t, []int32{protocol.Success, protocol.PullNotFound}, w.ask(protocol.PullMessage, pull, "").Code)
			pull = pullFields("T", int64(i/4)+1, fmt.Sprintf("queueId=%d sysFlag=6 suspendTimeoutMillis=1 consumerGroup=%s", i%4, group))
			require.Equal(t, protocol.PullNotFound, w.ask(protocol.PullMessage, pull, "").Code)
		}
	}
	require.NoError(t, b.stop())
	watch.mu.Lock()
	defer watch.mu.Unlock()
	for _, what := range []string{"Sync", "SyncDir", "WriteAt", "Dial"} {
		require.Positive(t, watch.seen[what], "the test does not see what it looks for")
	}
	require.Empty(t, watch.found)
}

const nobodysAddr = "127.0.0.1:9"
