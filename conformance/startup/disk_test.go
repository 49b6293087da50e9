// SPDX-License-Identifier: Apache-2.0

package startup

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
	"rocketd/protocol"
	"rocketd/remoting"
)

// fill writes a file until the disk has no room, as a neighbour on the same disk does.
func fill(t *testing.T, dir string) (file string) {
	file = filepath.Join(dir, "neighbour")
	f, err := os.Create(file)
	require.NoError(t, err)
	for size := 1 << 20; size > 0; {
		if _, err = f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	require.ErrorContains(t, err, "no space left on device")
	require.NoError(t, f.Close())
	return file
}

func TestFullDiskAtTheStart(t *testing.T) {
	o := newOperator(t)
	disk := o.folder("disk")
	target.Mount(t, disk, 1<<20)
	neighbour := fill(t, disk)
	store := filepath.Join(disk, "store")
	file := o.write("broker.conf", "storePathRootDir="+store)
	o.refused("broker: write "+store+"/lock: no space left on device", "mqbroker", "-c", file)
	require.NoError(t, os.Remove(neighbour))
	o.start("mqbroker", "-c", file)
}

// TestDiskFillsUp has a neighbour take all space while messages come in, and give it back.
func TestDiskFillsUp(t *testing.T) {
	target.RequireAlone(t)
	disk := filepath.Join(t.TempDir(), "disk")
	require.NoError(t, os.MkdirAll(disk, 0o755))
	target.Mount(t, disk, 64<<20)
	c := target.New(t, target.Binary, target.Options{Home: filepath.Join(disk, "home"), Broker: map[string]string{
		"mappedFileSizeCommitLog": fmt.Sprint(4 << 20), "diskMaxUsedSpaceRatio": "95"}})
	require.NoError(t, c.CreateTopic("Disk", 1))
	client := remoting.NewClient(remoting.DefaultClientConfig(), nil, zerolog.Nop(), new(net.Dialer).DialContext)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	sent := 0
	send := func() *protocol.Command {
		req := protocol.NewRequest(protocol.SendMessage, &protocol.SendHeader{ProducerGroup: "p", Topic: "Disk", DefaultTopic: "TBW102", DefaultTopicQueueNums: 1})
		req.Body = make([]byte, 100_000)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		answer, err := client.Call(ctx, c.Broker.Addr, req)
		require.NoError(t, err)
		if answer.Code == protocol.Success {
			sent++
		}
		return answer
	}
	for range 10 {
		require.EqualValues(t, protocol.Success, send().Code)
	}

	stored, err := c.Read("Disk") // it also creates the reader's group, for which there is no room later
	require.NoError(t, err)
	require.Len(t, stored, sent)

	neighbour := fill(t, disk)
	answer := send()
	for tries := 0; answer.Code == protocol.Success; tries++ {
		require.Less(t, tries, 100, "messages go to a disk without room")
		answer = send()
	}
	require.EqualValues(t, protocol.ServiceNotAvailable, answer.Code)
	require.Contains(t, answer.Remark, "no space left on device")
	stored, err = c.Read("Disk")
	require.NoError(t, err)
	require.Len(t, stored, sent, "what was stored before can be read")

	require.NoError(t, os.Remove(neighbour))
	require.Eventually(t, func() bool { return send().Code == protocol.Success }, patience, 50*time.Millisecond, "there is room again")
	stored, err = c.Read("Disk")
	require.NoError(t, err)
	require.Len(t, stored, sent)
	require.NoError(t, c.Broker.Stop())
	require.NoError(t, c.Broker.Start())
	require.NoError(t, c.WaitRoute("Disk"))
	stored, err = c.Read("Disk")
	require.NoError(t, err)
	require.Len(t, stored, sent)
}
