// SPDX-License-Identifier: Apache-2.0

package target

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const aloneVariable = "ROCKETD_TEST_ALONE"

// Alone runs the tests of m in network and mount namespaces of their own: upstream's ports are free there, and a test
// may mount what it wants. There is nothing but the loopback device, so prepare fetches what the tests need.
// Where the system grants no namespaces, the tests run as they are, and RequireAlone ends those that need more.
func Alone(m *testing.M, prepare func() error) int {
	if os.Getenv(aloneVariable) != "" {
		if err := settle(); err != nil {
			fmt.Fprintln(os.Stderr, "settling in namespaces:", err)
			return 1
		}
		return m.Run()
	}
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	runtime.LockOSThread() // the child's death signal comes when the thread that started it ends
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), aloneVariable+"=yes")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "no namespaces for tests:", err)
		return m.Run()
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return max(1, exit.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// settle keeps mounts to these namespaces and brings their loopback device up.
func settle() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket) //nolint:errcheck // it has served its purpose
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, request)
}

// RequireAlone ends a test that must not run where others are.
func RequireAlone(t testing.TB) {
	t.Helper()
	if os.Getenv(aloneVariable) == "" {
		t.Skip("left out: this system grants no namespaces to tests")
	}
}

// Mount mounts a file system of at most size bytes over a folder, for as long as the test runs.
func Mount(t testing.TB, dir string, size int) {
	t.Helper()
	RequireAlone(t)
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
}

// MountReadOnly makes a folder one that nobody can write to, not even root.
func MountReadOnly(t testing.TB, dir string) {
	t.Helper()
	Mount(t, dir, 1<<16)
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
}
