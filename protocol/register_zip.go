// SPDX-License-Identifier: Apache-2.0

// The compressed body of REGISTER_BROKER: zlib over length-prefixed pieces. Java: RegisterBrokerBody.encode and decode
// with compress set, which brokers do only when compressedRegister is configured.

package protocol

func (r *RegisterBrokerBody) encodeCompressed() ([]byte, error) { panic("unwritten") }

func (r *RegisterBrokerBody) decodeCompressed(body []byte, mapping bool) error { panic("unwritten") }
