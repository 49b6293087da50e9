// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"sort"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"rocketd/protocol"
)

const (
	samples      = 2    // kept of each path, request code, kind and result
	maxBodyBytes = 4096 // kept of a body that is no text
)

// entry is a line of the file, in the shape of frames.jsonl.
type entry struct {
	Path          string `json:"path"`
	Kind          string `json:"kind"`
	RequestCode   int32  `json:"request_code"`
	Serialization string `json:"serialization"`
	Header        string `json:"header"` // base64
	Body          any    `json:"body"`
}

type recorder struct {
	mu      sync.Mutex
	seen    map[string]int
	entries []entry
}

// exchange is one client's connection: answers are told by the code of their request.
type exchange struct {
	*recorder
	server string
	mu     sync.Mutex
	codes  map[string]int32 // by the path of the answer and the opaque
}

// copy carries frames from one side to the other until either ends.
func (s *exchange) copy(from, to net.Conn, path, old, replacement string) {
	defer func() {
		_ = from.Close() // one end has gone, so the other goes
		_ = to.Close()
	}()
	for {
		var length [4]byte
		if _, err := io.ReadFull(from, length[:]); err != nil {
			return
		}
		n := binary.BigEndian.Uint32(length[:])
		if n > protocol.MaxFrameBytes {
			return
		}
		frame := make([]byte, n)
		if _, err := io.ReadFull(from, frame); err != nil {
			return
		}
		if old != "" {
			frame = bytes.ReplaceAll(frame, []byte(old), []byte(replacement))
		}
		s.note(path, frame)
		if _, err := to.Write(append(length[:], frame...)); err != nil {
			return
		}
	}
}

func (s *exchange) note(path string, frame []byte) {
	var cmd protocol.Command
	if len(frame) < 4 || frame[0] != byte(protocol.SerializeBinary) || protocol.Decode(bytes.Clone(frame), &cmd) != nil {
		return
	}
	here, there, _ := strings.Cut(path, "->")
	key := func(path string) string { return fmt.Sprint(path, cmd.Opaque) }
	e := entry{Path: path, Kind: "request", RequestCode: cmd.Code, Serialization: "ROCKETMQ"}
	result := int32(0)
	s.mu.Lock()
	if cmd.IsResponse() {
		code, ok := s.codes[key(path)]
		if !ok {
			s.mu.Unlock()
			return
		}
		e.Kind, e.RequestCode, result = "response", code, cmd.Code
	} else {
		s.codes[key(there+"->"+here)] = cmd.Code
	}
	s.mu.Unlock()
	header := frame[4 : 4+binary.BigEndian.Uint32(frame)&0xffffff]
	e.Header = base64.StdEncoding.EncodeToString(header)
	e.Body = printable(frame[4+len(header):])
	s.keep(e, result)
}

func (r *recorder) keep(e entry, result int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := fmt.Sprint(e.Path, e.Kind, e.RequestCode, result)
	if r.seen[key]++; r.seen[key] <= samples {
		r.entries = append(r.entries, e)
	}
}

// printable is a body as text, or what a reader can make of it.
func printable(body []byte) any {
	if len(body) == 0 {
		return nil
	}
	if utf8.Valid(body) && !bytes.ContainsFunc(body, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' }) {
		return string(body)
	}
	return map[string]any{"base64": base64.StdEncoding.EncodeToString(body[:min(len(body), maxBodyBytes)]), "length": len(body)}
}

func (r *recorder) write(file string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	sort.SliceStable(r.entries, func(i, j int) bool { return r.entries[i].RequestCode < r.entries[j].RequestCode })
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, e := range r.entries {
		if err := enc.Encode(e); err != nil {
			return err
		}
	}
	fmt.Printf("%d frames\n", len(r.entries))
	return os.WriteFile(file, b.Bytes(), 0o644)
}
