// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheReadmeNamesWhatIsServed: all commands are listed by the tool, so that only the page says which can be used.
func TestTheReadmeNamesWhatIsServed(t *testing.T) {
	page, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	row := regexp.MustCompile("(?m)^\\| `bin/mqadmin COMMAND` \\| (.*);").FindSubmatch(page)
	require.NotNil(t, row)
	var named, served []string
	for _, name := range regexp.MustCompile("`([a-zA-Z]+)`").FindAllSubmatch(row[1], -1) {
		named = append(named, string(name[1]))
	}
	for _, c := range commands {
		if c.run != nil {
			served = append(served, c.name)
		}
	}
	require.ElementsMatch(t, served, named)
}
