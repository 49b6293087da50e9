// SPDX-License-Identifier: Apache-2.0

// The JSON form of headers.

package protocol

func appendJSONString(dst []byte, s string) []byte { panic("unwritten") }
