// SPDX-License-Identifier: Apache-2.0

// DataVersion, the stamp on every table that brokers replicate or register. Java: DataVersion.

package protocol

// DataVersion changes with every change of the table it belongs to. It is comparable.
type DataVersion struct {
	Counter      int64 `json:"counter"`
	StateVersion int64 `json:"stateVersion"`
	TimestampMs  int64 `json:"timestamp"`
}

// Next returns the version after v.
func (v DataVersion) Next(nowMs, stateVersion int64) DataVersion {
	return DataVersion{Counter: v.Counter + 1, StateVersion: stateVersion, TimestampMs: nowMs}
}
