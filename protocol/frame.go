// SPDX-License-Identifier: Apache-2.0

// The frame: length, header form, header length, header, body. Java: NettyEncoder, NettyDecoder, RemotingCommand.

package protocol

// MaxFrameBytes is the longest frame, its 4 length bytes included, that is read or written.
const MaxFrameBytes = 16 << 20

// Decode reads a frame without its 4 length bytes into *c, every member of which is set. c.Body aliases frame; all
// strings are fresh memory. The array behind c.Fields is reused. Errors are *FrameError.
func Decode(frame []byte, c *Command) error { panic("unwritten") }

// Append appends the whole frame of c to dst.
func Append(dst []byte, c *Command) ([]byte, error) { panic("unwritten") }

// AppendHead appends the length and the header of c, whose body of bodyLen bytes is written by the caller afterwards.
func AppendHead(dst []byte, c *Command, bodyLen int) ([]byte, error) { panic("unwritten") }
