// SPDX-License-Identifier: Apache-2.0

package interop

import (
	"fmt"
	"maps"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/conformance/target"
)

// TestOneServerHasTheDirectory starts each server on the directory that the other one has: it is refused by the lock, and
// the one that has it goes on and has everything. Java takes the lock only after it has read and recovered what is there.
func TestOneServerHasTheDirectory(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		first, second target.Kind
		says          string
	}{
		{target.Binary, target.Java, "java.lang.RuntimeException: Lock failed, MQ already started, lock status: null"},
		{target.Java, target.Binary, "broker: the store directory %s is in use: "},
		{target.Binary, target.Binary, "broker: the store directory %s is in use: "},
	} {
		t.Run(fmt.Sprintf("%s then %s", c.first, c.second), func(t *testing.T) {
			t.Parallel()
			home := t.TempDir()
			dir := filepath.Join(home, "store")
			first := start(t, c.first, home)
			first.settings()
			first.write("1")
			wrote := first.view()

			keys := maps.Clone(smallFiles)
			maps.Copy(keys, map[string]string{"storePathRootDir": dir, "storePathCommitLog": filepath.Join(dir, "commitlog")})
			target.Require(t, c.second)
			_, err := target.Start(c.second, target.Options{Home: t.TempDir(), Broker: keys})
			says := c.says
			if c.second != target.Java {
				says = fmt.Sprintf(says, dir)
			}
			require.ErrorContains(t, err, says)

			require.Equal(t, wrote, first.view(), "what the one that has it has, after the other one came")
			first.write("2")
			first.requireIndexed("1")
			first.requireIndexed("2")
			wrote = first.view()
			first.kill() // groups may read again what they had committed last
			first = start(t, c.first, home)
			got := first.view()
			for _, topic := range written {
				require.Equal(t, wrote[topic], got[topic])
			}
			first.stop()
			requireWhole(t, dir)
		})
	}
}
