package consul

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/consul/api"

	"github.com/dropship/dropship/lock"
)

// slotPrefix begins the names of the keys that are slots: .slot-0, .slot-1 … The order of contenders says whose turn it
// is; what the slots' keys add is that Consul keeps one closed for a while after its holder's session was ended.
const slotPrefix = ".slot-"

// A contender is one key below PREFIX/GROUP/ that a session holds.
type contender struct {
	key      string
	session  string
	created  uint64 // CreateIndex: its place in the order of arrival
	modified uint64 // ModifyIndex: where a watch of the key goes on from
	holder   lock.Holder
	readable bool // the value was a Holder
}

func newContender(p *api.KVPair) contender {
	c := contender{key: p.Key, session: p.Session, created: p.CreateIndex, modified: p.ModifyIndex}
	c.readable = json.Unmarshal(p.Value, &c.holder) == nil && c.holder.Host != ""
	if !c.readable {
		c.holder = lock.Holder{Host: "an unknown holder of key " + p.Key}
	}
	return c
}

// A queue is the contenders of one group in order of arrival, as of index: a pure value, made from one
// consistent read, and brought up to date by others that say less. The first `slots` of it hold.
//
// Nobody can come in ahead of somebody else, since indexes only grow; so a contender that is among the
// first stays there until its own key goes, and who came later need not be known.
type queue struct {
	contenders []contender
	slots      map[string]string // the session that holds each slot that is taken, by key
	index      uint64            // where a watch of the whole group goes on from
	whole      bool              // Consul said that nothing was left out for want of rights
	left       string            // the key of one that has given its slot back, and so is taken to have left; empty: nobody is
}

// newQueue orders what a read of the group's folder returned. A key without a session is nobody's (a
// leftover, a note, the `.lock` of Consul's own semaphore) and is left out: it could never give way. So is one
// that is deeper: it is of another lock, whose prefix is this folder. A key that a session holds counts,
// whatever its value says, unless it is a slot.
func newQueue(folder string, pairs api.KVPairs, index uint64) queue {
	q := queue{index: index, slots: map[string]string{}}
	for _, p := range present(pairs) {
		q.index = max(q.index, p.ModifyIndex)
		name, below := strings.CutPrefix(p.Key, folder)
		if p.Session == "" || !below || name == "" || strings.Contains(name, "/") {
			continue
		}
		if strings.HasPrefix(name, slotPrefix) {
			q.slots[p.Key] = p.Session
			continue
		}
		q.contenders = append(q.contenders, newContender(p))
	}
	slices.SortFunc(q.contenders, func(a, b contender) int {
		return cmp.Or(cmp.Compare(a.created, b.created), cmp.Compare(a.key, b.key))
	})
	return q
}

// position returns how many contenders are ahead of key as session holds it, or -1 if it does not stand in line.
func (q queue) position(key, session string) int {
	return slices.IndexFunc(q.contenders, func(c contender) bool { return c.key == key && c.session == session })
}

// behind returns the head of the line once holder has taken slot, the only one: holder, then own. holder is as of its
// last change, which is that.
func (q queue) behind(holder contender, slot, own string) queue {
	i := slices.IndexFunc(q.contenders, func(c contender) bool { return c.key == own })
	return queue{
		contenders: []contender{holder, q.contenders[i]},
		slots:      map[string]string{slot: holder.session},
		index:      holder.modified,
	}
}

// after returns the line once those sessions hold the slots: who held one and does no more has left, since its keys go
// together. Whoever goes by that makes sure of one of them.
func (q queue) after(slots map[string]string, index uint64) queue {
	now := queue{slots: slots, index: index, whole: q.whole, left: q.left}
	for _, c := range q.contenders {
		if q.holds(c) && !now.holds(c) {
			now.left = c.key
		} else {
			now.contenders = append(now.contenders, c)
		}
	}
	return now
}

// among returns the line, and the slots, of which only those keys are still there, and nothing was left out.
func (q queue) among(keys []string, index uint64) queue {
	there := make(map[string]bool, len(keys))
	for _, key := range keys {
		there[key] = true
	}
	now := queue{slots: map[string]string{}, index: index, whole: true}
	for _, c := range q.contenders {
		if there[c.key] {
			now.contenders = append(now.contenders, c)
		}
	}
	for key, session := range q.slots {
		if there[key] {
			now.slots[key] = session
		}
	}
	return now
}

// holds reports whether a contender holds a slot.
func (q queue) holds(c contender) bool {
	for _, session := range q.slots {
		if session == c.session {
			return true
		}
	}
	return false
}

// ahead returns who stands before position i, in order of arrival: holders first.
func (q queue) ahead(i int) []lock.Holder {
	holders := make([]lock.Holder, i)
	for j, c := range q.contenders[:i] {
		holders[j] = c.holder
	}
	return holders
}

// disagreement returns the first contender before position i that believes in another number of slots.
// Only those ahead are asked: so it is the later comer that gives way.
func (q queue) disagreement(i, slots int) (lock.Holder, bool) {
	for _, c := range q.contenders[:i] {
		if c.readable && c.holder.Slots != slots {
			return c.holder, true
		}
	}
	return lock.Holder{}, false
}

// slotKey names a slot below folder.
func slotKey(folder string, i int) string { return fmt.Sprint(folder, slotPrefix, i) }

// free returns the keys of the slots below folder that no session holds. One of them may still be closed.
func (q queue) free(folder string, slots int) []string {
	var keys []string
	for i := range slots {
		if key := slotKey(folder, i); q.slots[key] == "" {
			keys = append(keys, key)
		}
	}
	return keys
}

// A move is what a contender does next.
type move int

const (
	look       move = iota // it seems to be among the first, but may not see everybody: read who is there
	enter                  // it is among the first: take the slot
	watchKey               // wait for a change of the contender right before it
	watchLine              // it is the first in line: wait for a change of the whole group
	watchNames             // so it is, all ahead hold, and it may not see everybody: wait until somebody comes or goes
	watchSlots             // so it is, and all ahead hold: wait for a change of the slots alone
)

// next says what the contender at position i does. One waiter alone, the first in line, watches the slots, or, as long
// as somebody ahead may leave without having had one, the whole group: so a slot that comes free wakes one machine, not
// all. It says that it holds in its own key, and that wakes the one behind it, which is now the first in line.
func (q queue) next(i, slots int) (move, contender) {
	switch {
	case i < slots && !q.whole:
		return look, contender{}
	case i < slots:
		return enter, contender{}
	case i > slots:
		return watchKey, q.contenders[i-1]
	case slices.ContainsFunc(q.contenders[:i], func(c contender) bool { return !q.holds(c) }):
		return watchLine, contender{}
	case !q.whole:
		return watchNames, contender{}
	default:
		return watchSlots, contender{}
	}
}
