// SPDX-License-Identifier: Apache-2.0

package remotingtest

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rocketd/protocol"
)

// Request is a request as from a 5.5.0 client, with header fields "k=v k=v", of which the last of a name counts.
func Request(code int32, fields, body string) *protocol.Command {
	req := &protocol.Command{Code: code, Version: 513, Fields: []protocol.Field{}, Body: []byte(body)}
	for pair := range strings.FieldsSeq(fields) {
		key, value, _ := strings.Cut(pair, "=")
		req.SetField(key, value)
	}
	return req
}

// maxAnswerBytes is what one small request may make a server allocate.
const maxAnswerBytes = 24 << 20

// Answered demands that handle answers in bounded time and memory, and that it is no panic's answer: panics counts those.
func Answered(t testing.TB, req *protocol.Command, what string, panics func() uint64,
	handle func(ctx context.Context) (*protocol.Command, error),
) *protocol.Command {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	answer, err := handle(ctx)
	runtime.ReadMemStats(&after)
	name := protocol.RequestName(req.Code)
	require.NoError(t, err, "%s %s", name, what)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(maxAnswerBytes), "%s %s", name, what)
	require.Zero(t, panics(), "%s %s: %s", name, what, answer.Remark)
	require.LessOrEqual(t, len(answer.Remark), 2000, "%s %s", name, what)
	return answer
}
