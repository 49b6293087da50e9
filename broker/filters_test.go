// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/broker/filter"
	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/store"
	"rocketd/store/vfs"
)

func newFilteringBroker(t *testing.T) *bareBroker {
	return newBareBroker(t, func(c *Config) { c.EnablePropertyFilter = true })
}

// sqlHeartbeat is a heartbeat of group G that subscribes to T by an expression.
func sqlHeartbeat(expression, version string) string {
	body := heartbeatBody("cid", "G", 0, false, "T")
	return strings.Replace(body, `"subString":"*","subVersion":1`, `"subString":"`+expression+`","expressionType":"SQL92","subVersion":`+version, 1)
}

// The bitmap names the groups whose expressions take a message. It says nothing to an expression that is not older.
func TestBitmapsOfExpressions(t *testing.T) {
	b := newBareBroker(t, func(c *Config) {
		c.EnablePropertyFilter, c.EnableConsumeQueueExt, c.EnableCalcFilterBitMap, c.ExpectConsumerNumUseFilter, c.ConsumeQueueExtBits = true, true, true, 64, 64
	})
	require.Equal(t, 216, b.Config().ConsumeQueueExtBits, "whatever the file says")
	require.Nil(t, b.filterBits("T", nil))
	b.mustAsk(protocol.HeartBeat, "", sqlHeartbeat("a > 4", "1"))
	f, ok := b.filters.Get("G", "T")
	require.True(t, ok)
	record := func(p string) []byte {
		rec, err := message.AppendRecord(nil, &message.Message{Topic: "T", Properties: props(p)})
		require.NoError(t, err)
		return rec
	}
	yes, no := b.filterBits("T", record("a=5")), b.filterBits("T", record("a=1"))
	require.Equal(t, make([]byte, 27), no)
	require.True(t, filter.HasBits(yes, f.Bloom.BitPos))

	takes := extFilter(f)
	for _, c := range []struct {
		what   string
		agedMs int64
		bitmap []byte
		want   bool
	}{
		{"taken", 1, yes, true}, {"refused", 1, no, false}, {"as old as the expression", 0, no, true},
		{"no bitmap", 1, nil, true}, {"a bitmap of another length", 1, no[:14], true},
	} {
		require.Equal(t, c.want, takes(&store.ExtUnit{StoreTimestampMs: f.BornTimeMs + c.agedMs, Bitmap: c.bitmap}), c.what)
	}
}

func requireNext(t *testing.T, answer *protocol.Command, want string) {
	t.Helper()
	next, _ := answer.Field("nextBeginOffset")
	require.Equal(t, want, next)
}

func TestPullByExpressionInTheHeader(t *testing.T) {
	b := newFilteringBroker(t)
	for _, a := range []string{"1", "5", "7"} {
		b.mustSend("T", "properties="+props("a="+a), "a"+a)
	}
	answer := b.ask(protocol.PullMessage, pullFields("T", 0, "subscription=a>4 expressionType=SQL92"), "")
	require.Equal(t, []string{"a5", "a7"}, bodiesOf(t, answer.Body))
	requireNext(t, answer, "3")
	answer = b.ask(protocol.PullMessage, pullFields("T", 0, "subscription=a>9 expressionType=SQL92"), "")
	require.Equal(t, protocol.PullRetryImmediately, answer.Code)
	requireNext(t, answer, "3")
	b.requireAnswers([]question{
		{"bad expression", protocol.PullMessage, pullFields("T", 0, "subscription=a!4 expressionType=SQL92"), "", 23,
			"parse the consumer's subscription failed: at position 1: unexpected character '!'"},
		{"other type", protocol.PullMessage, pullFields("T", 0, "subscription=a expressionType=FOO"), "", 23,
			`parse the consumer's subscription failed: expression type "FOO" is none of TAG, SQL92`},
	})
}

func TestPullByExpressionOfTheHeartbeat(t *testing.T) {
	b := newFilteringBroker(t)
	b.mustSend("T", "properties="+props("a=1"), "a1")
	b.mustSend("T", "properties="+props("a=5"), "a5")
	pull := func(version string) *protocol.Command {
		return b.ask(protocol.PullMessage, pullFields("T", 0, "sysFlag=0 expressionType=SQL92 subVersion="+version), "")
	}
	b.mustAsk(protocol.HeartBeat, "", sqlHeartbeat("a ! 4", "1"))
	answer := pull("1")
	require.Equal(t, protocol.FilterDataNotExist, answer.Code)
	require.Equal(t, "The broker's consumer filter data is not exist!Your expression may be wrong!", answer.Remark)

	b.mustAsk(protocol.HeartBeat, "", sqlHeartbeat("a > 4", "2"))
	require.Equal(t, []string{"a5"}, bodiesOf(t, pull("2").Body))
	b.mustAsk(protocol.HeartBeat, "", sqlHeartbeat("a !", "3")) // the filter of version 2 has gone with it
	require.Equal(t, protocol.FilterDataNotExist, pull("3").Code)
	b.mustAsk(protocol.HeartBeat, "", sqlHeartbeat("a < 4", "4"))
	require.Equal(t, []string{"a1"}, bodiesOf(t, pull("4").Body))

	b.mustAsk(protocol.UnregisterClient, "clientID=cid consumerGroup=G", "")
	f, ok := b.filters.Get("G", "T")
	require.True(t, ok)
	require.True(t, f.Dead, "the group has gone")
	require.NoError(t, b.filters.Save())
	text, err := vfs.ReadFile(b.fs, b.Config().StorePathRootDir+"/config/consumerFilter.json")
	require.NoError(t, err)
	require.Contains(t, string(text), `"expression":"a < 4"`)
}

// A parked pull by an expression sleeps on while nothing matches.
func TestALongPollByExpression(t *testing.T) {
	b := newFilteringBroker(t)
	b.runParked()
	b.mustSend("T", "", "m0")
	done := b.poll(pullFields("T", 1, "sysFlag=7 subscription=a>4 expressionType=SQL92"))
	b.mustSend("T", "properties="+props("a=1"), "a1")
	require.Empty(t, done)
	b.mustSend("T", "properties="+props("a=5"), "a5")
	answer := <-done
	require.Equal(t, []string{"a5"}, bodiesOf(t, answer.Body))
	requireNext(t, answer, "3")
}

func TestCheckClientConfigReadsTheExpression(t *testing.T) {
	b := newFilteringBroker(t)
	body := func(expression string) string {
		return `{"clientId":"x","group":"g","subscriptionData":{"topic":"T","expressionType":"SQL92","subString":"` + expression + `"}}`
	}
	b.requireAnswers([]question{
		{"good", protocol.CheckClientConfig, "", body("a > 4"), 0, ""},
		{"bad", protocol.CheckClientConfig, "", body("a >"), 23, "at position 3: unexpected the end"},
	})
}

func TestRetryTopicIsFilteredByItsOrigin(t *testing.T) {
	b := newBareBroker(t, func(c *Config) { c.EnablePropertyFilter, c.FilterSupportRetry = true, true })
	b.mustAsk(protocol.HeartBeat, "", sqlHeartbeat("a > 4", "1"))
	retry := message.RetryTopic("G")
	for _, a := range []string{"1", "5"} {
		b.mustSend(retry, "properties="+props("a="+a+" RETRY_TOPIC=T"), "a"+a)
	}
	answer := b.ask(protocol.PullMessage, pullFields(retry, 0, "subscription=*"), "")
	require.Equal(t, []string{"a5"}, bodiesOf(t, answer.Body))
}
