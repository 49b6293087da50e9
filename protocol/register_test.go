// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/compat/fastjson"
)

// What RegisterBrokerBody.encode of 5.5.0 returned for the body of newRegisterBody, compressed and not.
const (
	javaCompressedBody = "eNpVj09LxDAQxaNfwLunMOe6NN1d0+am4C4F/7BY9CAS0u64FtumJOlhKf3uTrzJ8GB4M7/hDWMsn6Gx0xDQgZIJ+GACvqHzrR1ArRMIbY9k9iMoIYvtJt3KtSyKfGGMXZKyyo5tU9EO3/Cc3/LX8nn/+KCruz2fgVhvTrgK5xFBwa7cvUAkr6v7d5FmBORc/kPi9OoDRCZXKZVQAj7JuiC5GerB9PFQ7ewPuhsDCTSTc+XxyVDAeUng2LpwBvVlOo8J4Gibb0qe0WeN/cug9amztem0JjjE8GTGt6mJRjDdYcIJPah8+QXRCFI5"
	javaPlainBody      = `{"filterServerList":["127.0.0.1:1"],"topicConfigSerializeWrapper":{"dataVersion":{"counter":7,"stateVersion":3,"timestamp":1795405737998},"mappingDataVersion":{"counter":0,"stateVersion":0,"timestamp":1795405737000},"topicConfigTable":{"TopicTest":{"attributes":{"message.type":"FIFO"},"order":false,"perm":6,"readQueueNums":4,"topicFilterType":"SINGLE_TAG","topicName":"TopicTest","topicSysFlag":0,"writeQueueNums":8},"TBW102":{"attributes":{},"order":false,"perm":7,"readQueueNums":8,"topicFilterType":"SINGLE_TAG","topicName":"TBW102","topicSysFlag":0,"writeQueueNums":8}},"topicQueueMappingDetailMap":{},"topicQueueMappingInfoMap":{"static":{"bname":"broker-a","currIdMap":{},"dirty":false,"epoch":12,"scope":"__global__","topic":"static","totalQueues":8}}}}`
)

func newRegisterBody() *RegisterBrokerBody {
	topic := NewTopicConfig("TopicTest", 4, 8, PermRead|PermWrite)
	topic.Attributes["message.type"] = "FIFO"
	return &RegisterBrokerBody{
		FilterServerList: []string{"127.0.0.1:1"},
		TopicConfigSerializeWrapper: TopicConfigTable{
			DataVersion:        DataVersion{Counter: 7, StateVersion: 3, TimestampMs: 1795405737998},
			MappingDataVersion: DataVersion{TimestampMs: 1795405737000},
			TopicConfigTable: map[string]*TopicConfig{
				"TopicTest": topic,
				"TBW102":    NewTopicConfig("TBW102", 8, 8, PermRead|PermWrite|PermInherit),
			},
			TopicQueueMappingDetailMap: map[string]fastjson.Raw{},
			TopicQueueMappingInfoMap: map[string]fastjson.Raw{
				"static": fastjson.Raw(`{"bname":"broker-a","currIdMap":{},"dirty":false,"epoch":12,"scope":"__global__","topic":"static","totalQueues":8}`),
			},
		},
	}
}

