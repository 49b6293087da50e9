// SPDX-License-Identifier: Apache-2.0

package tidy

import (
	"strings"
	"testing"
)

// ours lists, for each folder, which of our own folders its non-test code may
// import. A folder not listed is covered by its longest listed prefix.
var ours = map[string][]string{
	"compat":            {},
	"compat/fastjson":   {"compat"},
	"protocol":          {"compat"},
	"protocol/message":  {"compat"},
	"store":             {"compat", "protocol/message", "internal/settings", "store/vfs"},
	"store/vfs":         {"compat"},
	"remoting":          {"compat", "protocol"},
	"broker":            {"compat", "protocol", "remoting", "store", "broker", "internal/settings"},
	"broker/meta":       {"compat", "protocol", "remoting", "store"},
	"broker/session":    {"compat", "protocol", "remoting", "store"},
	"broker/durable":    {"compat", "protocol", "remoting", "store"},
	"broker/longpoll":   {"compat", "protocol", "remoting", "store"},
	"broker/filter":     {"compat", "protocol", "remoting", "store"},
	"broker/delay":      {"compat", "protocol", "remoting", "store"},
	"broker/stats":      {"compat", "protocol", "remoting", "store"},
	"namesrv":           {"compat", "protocol", "remoting", "internal/settings"},
	"admin":             {"compat", "protocol", "remoting"},
	"conf":              {"compat", "internal/settings"},
	"cmd/rocketd":       {"compat", "protocol", "remoting", "store", "broker", "namesrv", "admin", "conf", "internal"},
	"cmd/mqtools":       {"cmd/mqtools", "compat", "protocol", "remoting", "internal"},
	"internal/settings": {"compat"},
	"internal/run":      {},
	"internal/testkit":  {"internal"},
	"internal/tidy":     {"compat", "internal"},
	"internal":          {"internal"},
	"conformance":       {"compat", "protocol", "remoting", "store", "broker", "namesrv", "admin", "conf", "internal", "conformance", "cmd/mqtools/bench"},
}

// everywhere may be imported by any of our packages.
var everywhere = []string{"internal/run", "internal/invariant"}

// libraries that only the named folders may import.
var libraries = map[string][]string{
	"github.com/spf13/viper":               {"conf"},
	"github.com/json-iterator/go":          {"compat/fastjson", "protocol"},
	"github.com/apache/rocketmq-client-go": {"conformance", "cmd/mqtools"},
	"github.com/spf13/cobra":               {"cmd", "admin"},
	"os/exec":                              {"conformance", "internal/testkit", "internal/yardstick"},
}

func TestImportWalls(t *testing.T) {
	for _, f := range sources(t) {
		for _, path := range f.imports() {
			if own, ok := strings.CutPrefix(path, "rocketd/"); ok && !f.test && !mayImport(f.dir, own) {
				t.Errorf("%s imports rocketd/%s, which its folder may not", f.path, own)
			}
			for library, folders := range libraries {
				if (path == library || strings.HasPrefix(path, library+"/")) && !f.test && !under(f.dir, folders...) {
					t.Errorf("%s imports %s, which only %v may", f.path, path, folders)
				}
			}
		}
		if !strings.HasPrefix(f.path, "protocol/frame_json") && f.dir == "protocol" && !f.test && imports(f, "github.com/json-iterator/go") {
			t.Errorf("%s imports json-iterator, which only protocol/frame_json*.go may", f.path)
		}
	}
}

func mayImport(dir, own string) bool {
	if under(own, everywhere...) {
		return true
	}
	for rule := dir; ; {
		if allowed, ok := ours[rule]; ok {
			return own == dir || under(own, allowed...) || (under(own, rule) && rule == "conformance")
		}
		cut := strings.LastIndex(rule, "/")
		if cut < 0 {
			return false
		}
		rule = rule[:cut]
	}
}

func imports(f goFile, library string) bool {
	for _, path := range f.imports() {
		if path == library {
			return true
		}
	}
	return false
}

func TestBrokerPartsAreStrangers(t *testing.T) {
	for _, f := range sources(t) {
		if f.test || !strings.HasPrefix(f.dir, "broker/") {
			continue
		}
		for _, path := range f.imports() {
			if path == "rocketd/broker" || (strings.HasPrefix(path, "rocketd/broker/") && path != "rocketd/"+f.dir) {
				t.Errorf("%s imports %s: a part of the broker knows neither the broker nor its siblings", f.path, path)
			}
		}
	}
}
