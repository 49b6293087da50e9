// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"time"
)

type frame struct {
	Code      int               `json:"code"`
	Language  string            `json:"language"`
	Version   int               `json:"version"`
	Opaque    int32             `json:"opaque"`
	Flag      int               `json:"flag"`
	Remark    string            `json:"remark,omitempty"`
	ExtFields map[string]string `json:"extFields,omitempty"`
	Serialize string            `json:"serializeTypeCurrentRPC,omitempty"`
}

func encode(buf []byte, h []byte, body []byte) []byte {
	buf = binary.BigEndian.AppendUint32(buf, uint32(4+len(h)+len(body)))
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(h))) // serialization type 0 = JSON
	buf = append(buf, h...)
	return append(buf, body...)
}

// readFrame returns the opaque and code without decoding more than it needs to.
func readFrame(r *bufio.Reader, scratch []byte) (code int, opaque int32, ext map[string]string, body []byte, buf []byte, err error) {
	var l [8]byte
	if _, err = io.ReadFull(r, l[:]); err != nil {
		return
	}
	total := int(binary.BigEndian.Uint32(l[:4]))
	hl := int(binary.BigEndian.Uint32(l[4:]) & 0xffffff)
	st := l[4]
	n := total - 4
	if cap(scratch) < n {
		scratch = make([]byte, n*2)
	}
	buf = scratch[:n]
	if _, err = io.ReadFull(r, buf); err != nil {
		return
	}
	body = buf[hl:]
	if st == 0 {
		var f frame
		if err = json.Unmarshal(buf[:hl], &f); err != nil {
			return
		}
		return f.Code, f.Opaque, f.ExtFields, body, buf, nil
	}
	h := buf[:hl]
	code = int(binary.BigEndian.Uint16(h))
	opaque = int32(binary.BigEndian.Uint32(h[5:]))
	return code, opaque, nil, body, buf, nil
}

func call(addr string, code int, ext map[string]string, body []byte) (int, map[string]string, []byte, error) {
	c, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return 0, nil, nil, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	h, _ := json.Marshal(frame{Code: code, Language: "JAVA", Version: 463, Opaque: 1, ExtFields: ext, Serialize: "JSON"})
	if _, err := c.Write(encode(nil, h, body)); err != nil {
		return 0, nil, nil, err
	}
	code, _, e, b, _, err := readFrame(bufio.NewReader(c), nil)
	return code, e, b, err
}
