// SPDX-License-Identifier: Apache-2.0

// expire.go: brokers that end without a word. Java: RouteInfoManager.scanNotActiveBroker, BrokerHousekeepingService.
// A broker is forgotten at once when the connection over which it registered closes, and otherwise when it has been
// silent for its heartbeatTimeoutMillis (120 s unless it named another).
// Deviation: all brokers of a closed connection are forgotten; Java forgets one of them and leaves the rest to expire.

package namesrv

import (
	"context"
	"time"

	"rocketd/remoting"
)

// expireSilent forgets silent brokers until ctx ends.
func (s *Server) expireSilent(ctx context.Context) error {
	ticker := s.clock.NewTicker(time.Duration(s.config().ScanNotActiveBrokerIntervalMs) * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.Chan():
			s.expireOnce()
		}
	}
}

func (s *Server) expireOnce() {
	for _, b := range s.registry.expire(s.nowMs()) {
		s.log.Warn().Str("cluster", b.cluster).Str("addr", b.addr).Int64("silentMs", b.silentMs).Msg("broker expired")
		if b.peer != nil {
			_ = b.peer.Close() // it is unreachable: whether closing worked changes nothing
		}
	}
}

func (s *Server) peerClosed(peer remoting.Peer) {
	for _, at := range s.registry.dropPeer(peer) {
		s.log.Warn().Str("cluster", at.cluster).Str("addr", at.addr).Msg("broker's connection closed, broker unregistered")
	}
}
