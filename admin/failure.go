// SPDX-License-Identifier: Apache-2.0

// failure.go: what people and scripts read when a command fails: the head of the stack trace that Java prints.

package admin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"rocketd/protocol"
)

const (
	faqURL         = "https://rocketmq.apache.org/docs/bestPractice/06FAQ"
	clientClass    = "org.apache.rocketmq.client.exception.MQClientException"
	brokerClass    = "org.apache.rocketmq.client.exception.MQBrokerException"
	remotingPrefix = "org.apache.rocketmq.remoting.exception."
)

// failure is an error under the name that it has in Java.
type failure struct {
	class string
	code  int32 // of a server's answer, else -1
	text  string
}

func (f *failure) Error() string { return f.class + ": " + f.text }

// clientFailure is an MQClientException without a code.
func clientFailure(format string, args ...any) error {
	return &failure{class: clientClass, code: -1, text: withURL(fmt.Sprintf(format, args...))}
}

// codedFailure is an MQClientException with a code: how Java shows what a name server answered.
func codedFailure(code int32, remark string) error {
	return &failure{class: clientClass, code: code, text: withURL(fmt.Sprintf("CODE: %d  DESC: %s", code, remark))}
}

// brokerFailure is an MQBrokerException: how Java shows what a broker answered.
func brokerFailure(answer *protocol.Command, addr string) error {
	return &failure{class: brokerClass, code: answer.Code, text: withURL(fmt.Sprintf("CODE: %d  DESC: %s BROKER: %s", answer.Code, answer.Remark, addr))}
}

// withURL points to the documentation, unless the text does so already.
func withURL(text string) string {
	if strings.Contains(text, "See "+faqURL) {
		return text
	}
	return text + "\nFor more information, please visit the url, " + faqURL
}

// networkFailure names what went wrong on the way to addr.
func networkFailure(addr string, timeout time.Duration, err error) error {
	var dial *net.OpError
	switch {
	case errors.As(err, &dial) && dial.Op == "dial", strings.HasPrefix(err.Error(), "connect to "):
		return &failure{class: remotingPrefix + "RemotingConnectException", code: -1, text: "connect to " + addr + " failed"}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return &failure{class: remotingPrefix + "RemotingTimeoutException", code: -1, text: fmt.Sprintf("wait response on the channel %s timeout, %d(ms)", addr, timeout.Milliseconds())}
	default:
		return &failure{class: remotingPrefix + "RemotingSendRequestException", code: -1, text: "send request to " + addr + " failed: " + err.Error()}
	}
}

// javaError is a failure of Java's own making, such as a number that is none.
func javaError(class, format string, args ...any) error {
	return &failure{class: "java.lang." + class, code: -1, text: fmt.Sprintf(format, args...)}
}

// codeOf returns the code of a server's answer that err reports, or -1.
func codeOf(err error) int32 {
	var f *failure
	if errors.As(err, &f) {
		return f.code
	}
	return -1
}
