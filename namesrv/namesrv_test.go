// SPDX-License-Identifier: Apache-2.0

package namesrv

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"rocketd/compat"
	"rocketd/compat/fastjson"
	"rocketd/internal/testkit"
	"rocketd/protocol"
	"rocketd/remoting"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// memFS holds files in memory; fail makes the next writes fail.
type memFS struct {
	mu    sync.Mutex
	files map[string][]byte
	fail  error
}

func newMemFS() *memFS { return &memFS{files: map[string][]byte{}} }

func (m *memFS) ReadFile(name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.files[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return data, nil
}

func (m *memFS) ReplaceFile(name string, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	if old, ok := m.files[name]; ok {
		m.files[name+".bak"] = old
	}
	m.files[name] = data
	return nil
}

func (m *memFS) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files[to] = m.files[from]
	delete(m.files, from)
	return nil
}

func (m *memFS) names() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for name := range maps.Keys(m.files) {
		names = append(names, name)
	}
	return names
}

// fakePeer is a connection that only counts how often it was closed.
type fakePeer struct {
	id     uint64
	closed atomic.Int32
}

func (p *fakePeer) ID() uint64         { return p.id }
func (p *fakePeer) RemoteAddr() string { return "192.0.2.1:1000" }
func (p *fakePeer) LocalAddr() string  { return "192.0.2.2:9876" }
func (p *fakePeer) Call(context.Context, *protocol.Command) (*protocol.Command, error) {
	return nil, remoting.ErrClosed
}
func (p *fakePeer) Oneway(*protocol.Command) error { return remoting.ErrClosed }
func (p *fakePeer) Close() error                   { p.closed.Add(1); return nil }

// fixture is a server that is used without a network.
type fixture struct {
	*Server
	t     *testing.T
	files *memFS
	clock *clockwork.FakeClock
	peer  *fakePeer // of requests that name none
}

func newServer(t *testing.T, edits ...func(*Config)) *fixture {
	t.Helper()
	return openServer(t, newMemFS(), edits...)
}

func openServer(t *testing.T, files *memFS, edits ...func(*Config)) *fixture {
	t.Helper()
	cfg := DefaultConfig()
	cfg.KVConfigPath = "/ns/kvConfig.json"
	for _, edit := range edits {
		edit(&cfg)
	}
	clock := clockwork.NewFakeClock()
	s, err := New(cfg, Deps{FS: files, Clock: clock, Log: zerolog.New(zerolog.NewTestWriter(t)), Listen: net.Listen})
	require.NoError(t, err)
	return &fixture{Server: s, t: t, files: files, clock: clock, peer: &fakePeer{id: 1}}
}

// ask sends a request and returns the answer, whatever its code.
func (f *fixture) ask(code int32, fields map[string]string, body []byte) *protocol.Command {
	f.t.Helper()
	return f.askAs(f.peer, compat.Version, code, fields, body)
}

func (f *fixture) askAs(peer remoting.Peer, version, code int32, fields map[string]string, body []byte) *protocol.Command {
	f.t.Helper()
	cmd := &protocol.Command{Code: code, Version: version, Opaque: 7, Body: body}
	for k, v := range fields {
		cmd.SetField(k, v)
	}
	answer, err := f.Handle(context.Background(), peer, cmd)
	require.NoError(f.t, err)
	return answer
}

// must sends a request that has to succeed.
func (f *fixture) must(code int32, fields map[string]string, body []byte) *protocol.Command {
	f.t.Helper()
	answer := f.ask(code, fields, body)
	require.Equal(f.t, protocol.Success, answer.Code, answer.Remark)
	return answer
}

// broker describes a registration; the zero values are a master without topics.
type broker struct {
	cluster, name, addr string
	id                  int64
	topics              []*protocol.TopicConfig
	version             protocol.DataVersion
	fields              map[string]string
	filters             []string
	peer                *fakePeer
}

func (b broker) header() map[string]string {
	fields := map[string]string{
		"clusterName": "C", "brokerName": b.name, "brokerAddr": b.addr, "haServerAddr": b.addr + "9",
		"brokerId": strconv.FormatInt(b.id, 10), "compressed": "false", "bodyCrc32": "0",
	}
	if b.cluster != "" {
		fields["clusterName"] = b.cluster
	}
	maps.Copy(fields, b.fields)
	return fields
}

func (b broker) body(t *testing.T) []byte {
	t.Helper()
	table := map[string]*protocol.TopicConfig{}
	for _, topic := range b.topics {
		table[topic.TopicName] = topic
	}
	body, err := fastjson.Marshal(protocol.RegisterBrokerBody{
		FilterServerList:            b.filters,
		TopicConfigSerializeWrapper: protocol.TopicConfigTable{DataVersion: b.version, TopicConfigTable: table},
	})
	require.NoError(t, err)
	return body
}

func (f *fixture) register(b broker) *protocol.Command {
	f.t.Helper()
	peer := f.peer
	if b.peer != nil {
		peer = b.peer
	}
	return f.askAs(peer, compat.Version, protocol.RegisterBroker, b.header(), b.body(f.t))
}

func (f *fixture) mustRegister(b broker) *protocol.Command {
	f.t.Helper()
	answer := f.register(b)
	require.Equal(f.t, protocol.Success, answer.Code, answer.Remark)
	return answer
}

func topics(names ...string) []*protocol.TopicConfig {
	var list []*protocol.TopicConfig
	for _, name := range names {
		list = append(list, protocol.NewTopicConfig(name, 4, 4, protocol.PermRead|protocol.PermWrite))
	}
	return list
}

