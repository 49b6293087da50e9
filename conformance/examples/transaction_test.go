// SPDX-License-Identifier: Apache-2.0

package examples

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/protocol/message"
)

const (
	transactionClass = "transaction.TransactionProducer"
	transactionTopic = "TopicTest1234"
	transactions     = 10
)

var transactionResult = resultWith("null", "null")

// TestProducersOfTransactions runs transaction.TransactionProducer, which decides nothing before it is asked, and then
// leaves the first of three messages open, commits the second and rolls back the third. Each runtime has a Broker of
// its own, because the program commits what another one has left open.
func TestProducersOfTransactions(t *testing.T) {
	for _, runtime := range runtimes {
		t.Run(transactionClass+" "+runtime, func(t *testing.T) {
			enter(t, runtime, transactionClass)
			f := newField(t)
			p := f.start(t, runtime, transactionClass)
			p.wait(t, func(out string) bool {
				return len(transactionResult.FindAllString(out, -1)) == transactions && f.decided(t)
			})
			require.NoError(t, f.WaitStored(transactionTopic, 3))
			want, got := []string{orderText(1), orderText(4), orderText(7)}, []string{}
			for _, m := range f.stored(t, transactionTopic) {
				got = append(got, textOf(m))
			}
			require.ElementsMatch(t, want, got)
		})
	}
}

// decided says whether the Broker goes on asking about the messages that stay open and no more about the others. It
// stores a half message again for each question.
func (f *field) decided(t *testing.T) bool {
	asked := map[int]int{}
	for _, m := range f.stored(t, message.HalfTopic) {
		topic, _ := m.Property(message.PropRealTopic)
		require.Equal(t, transactionTopic, topic)
		i, err := strconv.Atoi(strings.TrimPrefix(m.Keys(), "KEY"))
		require.NoError(t, err)
		require.Equal(t, orderText(i), textOf(m))
		asked[i]++
	}
	open, closed := math.MaxInt, 0
	for i, n := range asked {
		if i%3 == 0 {
			open = min(open, n)
		} else {
			closed = max(closed, n)
		}
	}
	return len(asked) == transactions && open > closed
}