func TestRegisterBrokerBody(t *testing.T) {
	want := newRegisterBody()
	got, err := DecodeRegisterBrokerBody([]byte(javaPlainBody), false, 513)
	require.NoError(t, err)
	require.Equal(t, want, got)
	plain, err := want.Encode(false)
	require.NoError(t, err)
	require.JSONEq(t, javaPlainBody, string(plain))

	packed, err := base64.StdEncoding.DecodeString(javaCompressedBody)
	require.NoError(t, err)
	// The compressed form knows neither the version of the mappings nor their details.
	want.TopicConfigSerializeWrapper.MappingDataVersion = DataVersion{}
	want.TopicConfigSerializeWrapper.TopicQueueMappingDetailMap = nil
	got, err = DecodeRegisterBrokerBody(packed, true, 513)
	require.NoError(t, err)
	require.Equal(t, want, got)
	packed, err = want.Encode(true)
	require.NoError(t, err)
	got, err = DecodeRegisterBrokerBody(packed, true, 513)
	require.NoError(t, err)
	require.Equal(t, want, got)

	want.TopicConfigSerializeWrapper.TopicQueueMappingInfoMap = nil
	got, err = DecodeRegisterBrokerBody(packed, true, versionMapping-1)
	require.NoError(t, err)
	require.Equal(t, want, got, "before 5.0 there are no mappings")

	got, err = DecodeRegisterBrokerBody([]byte(`{"dataVersion":{"counter":1},"topicConfigTable":{"T":{"topicName":"T"}}}`), false, versionRegisterBody-1)
	require.NoError(t, err)
	require.Equal(t, NewTopicConfig("T", 16, 16, 6), got.TopicConfigSerializeWrapper.TopicConfigTable["T"])
	require.Equal(t, int64(1), got.TopicConfigSerializeWrapper.DataVersion.Counter)

	got, err = DecodeRegisterBrokerBody(nil, false, 513)
	require.NoError(t, err)
	require.Equal(t, new(RegisterBrokerBody), got)
}

func TestRegisterBrokerBodyRefuses(t *testing.T) {
	piece := func(text string) string { return int32Text(len(text)) + text }
	pack := func(plain string) []byte {
		var b bytes.Buffer
		z := zlib.NewWriter(&b)
		_, err := z.Write([]byte(plain))
		require.NoError(t, err)
		require.NoError(t, z.Close())
		return b.Bytes()
	}
	version := piece(`{"counter":1}`)
	cases := []struct {
		name string
		body []byte
	}{
		{"no zlib", []byte("plain")},
		{"cut zlib", pack(version)[:12]},
		{"empty", pack("")},
		{"version too long", pack("\x7f\xff\xff\xff{}")},
		{"negative length", pack("\xff\xff\xff\xff{}")},
		{"version without JSON", pack(piece("x"))},
		{"no topics", pack(version)},
		{"too many topics", pack(version + "\x7f\xff\xff\xff")},
		{"negative number of topics", pack(version + "\xff\xff\xff\xff")},
		{"topic of few parts", pack(version + int32Text(1) + piece("T 1 2"))},
		{"topic of no numbers", pack(version + int32Text(1) + piece("T a 2 6 SINGLE_TAG"))},
		{"topic missing", pack(version + int32Text(2) + piece("T 1 2 6 SINGLE_TAG"))},
		{"no filter servers", pack(version + int32Text(0))},
		{"no mappings", pack(version + int32Text(0) + piece("[]"))},
		{"mapping missing", pack(version + int32Text(0) + piece("[]") + int32Text(1))},
		{"mapping without JSON", pack(version + int32Text(0) + piece("[]") + int32Text(1) + piece("x"))},
		{"a bomb", pack(string(make([]byte, maxInflatedBytes+1)))},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			_, err := DecodeRegisterBrokerBody(tc.body, true, 513)
			require.Error(t, err)
		})
	}
}

func TestBodyCRC32(t *testing.T) {
	require.Equal(t, int32(0x4BF43926), BodyCRC32([]byte("123456789")), "the top bit of 0xCBF43926 is cut")
}

func TestTopicText(t *testing.T) {
	topic, err := parseTopicText("T 4 8 6 MULTI_TAG")
	require.NoError(t, err)
	want := NewTopicConfig("T", 4, 8, 6)
	want.TopicFilterType = MultiTag
	require.Equal(t, want, topic)
	topic, err = parseTopicText("T 4 8 6 MULTI_TAG broken")
	require.NoError(t, err)
	require.Equal(t, want, topic, "attributes that cannot be read are dropped")
	text, err := (&TopicConfig{TopicName: "T", ReadQueueNums: 1, WriteQueueNums: 2, Perm: 3, TopicFilterType: "F"}).appendText(nil)
	require.NoError(t, err)
	require.Equal(t, "T 1 2 3 F {}", string(text))
}
