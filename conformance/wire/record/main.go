// SPDX-License-Identifier: Apache-2.0

// Command record writes down what Java 5.5.0 clients and servers say to each other in the binary header form: it starts
// the Java servers in that form, puts itself between them and the clients of a command, and keeps up to two frames of
// each path, request code, kind and result. It made protocol/testdata/golden/frames-rocketmq.jsonl:
//
//	go run ./conformance/wire/record -out FILE go test -count=1 ./conformance/javaclient ./conformance/mqadmin
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"rocketd/conformance/target"
)

// formVariable tells Java in which form to write headers.
const formVariable = "ROCKETMQ_SERIALIZE_TYPE"

var out = flag.String("out", "", "file to write")

func main() {
	flag.Parse()
	if err := run(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}

func run(command []string) (err error) {
	if *out == "" || len(command) == 0 {
		return errors.New("usage: record -out FILE COMMAND")
	}
	if err := os.Setenv(formVariable, "ROCKETMQ"); err != nil {
		return err
	}
	c, err := target.Start(target.Java, target.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close(false)) }()
	r := &recorder{seen: map[string]int{}}
	broker, err := r.relay("broker", c.Broker.Addr, "", "")
	if err != nil {
		return err
	}
	names, err := r.relay("namesrv", c.Names.Addr, c.Broker.Addr, broker)
	if err != nil {
		return err
	}
	file := filepath.Join(c.Home, "peer")
	address, err := json.Marshal(target.Address{Home: c.Home, Names: names, Broker: broker})
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, address, 0o600); err != nil {
		return err
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), target.PeerVariable+"="+file, "TARGET=java")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "record: the command says:", err) // what it has said is recorded all the same
	}
	return r.write(*out)
}

// relay listens for clients of a server. In what the server answers, the text from becomes to, which is as long: clients
// are to find the Broker's relay in routes.
func (r *recorder) relay(server, addr, from, to string) (string, error) {
	l, err := listenBeside(addr)
	if err != nil {
		return "", err
	}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			upstream, err := net.Dial("tcp", addr)
			if err != nil {
				_ = client.Close()
				continue
			}
			s := &exchange{recorder: r, server: server, codes: map[string]int32{}}
			go s.copy(client, upstream, "client->"+server, "", "")
			go s.copy(upstream, client, server+"->client", from, to)
		}
	}()
	return l.Addr().String(), nil
}

// listenBeside takes a port with as many digits as that of addr.
func listenBeside(addr string) (net.Listener, error) {
	_, text, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return nil, err
	}
	for next := port + 3; next < port+10; next++ {
		if l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(next))); err == nil {
			return l, nil
		}
	}
	return nil, fmt.Errorf("no free port beside %s", addr)
}
