// SPDX-License-Identifier: Apache-2.0

// The property text of a message: name 0x01 value 0x02, repeated; the last
// 0x02 may be missing in what old clients send. Java: MessageDecoder
// (string2messageProperties, messageProperties2String), MessageConst.

package message

import "strings"

const (
	nameEnd  = '\x01'
	valueEnd = '\x02'
)

// MaxPropertiesBytes is the longest property text: its length is an int16.
const MaxPropertiesBytes = 32767

// Property names, as in Java's MessageConst.
const (
	PropKeys                = "KEYS"
	PropTags                = "TAGS"
	PropWait                = "WAIT"
	PropDelay               = "DELAY"
	PropRetryTopic          = "RETRY_TOPIC"
	PropRealTopic           = "REAL_TOPIC"
	PropRealQID             = "REAL_QID"
	PropTranMsg             = "TRAN_MSG"
	PropProducerGroup       = "PGROUP"
	PropMinOffset           = "MIN_OFFSET"
	PropMaxOffset           = "MAX_OFFSET"
	PropBuyerID             = "BUYER_ID"
	PropOriginMessageID     = "ORIGIN_MESSAGE_ID"
	PropTransferFlag        = "TRANSFER_FLAG"
	PropCorrectionFlag      = "CORRECTION_FLAG"
	PropMQ2Flag             = "MQ2_FLAG"
	PropReconsumeTime       = "RECONSUME_TIME"
	PropMsgRegion           = "MSG_REGION"
	PropTraceOn             = "TRACE_ON"
	PropUniqKey             = "UNIQ_KEY"
	PropExtendUniqInfo      = "EXTEND_UNIQ_INFO"
	PropMaxReconsumeTimes   = "MAX_RECONSUME_TIMES"
	PropConsumeStartTime    = "CONSUME_START_TIME"
	PropInnerNum            = "INNER_NUM"
	PropInnerBase           = "INNER_BASE"
	PropDupInfo             = "DUP_INFO"
	PropCheckImmunity       = "CHECK_IMMUNITY_TIME_IN_SECONDS"
	PropTranPreparedOffset  = "TRAN_PREPARED_QUEUE_OFFSET"
	PropTransactionID       = "__transactionId__"
	PropTransactionChecks   = "TRANSACTION_CHECK_TIMES"
	PropInstanceID          = "INSTANCE_ID"
	PropCorrelationID       = "CORRELATION_ID"
	PropReplyToClient       = "REPLY_TO_CLIENT"
	PropTTL                 = "TTL"
	PropArriveTime          = "ARRIVE_TIME"
	PropPushReplyTime       = "PUSH_REPLY_TIME"
	PropCluster             = "CLUSTER"
	PropMsgType             = "MSG_TYPE"
	PropPopCK               = "POP_CK"
	PropPopCKOffset         = "POP_CK_OFFSET"
	PropFirstPopTime        = "1ST_POP_TIME"
	PropShardingKey         = "__SHARDINGKEY"
	PropPriority            = "_SYS_MSG_PRIORITY_"
	PropLiteTopic           = "__LITE_TOPIC"
	PropForwardQueueID      = "PROPERTY_FORWARD_QUEUE_ID"
	PropRedirect            = "REDIRECT"
	PropInnerMultiDispatch  = "INNER_MULTI_DISPATCH"
	PropInnerMultiOffset    = "INNER_MULTI_QUEUE_OFFSET"
	PropTraceContext        = "TRACE_CONTEXT"
	PropTimerDelaySec       = "TIMER_DELAY_SEC"
	PropTimerDeliverMs      = "TIMER_DELIVER_MS"
	PropTimerDelayMs        = "TIMER_DELAY_MS"
	PropTimerOutMs          = "TIMER_OUT_MS"
	PropTimerEnqueueMs      = "TIMER_ENQUEUE_MS"
	PropTimerDequeueMs      = "TIMER_DEQUEUE_MS"
	PropTimerRollTimes      = "TIMER_ROLL_TIMES"
	PropTimerDelUniqKey     = "TIMER_DEL_UNIQKEY"
	PropTimerDelayLevel     = "TIMER_DELAY_LEVEL"
	PropBornHost            = "__BORNHOST"
	PropBornTimestamp       = "BORN_TIMESTAMP"
	PropDLQOriginTopic      = "DLQ_ORIGIN_TOPIC"
	PropDLQOriginMessageID  = "DLQ_ORIGIN_MESSAGE_ID"
	PropCRC32               = "__CRC32#"
	PropTransientGroupFlag  = "__RMQ.TRANSIENT.GROUP_SYS_FLAG"
	PropTransientTopicFlag  = "__RMQ.TRANSIENT.TOPIC_SYS_FLAG"
	KeySeparator            = " "
	propertyPairOverheadLen = 2
)

