// SPDX-License-Identifier: Apache-2.0

// tree.go: bodies as trees whose members keep their order. JSON in fastjson's dialect and stored messages become trees;
// any other body is one leaf.

package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"rocketd/compat/fastjson"
	"rocketd/protocol/message"
)

// node is a value. kind is object, array, string, number, bool, null, text (no JSON) or record (stored messages).
type node struct {
	kind  string
	keys  []string // of an object
	nodes []*node
	leaf  string
}

func (n *node) int32() int32 {
	v, err := strconv.ParseInt(n.leaf, 10, 32)
	if err != nil {
		return -1 << 31
	}
	return int32(v)
}

func parseJSON(text []byte) (*node, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	n, err := readNode(d)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("text after the end")
	}
	return n, nil
}

func readNode(d *json.Decoder) (*node, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch v := token.(type) {
	case json.Delim:
		return readNested(d, v)
	case string:
		return &node{kind: "string", leaf: v}, nil
	case json.Number:
		return &node{kind: "number", leaf: v.String()}, nil
	case bool:
		return &node{kind: "bool", leaf: strconv.FormatBool(v)}, nil
	}
	return &node{kind: "null"}, nil
}

func readNested(d *json.Decoder, open json.Delim) (*node, error) {
	n := &node{kind: "array"}
	if open == '{' {
		n.kind = "object"
	}
	for d.More() {
		if n.kind == "object" {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			n.keys = append(n.keys, key.(string))
		}
		child, err := readNode(d)
		if err != nil {
			return nil, err
		}
		n.nodes = append(n.nodes, child)
	}
	_, err := d.Token() // the closing one
	return n, err
}

// bareKey finds what only fastjson writes: a number as a key.
var bareKey = regexp.MustCompile(`[{,]-?\d+:`)

// parseBody makes a tree of a body. bare says that integer keys stand in it without quotes.
func parseBody(body []byte) (n *node, bare bool) {
	if records := parseRecords(body); records != nil {
		return records, false
	}
	if len(body) > 0 && (body[0] == '{' || body[0] == '[') {
		var strict fastjson.Raw
		if err := fastjson.Unmarshal(body, &strict); err == nil {
			if n, err := parseJSON(strict); err == nil {
				return n, bareKey.Match(body)
			}
		}
	}
	return &node{kind: "text", leaf: string(body)}, false
}

// parseRecords makes a tree of stored messages; nil where the body is something else.
func parseRecords(body []byte) *node {
	n := &node{kind: "array"}
	for len(body) > 0 {
		if len(body) < message.MinRecordBytes || !isRecord(body) {
			return nil
		}
		var m message.Message
		size := int(message.RecordSize(body))
		if size > len(body) || message.DecodeRecord(body[:size], &m) != nil {
			return nil
		}
		n.nodes = append(n.nodes, recordNode(body[:size], &m))
		body = body[size:]
	}
	if len(n.nodes) == 0 {
		return nil
	}
	return n
}

func isRecord(b []byte) bool {
	magic := binary.BigEndian.Uint32(b[4:])
	return magic == message.MagicV1 || magic == message.MagicV2
}

func recordNode(raw []byte, m *message.Message) *node {
	n := &node{kind: "object"}
	add := func(key, kind, leaf string) {
		n.keys = append(n.keys, key)
		n.nodes = append(n.nodes, &node{kind: kind, leaf: leaf})
	}
	number := func(key string, v int64) { add(key, "number", strconv.FormatInt(v, 10)) }
	number("size", int64(len(raw)))
	number("magic", int64(binary.BigEndian.Uint32(raw[4:])))
	number("bodyCRC", int64(m.BodyCRC))
	number("queueId", int64(m.QueueID))
	number("flag", int64(m.Flag))
	number("queueOffset", m.QueueOffset)
	number("sysFlag", int64(m.SysFlag))
	number("bornTimestamp", m.BornTimestampMs)
	add("bornHost", "string", m.BornHost.String())
	number("storeTimestamp", m.StoreTimestampMs)
	add("storeHost", "string", m.StoreHost.String())
	number("reconsumeTimes", int64(m.ReconsumeTimes))
	number("preparedTransactionOffset", m.PreparedTransactionOffset)
	add("body", "string", string(m.Body))
	add("topic", "string", m.Topic)
	properties := &node{kind: "object"}
	for item := range strings.SplitSeq(strings.TrimSuffix(m.Properties, "\x02"), "\x02") {
		name, value, _ := strings.Cut(item, "\x01")
		properties.keys = append(properties.keys, name)
		properties.nodes = append(properties.nodes, &node{kind: "string", leaf: value})
	}
	n.keys, n.nodes = append(n.keys, "properties"), append(n.nodes, properties)
	return n
}

// mask replaces what must differ, in leaves and keys.
func (n *node) mask(m func(string) string) {
	n.leaf = m(n.leaf)
	for i := range n.keys {
		n.keys[i] = m(n.keys[i])
	}
	for _, child := range n.nodes {
		child.mask(m)
	}
}

// filter keeps of every array and object only the members that keep says yes to.
func (n *node) filter(keep func(path, name string) bool, path string) {
	var keys []string
	var nodes []*node
	for i, child := range n.nodes {
		name, at := child.leaf, path+"[]"
		if n.kind == "object" {
			name, at = n.keys[i], path+"."+n.keys[i]
		}
		if !keep(path, name) {
			continue
		}
		child.filter(keep, at)
		nodes = append(nodes, child)
		if n.kind == "object" {
			keys = append(keys, n.keys[i])
		}
	}
	n.keys, n.nodes = keys, nodes
}

// canonical is a text that is the same for equal trees whatever their order.
func (n *node) canonical() string {
	var parts []string
	for i, child := range n.nodes {
		part := child.canonical()
		if n.kind == "object" {
			part = strconv.Quote(n.keys[i]) + ":" + part
		}
		parts = append(parts, part)
	}
	sort.Strings(parts)
	return n.kind + strconv.Quote(n.leaf) + "(" + strings.Join(parts, ",") + ")"
}
