// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/compat"
	"rocketd/protocol/message"
)

// FuzzSentProperties: of what a sender writes, every pair stays that Java would keep, but for those that the broker sets
// itself, and what the broker has read on its way is what a map of the pairs says.
func FuzzSentProperties(f *testing.F) {
	f.Add("KEYS\x01a b\x02TAGS\x01TagA\x02UNIQ_KEY\x01U\x02WAIT\x01false\x02DELAY\x013\x02TRACE_ON\x01x\x02TRAN_MSG\x01TRUE")
	f.Add("\x02\x01v\x02n\x01\x02POP_CK\x011\x02MSG_REGION\x01\x02a\x03\x00\x01\r\n\x02CLUSTER\x01c")
	f.Add("_SYS_MSG_PRIORITY_\x013\x02_SYS_MSG_PRIORITY_\x014\x02__LITE_TOPIC\x01c\x02INNER_NUM\x012\x02TIMER_OUT_MS\x011\x02TIMER_DELAY_MS\x011\x02")
	f.Fuzz(func(t *testing.T, text string) {
		p := readProps(text)
		pairs := message.ParseProperties(text)
		for _, own := range []string{"MSG_REGION", "TRACE_ON", "CLUSTER", "POP_CK"} {
			delete(pairs, own)
		}
		require.Equal(t, pairs, message.ParseProperties(p.text))
		require.True(t, p.text == "" || strings.HasSuffix(p.text, "\x02"), "more can be added")
		require.Equal(t, strings.Count(p.text, "\x02"), len(strings.FieldsFunc(p.text, func(r rune) bool { return r == '\x02' })), "no pair is empty")
		require.Equal(t, []string{pairs["UNIQ_KEY"], pairs["KEYS"], pairs["DELAY"], pairs["_SYS_MSG_PRIORITY_"], pairs["__LITE_TOPIC"]},
			[]string{p.uniqKey, p.keys, p.delay, p.priority, p.liteTopic})
		wait, waits := pairs["WAIT"]
		_, inner := pairs["INNER_NUM"]
		_, fired := pairs["TIMER_OUT_MS"]
		require.Equal(t, []bool{waits && !compat.ParseBool(wait), compat.ParseBool(pairs["TRAN_MSG"]), inner, fired}, []bool{p.noWait, p.tran, p.innerNum, p.fired})
		require.Equal(t, p.text, readProps(p.text).text, "once is enough")
	})
}