// Property returns the value of a name. Of several pairs with the name the last
// counts, and a pair with an empty value counts as absent, as in Java.
func Property(props, name string) (string, bool) {
	start, end, ok := findProperty(props, name)
	if !ok {
		return "", false
	}
	return props[start+len(name)+1 : end], true
}

// IndexedProperties returns what Property does for UNIQ_KEY, KEYS and TAGS, in
// one walk over the text; what is absent is empty.
func IndexedProperties(props string) (uniqKey, keys, tags string) {
	for len(props) > 0 {
		pair := props
		if i := strings.IndexByte(props, valueEnd); i >= 0 {
			pair, props = props[:i], props[i+1:]
		} else {
			props = ""
		}
		i := strings.IndexByte(pair, nameEnd)
		if i <= 0 || i == len(pair)-1 {
			continue
		}
		switch value := pair[i+1:]; pair[:i] {
		case PropUniqKey:
			uniqKey = value
		case PropKeys:
			keys = value
		case PropTags:
			tags = value
		}
	}
	return uniqKey, keys, tags
}

// findProperty finds the last pair of a name, which wins. It returns where the
// pair begins and where its value ends (the position of its 0x02, or the end of
// the text).
func findProperty(props, name string) (start, end int, ok bool) {
	for at := 0; at < len(props); {
		stop := len(props)
		if i := strings.IndexByte(props[at:], valueEnd); i >= 0 {
			stop = at + i
		}
		if isPair(props[at:stop], name) {
			start, end, ok = at, stop, true
		}
		at = stop + 1
	}
	return start, end, ok
}

// ParseProperties splits the text; pairs without a name or a value are dropped.
func ParseProperties(props string) map[string]string {
	m := make(map[string]string, strings.Count(props, "\x02")+1)
	for len(props) > 0 {
		pair := props
		if i := strings.IndexByte(props, valueEnd); i >= 0 {
			pair, props = props[:i], props[i+1:]
		} else {
			props = ""
		}
		if i := strings.IndexByte(pair, nameEnd); i > 0 && i < len(pair)-1 {
			m[pair[:i]] = pair[i+1:]
		}
	}
	return m
}

// AppendProperty appends one pair; a pair with an empty value is not written.
func AppendProperty(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(dst, name...)
	dst = append(dst, nameEnd)
	dst = append(dst, value...)
	return append(dst, valueEnd)
}

// EncodeProperties is the text of a map; the order of pairs has no meaning.
func EncodeProperties(m map[string]string) string {
	var dst []byte
	for k, v := range m {
		dst = AppendProperty(dst, k, v)
	}
	return string(dst)
}

// RemoveProperty returns the text without the pairs of that name.
func RemoveProperty(props, name string) string {
	var b strings.Builder
	kept := 0 // text up to here is taken over
	for at := 0; at < len(props); {
		stop, next := len(props), len(props)
		if i := strings.IndexByte(props[at:], valueEnd); i >= 0 {
			stop, next = at+i, at+i+1
		}
		if isPair(props[at:stop], name) {
			b.WriteString(props[kept:at])
			kept = next
		}
		at = next
	}
	if kept == 0 {
		return props
	}
	b.WriteString(props[kept:])
	return b.String()
}

// isPair says whether a pair has the name, and a value.
func isPair(pair, name string) bool {
	n := len(name)
	return n < len(pair)-1 && pair[n] == nameEnd && pair[:n] == name
}

// SetProperty returns the text with the value of name replaced, or the pair
// added at the end. An empty value removes the pair.
func SetProperty(props, name, value string) string {
	if value == "" {
		return RemoveProperty(props, name)
	}
	if start, end, ok := findProperty(props, name); ok {
		return props[:start+len(name)+1] + value + props[end:]
	}
	var b strings.Builder
	b.Grow(len(props) + len(name) + len(value) + propertyPairOverheadLen + 1)
	b.WriteString(props)
	if props != "" && props[len(props)-1] != valueEnd {
		b.WriteByte(valueEnd)
	}
	b.WriteString(name)
	b.WriteByte(nameEnd)
	b.WriteString(value)
	b.WriteByte(valueEnd)
	return b.String()
}
