// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rocketd/compat/fastjson"
	"rocketd/protocol"
	"rocketd/store"
)

func TestConsumeQueueUnits(t *testing.T) {
	b := stagedTopic(t, nil)
	answer := b.mustAsk(protocol.QueryConsumeQueue, "topic=T queueId=0 index=1 count=10 consumerGroup=G", "")
	require.Contains(t, string(answer.Body), `"filterData":"G@T is not online!","maxQueueIndex":3,"minQueueIndex":0,"queueData":[{"eval":false,"physicOffset":`)
	b.requireAnswers([]question{
		{"no queue", protocol.QueryConsumeQueue, "topic=T queueId=9 index=0 count=1", "", 1, "9@T is not exist!"},
		{"beyond", protocol.QueryConsumeQueue, "topic=T queueId=0 index=3 count=2147483647", "", 0, "Index 3 of 0@T is not exist!"},
	})
}

func (b *bareBroker) unitsFor(group string) (units protocol.ConsumeQueueUnits) {
	b.t.Helper()
	answer := b.mustAsk(protocol.QueryConsumeQueue, "topic=T queueId=0 index=0 count=10 consumerGroup="+group, "")
	require.NoError(b.t, fastjson.Unmarshal(answer.Body, &units))
	return units
}

// An expression is printed as long as its group is there, also when it has died, and decides by the bitmaps.
func TestConsumeQueueUnitsOfAnExpression(t *testing.T) {
	b := newBareBroker(t, func(c *Config) {
		c.EnablePropertyFilter, c.EnableConsumeQueueExt, c.EnableCalcFilterBitMap = true, true, true
	})
	b.mustAsk(protocol.HeartBeat, "", sqlHeartbeat("a > 4", "7"))
	bornMs := b.clock.Now().UnixMilli()
	b.clock.Advance(time.Millisecond)
	b.mustSend("T", "properties="+props("a=5"), "a5")
	b.mustSend("T", "properties="+props("a=1"), "a1")

	units := b.unitsFor("G")
	require.Equal(t, "SQL92", units.SubscriptionData.ExpressionType)
	printed := fmt.Sprintf("{\n\t\"bloomFilterData\":{\n\t\t\"bitNum\":112,\n\t\t\"bitPos\":[24,26,83]\n\t},\n\t\"bornTime\":%d,\n\t\"clientVersion\":7,\n"+
		"\t\"consumerGroup\":\"G\",\n\t\"dead\":false,\n\t\"deadTime\":0,\n\t\"expression\":\"a > 4\",\n\t\"expressionType\":\"SQL92\",\n\t\"topic\":\"T\"\n}", bornMs)
	require.Equal(t, printed, units.FilterData)
	require.Equal(t, []bool{true, false}, []bool{units.QueueData[0].Eval, units.QueueData[1].Eval})
	yes, no := units.QueueData[0], units.QueueData[1]
	require.Equal(t, fmt.Sprintf(`{"filterBitMap":[0,0,0,5,0,0,0,0,0,0,8,0,0,0],"msgStoreTime":%d,"size":34,"tagsCode":0}`, bornMs+1), yes.ExtendDataJSON)
	require.Equal(t, strings.Repeat("0", 28)+"1"+strings.Repeat("0", 19)+"\n"+strings.Repeat("0", 37)+"101"+strings.Repeat("0", 24)+"\n", yes.BitMap)
	require.Equal(t, strings.Repeat("0", 48)+"\n"+strings.Repeat("0", 64)+"\n", no.BitMap)

	b.mustAsk(protocol.HeartBeat, "", heartbeatBody("cid", "G", 0, false, "Other"))
	require.Equal(t, "G@T is not online!", b.unitsFor("G").FilterData)
	b.mustAsk(protocol.HeartBeat, "", heartbeatBody("cid", "G", 0, false, "T"))
	units = b.unitsFor("G")
	died := fmt.Sprintf("\"dead\":true,\n\t\"deadTime\":%d,", bornMs+1)
	require.Equal(t, strings.Replace(printed, "\"dead\":false,\n\t\"deadTime\":0,", died, 1), units.FilterData)
	require.True(t, units.QueueData[1].Eval, "tags: all")
	b.mustAsk(protocol.HeartBeat, "", heartbeatBody("cid2", "Plain", 0, false, "T"))
	require.Equal(t, "null", b.unitsFor("Plain").FilterData)
}

// What the extension of a unit says, and that it is lost.
func TestShownUnits(t *testing.T) {
	sub := func(expressionType, text string, codes ...int32) *protocol.SubscriptionData {
		return &protocol.SubscriptionData{ExpressionType: expressionType, SubString: text, CodeSet: codes}
	}
	class := sub("SQL92", "a")
	class.ClassFilterMode = true
	for _, c := range []struct {
		what string
		sub  *protocol.SubscriptionData
		want bool
	}{
		{"its tag", sub("TAG", "A || B", 65, 66), true}, {"another tag", sub("", "B", 66), false}, {"all", sub("TAG", "*"), true},
		{"an expression that is not known", sub("SQL92", "a >"), true}, {"a class", class, true},
	} {
		require.Equal(t, c.want, takesExt(c.sub, nil)(&store.ExtUnit{TagsCode: 65}), c.what)
	}
	unit, err := shownUnit(store.QueueUnit{PhyOffset: 1, Size: 2, TagsCode: -1 << 63, ExtLost: true}, takesExt(sub("TAG", "*"), nil))
	require.NoError(t, err)
	require.Equal(t, protocol.ConsumeQueueUnit{PhysicOffset: 1, PhysicSize: 2, TagsCode: -1 << 63, Msg: "Cq extend not exist!addr: -9223372036854775808"}, unit)
	unit, err = shownUnit(store.QueueUnit{Ext: &store.ExtUnit{TagsCode: -5, Bitmap: []byte{200}}}, nil)
	require.NoError(t, err)
	require.Equal(t, protocol.ConsumeQueueUnit{ExtendDataJSON: `{"filterBitMap":[-56],"msgStoreTime":0,"size":21,"tagsCode":-5}`, BitMap: "11001000\n"}, unit)
}

// Large bitmaps end an answer before it is as long as a frame.
func TestConsumeQueueUnitsAreBounded(t *testing.T) {
	b := newBareBroker(t, func(c *Config) {
		c.EnablePropertyFilter, c.EnableConsumeQueueExt, c.EnableCalcFilterBitMap = true, true, true
		c.MaxErrorRateOfBloomFilter, c.ExpectConsumerNumUseFilter = 1, 27_000
	})
	b.mustAsk(protocol.HeartBeat, "", sqlHeartbeat("a > 4", "1"))
	for range 60 {
		b.mustSend("T", "properties="+props("a=5"), "a5")
	}
	answer := b.mustAsk(protocol.QueryConsumeQueue, "topic=T queueId=0 index=0 count=60", "")
	require.Greater(t, len(answer.Body), maxQueueText)
	require.Less(t, len(answer.Body), maxQueueText*5/4)
}