// route returns a topic's route, or nil when the topic is unknown.
func (f *fixture) route(topic string) *protocol.TopicRoute {
	f.t.Helper()
	answer := f.ask(protocol.GetRouteInfoByTopic, map[string]string{"topic": topic}, nil)
	if answer.Code == protocol.TopicNotExist {
		return nil
	}
	require.Equal(f.t, protocol.Success, answer.Code, answer.Remark)
	var route protocol.TopicRoute
	require.NoError(f.t, fastjson.Unmarshal(answer.Body, &route))
	return &route
}

func (f *fixture) topicList(code int32, fields map[string]string) []string {
	f.t.Helper()
	var list protocol.TopicList
	require.NoError(f.t, fastjson.Unmarshal(f.must(code, fields, nil).Body, &list))
	return list.TopicList
}

func TestRunServesUntilStopped(t *testing.T) {
	cfg := DefaultConfig()
	cfg.ListenPort, cfg.BindAddress = 0, "127.0.0.1"
	cfg.KVConfigPath = "/ns/kvConfig.json"
	s, err := New(cfg, Deps{FS: newMemFS(), Clock: clockwork.NewRealClock(), Log: zerolog.Nop(), Listen: net.Listen})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	<-s.Ready()

	broker1 := remoting.NewClient(remoting.DefaultClientConfig(), nil, zerolog.Nop(), nil)
	client := remoting.NewClient(remoting.DefaultClientConfig(), nil, zerolog.Nop(), nil)
	defer func() { require.NoError(t, client.Close()) }()
	b := broker{name: "b1", addr: "10.0.0.1:10911", topics: topics("A", "B")}
	req := &protocol.Command{Code: protocol.RegisterBroker, Version: compat.Version, Body: b.body(t)}
	for k, v := range b.header() {
		req.SetField(k, v)
	}
	answer, err := broker1.Call(ctx, s.Addr(), req)
	require.NoError(t, err)
	require.Equal(t, protocol.Success, answer.Code, answer.Remark)

	code := func() int32 {
		req := &protocol.Command{Code: protocol.GetRouteInfoByTopic, Version: compat.Version}
		req.SetField("topic", "A")
		answer, err := client.Call(ctx, s.Addr(), req)
		require.NoError(t, err)
		return answer.Code
	}
	require.Equal(t, protocol.Success, code())
	require.NoError(t, broker1.Close())
	testkit.Eventually(t, func() bool { return code() == protocol.TopicNotExist }, "the closed connection unregisters its broker")
	stop()
	require.NoError(t, <-ended)
}

func TestPortInUseIsOneSentence(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	f := newServer(t, func(c *Config) {
		c.BindAddress = "127.0.0.1"
		c.ListenPort = int32(l.Addr().(*net.TCPAddr).Port)
	})
	err = f.Run(context.Background())
	require.EqualError(t, err, "the address "+l.Addr().String()+" is already in use: is another name server running?")
}

func TestListenFailureNamesTheAddress(t *testing.T) {
	f := newServer(t)
	f.listen = func(string, string) (net.Listener, error) { return nil, errors.New("no network") }
	require.EqualError(t, f.Run(context.Background()), "listen on 0.0.0.0:9876: no network")
}

func TestSettingsThatCannotWorkAreRefused(t *testing.T) {
	for key, edit := range map[string]func(*Config){
		"listenPort":                      func(c *Config) { c.ListenPort = 70000 },
		"scanNotActiveBrokerInterval":     func(c *Config) { c.ScanNotActiveBrokerIntervalMs = 0 },
		"kvConfigPath":                    func(c *Config) { c.KVConfigPath = "" },
		"maxRegisteredTopics":             func(c *Config) { c.MaxRegisteredTopics = -1 },
		"serverChannelMaxIdleTimeSeconds": func(c *Config) { c.MaxIdleSeconds = 0 },
	} {
		cfg := DefaultConfig()
		edit(&cfg)
		_, err := New(cfg, Deps{FS: newMemFS(), Clock: clockwork.NewFakeClock(), Log: zerolog.Nop()})
		require.ErrorContains(t, err, key)
	}
}

func TestUnknownRequestCode(t *testing.T) {
	answer := newServer(t).ask(9999, nil, nil)
	require.Equal(t, protocol.RequestCodeNotSupported, answer.Code)
	require.Equal(t, " request type 9999 not supported", answer.Remark)
}

func TestEveryRequestSurvivesWithoutHeaderBodyOrPeer(t *testing.T) {
	f := newServer(t)
	for _, code := range f.mux.Codes() {
		for _, body := range [][]byte{nil, []byte("{{{"), []byte("null"), []byte(`{"queueDatas":null}`)} {
			answer := f.askAs(nil, compat.Version, code, nil, body)
			require.NotContains(t, answer.Remark, "panic", "code %d", code)
		}
	}
}

func TestNotReadyYet(t *testing.T) {
	f := newServer(t, func(c *Config) { c.NeedWaitForService = true })
	f.mustRegister(broker{name: "b", addr: "10.0.0.1:1", topics: topics("A", "B")})
	answer := f.ask(protocol.GetRouteInfoByTopic, map[string]string{"topic": "A"}, nil)
	require.Equal(t, protocol.SystemError, answer.Code)
	require.Equal(t, "name server not ready", answer.Remark)
	f.clock.Advance(45 * time.Second)
	require.NotNil(t, f.route("A"))
}
