// SPDX-License-Identifier: Apache-2.0

// The body of SEND_BATCH_MESSAGE: several messages of one topic and queue, each
// as size, magic 0, crc 0, flag, body, properties. Java: MessageDecoder
// (encodeMessage, decodeMessages).

package message

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// batchHeadBytes is the fixed part of a batch item, without body and properties.
const batchHeadBytes = 4 + 4 + 4 + 4 + 4 + 2

// ErrBatch says that the body of a batch is not a sequence of items.
var ErrBatch = errors.New("batch body is malformed")

// DecodeBatch calls fn for each message of a batch body, in order. All lengths
// are validated before the first call, so fn sees all items or none; an error
// of fn ends the walk. The body slices alias the input.
func DecodeBatch(body []byte, fn func(flag int32, body []byte, props string) error) error {
	for at := 0; at < len(body); {
		_, _, _, size, err := batchItem(body[at:])
		if err != nil {
			return fmt.Errorf("%w: item at byte %d", err, at)
		}
		at += size
	}
	for at := 0; at < len(body); {
		flag, b, props, size, _ := batchItem(body[at:])
		if err := fn(flag, b, string(props)); err != nil {
			return err
		}
		at += size
	}
	return nil
}

func batchItem(b []byte) (flag int32, body, props []byte, size int, err error) {
	if len(b) < batchHeadBytes {
		return 0, nil, nil, 0, ErrBatch
	}
	be := binary.BigEndian
	size = int(int32(be.Uint32(b)))
	if size < batchHeadBytes || size > len(b) {
		return 0, nil, nil, 0, ErrBatch
	}
	flag = int32(be.Uint32(b[12:]))
	r := reader{b: b[:size], at: 16}
	body = r.take(int(int32(r.uint(4))))
	props = r.take(int(r.uint(2)))
	if r.bad || r.at != size || len(props) > MaxPropertiesBytes {
		return 0, nil, nil, 0, ErrBatch
	}
	return flag, body, props, size, nil
}

// AppendBatchItem appends one message to a batch body, as clients do.
func AppendBatchItem(dst []byte, flag int32, body []byte, props string) []byte {
	be := binary.BigEndian
	dst = be.AppendUint32(dst, uint32(batchHeadBytes+len(body)+len(props)))
	dst = be.AppendUint32(dst, 0)
	dst = be.AppendUint32(dst, 0)
	dst = be.AppendUint32(dst, uint32(flag))
	dst = be.AppendUint32(dst, uint32(len(body)))
	dst = append(dst, body...)
	dst = be.AppendUint16(dst, uint16(len(props)))
	return append(dst, props...)
}
