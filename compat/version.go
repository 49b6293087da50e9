// SPDX-License-Identifier: Apache-2.0

// version.go: the ordinals of MQVersion, which every command carries.

package compat

import (
	_ "embed"
	"strings"
	"sync"
)

// Version is the ordinal that we report: V5_5_0, the release whose behaviour is reproduced.
const Version = 513

//go:embed versions.txt
var versionText string

// versionNames are MQVersion's names as of 5.5.0, by ordinal. The list has gaps that no rule describes.
var versionNames = sync.OnceValue(func() []string { return strings.Fields(versionText) })

// VersionName returns the name of ordinal v as Java's tools print it. An ordinal beyond the last one has the last
// one's name, HIGHER_VERSION, and so has a negative one, which Java cannot name.
func VersionName(v int32) string {
	names := versionNames()
	if v < 0 || int(v) >= len(names) {
		return names[len(names)-1]
	}
	return names[v]
}
