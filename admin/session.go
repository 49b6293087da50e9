// SPDX-License-Identifier: Apache-2.0

// session.go: what a running command works with, and the questions that several commands ask.
// Java: DefaultMQAdminExtImpl, MQClientAPIImpl, CommandUtil.

package admin

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jonboulle/clockwork"

	"rocketd/compat/fastjson"
	"rocketd/protocol"
	"rocketd/protocol/message"
	"rocketd/remoting"
)

const (
	callTimeout    = 5 * time.Second // as Java's admin client has it
	masterID       = 0
	unknownCluster = "[error] Make sure the specified clusterName exists or the name server connected to is correct."
)

// session is one run of a command.
type session struct {
	ctx     context.Context
	client  *remoting.Client
	names   []string // name servers; the first that answers is asked
	clock   clockwork.Clock
	rand    *rand.Rand
	timeout time.Duration // of one request
	out     io.Writer
	err     io.Writer
}

func (s *session) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(s.out, format, args...) // a command cannot tell anybody that its output is gone
}

// complain prints an error that does not end the command.
func (s *session) complain(err error) {
	_, _ = fmt.Fprintln(s.err, err) // as printf
}

// send gets an answer of addr, whatever its code.
func (s *session) send(addr string, req *protocol.Command) (*protocol.Command, error) {
	ctx, cancel := clockwork.WithTimeout(s.ctx, s.clock, s.timeout)
	defer cancel()
	answer, err := s.client.Call(ctx, addr, req)
	if err != nil {
		return nil, networkFailure(addr, s.timeout, err)
	}
	return answer, nil
}

// askBroker gets a successful answer of a broker.
func (s *session) askBroker(addr string, req *protocol.Command) (*protocol.Command, error) {
	answer, err := s.send(addr, req)
	if err != nil {
		return nil, err
	}
	if answer.Code != protocol.Success {
		return nil, brokerFailure(answer, addr)
	}
	return answer, nil
}

// askNames gets a successful answer of the first name server that can be reached.
func (s *session) askNames(req *protocol.Command) (*protocol.Command, error) {
	var failed error
	for _, addr := range s.names {
		answer, err := s.send(addr, req)
		if err != nil {
			failed = err
			continue
		}
		if answer.Code != protocol.Success {
			return nil, codedFailure(answer.Code, answer.Remark)
		}
		return answer, nil
	}
	if failed == nil {
		failed = clientFailure("No name server address: give -n or set NAMESRV_ADDR.")
	}
	return nil, failed
}

// tellNames makes a change at all name servers.
func (s *session) tellNames(req *protocol.Command) error {
	if len(s.names) == 0 {
		_, err := s.askNames(req)
		return err
	}
	for _, addr := range s.names {
		answer, err := s.send(addr, req)
		if err != nil {
			return err
		}
		if answer.Code != protocol.Success {
			return codedFailure(answer.Code, answer.Remark)
		}
	}
	return nil
}

// request makes a request with a header.
func request[T any](code int32, header T) *protocol.Command {
	return protocol.NewRequest(code, &header)
}

// decode reads an answer's body.
func decode[T any](answer *protocol.Command, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	v := new(T)
	if err := fastjson.Unmarshal(answer.Body, v); err != nil {
		return nil, javaError("RuntimeException", "the answer cannot be read: %v", err)
	}
	return v, nil
}

func (s *session) route(topic string) (*protocol.TopicRoute, error) {
	return decode[protocol.TopicRoute](s.askNames(request(protocol.GetRouteInfoByTopic, protocol.RouteHeader{Topic: topic})))
}

func (s *session) clusters() (*protocol.ClusterInfo, error) {
	return decode[protocol.ClusterInfo](s.askNames(request(protocol.GetBrokerClusterInfo, protocol.Empty{})))
}

func (s *session) allTopics() ([]string, error) {
	list, err := decode[protocol.TopicList](s.askNames(request(protocol.GetAllTopicListFromNameServer, protocol.Empty{})))
	if err != nil {
		return nil, err
	}
	return list.TopicList, nil
}

func (s *session) runtimeInfo(addr string) (map[string]string, error) {
	table, err := decode[protocol.KVTable](s.askBroker(addr, request(protocol.GetBrokerRuntimeInfo, protocol.Empty{})))
	if err != nil {
		return nil, err
	}
	return table.Table, nil
}

// masters returns the master addresses of a cluster, sorted. An unknown cluster is complained about and has none.
func (s *session) masters(cluster string) ([]string, error) {
	info, err := s.clusters()
	if err != nil {
		return nil, err
	}
	names, known := info.ClusterAddrTable[cluster]
	if !known {
		s.printf("%s", unknownCluster)
		return nil, nil
	}
	found := map[string]struct{}{}
	for _, name := range names {
		if addr, ok := info.BrokerAddrTable[name].BrokerAddrs[masterID]; ok {
			found[addr] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(found)), nil
}

// anyAddr returns the address to ask of a broker name: the master's, or that of the lowest slave.
func anyAddr(b protocol.BrokerData) (string, bool) {
	if len(b.BrokerAddrs) == 0 {
		return "", false
	}
	return b.BrokerAddrs[slices.Min(slices.Collect(maps.Keys(b.BrokerAddrs)))], true
}

// groupOfRetryTopic takes the group out of the name of its retry topic; those of pop consumers also name the topic.
func groupOfRetryTopic(topic string) string {
	group, _, _ := strings.Cut(strings.TrimPrefix(topic, message.RetryPrefix), "+")
	return group
}

// sortQueues puts queues into the order in which Java prints them: topic, broker, number.
func sortQueues[V any](table map[protocol.MessageQueue]V) []protocol.MessageQueue {
	return slices.SortedFunc(maps.Keys(table), func(a, b protocol.MessageQueue) int {
		if c := strings.Compare(a.Topic, b.Topic); c != 0 {
			return c
		}
		if c := strings.Compare(a.BrokerName, b.BrokerName); c != 0 {
			return c
		}
		return int(a.QueueID) - int(b.QueueID)
	})
}

// front cuts text to n characters, as Java's tables do.
func front(text string, n int) string {
	if r := []rune(text); len(r) > n {
		return string(r[:n])
	}
	return text
}

// number reads an option that must be a number.
func number(text string) (int32, error) {
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, javaError("NumberFormatException", "For input string: \"%s\"", text)
	}
	return int32(n), nil
}

// javaDouble prints a number as Java does.
func javaDouble(f float64) string {
	text, err := fastjson.Marshal(f)
	if err != nil {
		return "NaN"
	}
	return string(text)
}

// moment prints a time in the machine's zone.
func moment(ms int64, layout string) string { return time.UnixMilli(ms).Format(layout) }
