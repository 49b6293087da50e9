// SPDX-License-Identifier: Apache-2.0

package target

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// Installation is a folder with the launchers in bin/, run by a user whose home is not the tester's.
type Installation struct {
	Root string // the folder
	Home string // what HOME is, and where commands run
	Env  []string
}

// Checkout is the tree that these tests belong to.
func Checkout(home string) (Installation, error) {
	dir, err := root()
	if err != nil {
		return Installation{}, err
	}
	env, err := caches()
	return Installation{Root: dir, Home: home, Env: env}, err
}

// Command is a launcher with its arguments, ready to start.
func (in Installation) Command(script string, args ...string) *exec.Cmd {
	cmd := exec.Command("sh", append([]string{filepath.Join(in.Root, "bin", script)}, args...)...)
	cmd.Dir = in.Home
	cmd.Env = append(append(os.Environ(), in.Env...), "HOME="+in.Home)
	cmd.SysProcAttr = diesWithParent()
	return cmd
}

// root is the checkout's folder.
var root = sync.OnceValues(func() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
})

// caches point at what this user's Go and Maven have fetched and built already, so that a launcher under another HOME
// does not fill new ones.
var caches = sync.OnceValues(func() ([]string, error) {
	out, err := exec.Command("go", "env", "GOCACHE", "GOMODCACHE").Output()
	if err != nil {
		return nil, err
	}
	user, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return []string{"GOCACHE=" + lines[0], "GOMODCACHE=" + lines[1], "XDG_CACHE_HOME=" + user}, nil
})

// Jars returns the folder with the jars of conformance/javaclient/NAME/pom.xml, fetched once a machine.
func Jars(name string) (string, error) {
	dir, err := root()
	if err != nil {
		return "", err
	}
	cmd := exec.Command("sh", filepath.Join(dir, "conformance", "javaclient", "fetch.sh"), name)
	cmd.Stderr = os.Stderr
	lib, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("fetching the jars of %s: %w", name, err)
	}
	return strings.TrimSpace(string(lib)), nil
}
