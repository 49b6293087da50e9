// SPDX-License-Identifier: Apache-2.0

// The errors of this package: Error is an answer (code and remark) that travels to the peer; FrameError says that a
// frame could not be read, after which a connection has no future.

package protocol

import "fmt"

// Error is a failure that the peer must see with this code and this text.
type Error struct {
	Code   int32
	Remark string
}

// Errorf returns an Error with a formatted remark.
func Errorf(code int32, format string, args ...any) *Error {
	return &Error{Code: code, Remark: fmt.Sprintf(format, args...)}
}

func (e *Error) Error() string {
	return fmt.Sprintf("code %d: %s", e.Code, e.Remark)
}

// FrameError reports a frame that is not one. Java closes the connection without an answer, and so do we.
type FrameError struct {
	Reason string
	Err    error // the cause, or nil
}

func (e *FrameError) Error() string {
	if e.Err != nil {
		return "bad frame: " + e.Reason + ": " + e.Err.Error()
	}
	return "bad frame: " + e.Reason
}

func (e *FrameError) Unwrap() error { return e.Err }
