// SPDX-License-Identifier: Apache-2.0

// metrics.go: what the server counts, for prometheus.
package remoting

import "sync/atomic"

// counts are the events of all connections of one server or client.
type counts struct {
	opened     atomic.Uint64
	closed     atomic.Uint64
	turnedAway atomic.Uint64 // over the connection limit
	refused    atomic.Uint64 // closed for a bad frame or a foreign protocol
	expired    atomic.Uint64 // closed as idle, slow or stuck
	stalls     atomic.Uint64 // the reader had to wait for room
	unmatched  atomic.Uint64 // responses that nobody waited for
}
