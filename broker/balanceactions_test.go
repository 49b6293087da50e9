// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"time"

	"pgregory.net/rapid"
)

// actions is what may happen to a group at any time.
func (g *balance) actions() map[string]func(*rapid.T) {
	queue := rapid.Int32Range(0, g.queues-1)
	return map[string]func(*rapid.T){
		"send": func(rt *rapid.T) { g.send(queue.Draw(rt, "queue"), rapid.IntRange(1, 8).Draw(rt, "count")) },
		"join": func(rt *rapid.T) {
			if len(g.members) == balanceMembers {
				rt.Skip("enough members")
			}
			g.join(rapid.IntRange(0, 9).Draw(rt, "place"))
		},
		"leave":     func(rt *rapid.T) { g.leave(g.someone(rt)) },
		"die":       func(rt *rapid.T) { g.die(g.someone(rt)) },
		"silence":   func(rt *rapid.T) { g.fallSilent(g.someone(rt)) },
		"rebalance": func(rt *rapid.T) { g.someone(rt).rebalance() },
		"pull": func(rt *rapid.T) {
			m := g.someone(rt)
			if queue, s := m.some(rt); m.trusts(s) {
				m.pull(queue, rapid.Int32Range(1, 8).Draw(rt, "most"))
			}
		},
		"consume": func(rt *rapid.T) {
			m := g.someone(rt)
			if queue, s := m.some(rt); m.trusts(s) {
				m.consume(queue, rapid.IntRange(1, 8).Draw(rt, "most"))
			}
		},
		"commit": func(rt *rapid.T) {
			m := g.someone(rt)
			queue, _ := m.some(rt)
			m.commit(queue)
		},
		"reset": func(rt *rapid.T) {
			queue := queue.Draw(rt, "queue")
			if len(g.members) == 0 && g.joined == 0 {
				rt.Skip("the group does not exist yet")
			}
			g.reset(queue, rapid.Int64Range(0, g.sent[queue]).Draw(rt, "offset"))
		},
		"pass":   func(rt *rapid.T) { g.pass(time.Duration(rapid.IntRange(1, 20).Draw(rt, "seconds")) * time.Second) },
		"doze":   func(rt *rapid.T) { m := g.someone(rt); m.sloppy = !m.sloppy },
		"settle": func(*rapid.T) { g.settle() },
	}
}

// someone is one of the members.
func (g *balance) someone(rt *rapid.T) *member {
	if len(g.members) == 0 {
		rt.Skip("no members")
	}
	return g.members[rapid.IntRange(0, len(g.members)-1).Draw(rt, "member")]
}

// some is one of a member's queues.
func (m *member) some(rt *rapid.T) (int32, *share) {
	var mine []int32
	for queue := range m.queues {
		if m.shares[queue] != nil {
			mine = append(mine, queue)
		}
	}
	if len(mine) == 0 {
		rt.Skip("no queues")
	}
	queue := mine[rapid.IntRange(0, len(mine)-1).Draw(rt, "queue")]
	return queue, m.shares[queue]
}
