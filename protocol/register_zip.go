// SPDX-License-Identifier: Apache-2.0

// The compressed body of REGISTER_BROKER: zlib over pieces that each have a 4 byte length. In order: data version, the
// number of topics and the topics as one-line texts, the filter servers, the number of mappings and the mappings. Java:
// RegisterBrokerBody.encode and decode with compress set, which brokers do only when compressedRegister is configured.

package protocol

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"rocketd/compat/fastjson"
)

// maxInflatedBytes bounds what a compressed body may unfold to: about half a million topics.
const maxInflatedBytes = 64 << 20

func (r *RegisterBrokerBody) encodeCompressed() ([]byte, error) {
	w := &r.TopicConfigSerializeWrapper
	plain, err := appendPiece(nil, w.DataVersion)
	if err != nil {
		return nil, err
	}
	plain = binary.BigEndian.AppendUint32(plain, uint32(len(w.TopicConfigTable)))
	for _, name := range sortedKeys(w.TopicConfigTable) {
		lengthAt := len(plain)
		plain = append(plain, 0, 0, 0, 0)
		if plain, err = w.TopicConfigTable[name].appendText(plain); err != nil {
			return nil, err
		}
		binary.BigEndian.PutUint32(plain[lengthAt:], uint32(len(plain)-lengthAt-4))
	}
	servers := r.FilterServerList
	if servers == nil {
		servers = []string{}
	}
	if plain, err = appendPiece(plain, servers); err != nil {
		return nil, err
	}
	plain = binary.BigEndian.AppendUint32(plain, uint32(len(w.TopicQueueMappingInfoMap)))
	for _, name := range sortedKeys(w.TopicQueueMappingInfoMap) {
		if plain, err = appendPiece(plain, w.TopicQueueMappingInfoMap[name]); err != nil {
			return nil, err
		}
	}
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	if _, err := z.Write(plain); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}

func appendPiece(dst []byte, v any) ([]byte, error) {
	text, err := fastjson.Marshal(v)
	if err != nil {
		return nil, err
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(text)))
	return append(dst, text...), nil
}

func (r *RegisterBrokerBody) decodeCompressed(body []byte, mapping bool) error {
	plain, err := inflate(body)
	if err != nil {
		return err
	}
	return r.decodePieces(plain, mapping)
}

func (r *RegisterBrokerBody) decodePieces(plain []byte, mapping bool) error {
	p := pieces{rest: plain}
	w := &r.TopicConfigSerializeWrapper
	if err := p.json(&w.DataVersion); err != nil {
		return err
	}
	topics, err := p.count()
	if err != nil {
		return err
	}
	w.TopicConfigTable = make(map[string]*TopicConfig, topics)
	for range topics {
		text, err := p.next()
		if err != nil {
			return err
		}
		topic, err := parseTopicText(string(text))
		if err != nil {
			return err
		}
		w.TopicConfigTable[topic.TopicName] = topic
	}
	if err := p.json(&r.FilterServerList); err != nil {
		return err
	}
	if !mapping {
		return nil
	}
	mappings, err := p.count()
	if err != nil {
		return err
	}
	w.TopicQueueMappingInfoMap = make(map[string]fastjson.Raw, mappings)
	for range mappings {
		var raw fastjson.Raw
		if err := p.json(&raw); err != nil {
			return err
		}
		var info struct {
			Topic string `json:"topic"`
		}
		if err := fastjson.Unmarshal(raw, &info); err != nil {
			return err
		}
		w.TopicQueueMappingInfoMap[info.Topic] = raw
	}
	return nil
}

func inflate(body []byte) ([]byte, error) {
	z, err := zlib.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("compressed registration: %w", err)
	}
	plain, err := io.ReadAll(io.LimitReader(z, maxInflatedBytes+1))
	if err != nil {
		return nil, fmt.Errorf("compressed registration: %w", err)
	}
	if len(plain) > maxInflatedBytes {
		return nil, fmt.Errorf("compressed registration: more than %d bytes", maxInflatedBytes)
	}
	return plain, nil
}

// pieces cuts length-prefixed pieces off the front of a text.
type pieces struct {
	rest []byte
}

var errPieces = errors.New("compressed registration: a length exceeds what is left")

// count reads a number of pieces, each of which has 4 bytes at least: no more are promised than can be there.
func (p *pieces) count() (int, error) {
	if len(p.rest) < 4 {
		return 0, errPieces
	}
	n := int(int32(binary.BigEndian.Uint32(p.rest)))
	p.rest = p.rest[4:]
	if n < 0 || n > len(p.rest)/4 {
		return 0, errPieces
	}
	return n, nil
}

func (p *pieces) next() ([]byte, error) {
	if len(p.rest) < 4 {
		return nil, errPieces
	}
	n := int(int32(binary.BigEndian.Uint32(p.rest)))
	p.rest = p.rest[4:]
	if n < 0 || n > len(p.rest) {
		return nil, errPieces
	}
	piece := p.rest[:n]
	p.rest = p.rest[n:]
	return piece, nil
}

func (p *pieces) json(v any) error {
	piece, err := p.next()
	if err != nil {
		return err
	}
	return fastjson.Unmarshal(piece, v)
}
