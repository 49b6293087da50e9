// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"math"
	"strings"
	"testing"

	"rocketd/compat"
	"rocketd/protocol"
)

// What the ledger calls the same as Java is asked of both, of the Broker and of the NameServer.
func TestUnservedAsInJava(t *testing.T) {
	each(t, func(t *testing.T, p *pair) {
		for _, e := range compat.Ledger {
			if !strings.HasPrefix(e.Reason, "same as Java") {
				continue
			}
			for _, code := range e.Codes {
				var rules []*rule
				if p.form == Binary && code > math.MaxInt16 {
					rules = append(rules, &rule{Allowance: Allowance{SameShape, "wide-codes", `^remark$`}})
				}
				for _, to := range []server{toBroker, toNames} {
					f := family{code: code, to: to}
					n := newNames()
					f.compare(p.with(t), n, protocol.RequestName(code)+" to the "+string(to), rules, n.requests(code, []KV{}, ""), 0, &verdict{})
				}
			}
		}
	})
}
