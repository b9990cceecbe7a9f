package consul

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
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
	slots      map[string]string // the session that holds each slot that is taken, by key; empty: it is not known which
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

// among returns the line, and the slots, of which only those keys are still there.
func (q queue) among(keys []string, index uint64) queue {
	now := queue{slots: map[string]string{}, index: index}
	there := make(map[string]bool, len(keys))
	for _, key := range keys {
		there[key] = true
		if i := strings.LastIndex(key, "/"); strings.HasPrefix(key[i+1:], slotPrefix) {
			now.slots[key] = q.slots[key]
		}
	}
	for _, c := range q.contenders {
		if there[c.key] {
			now.contenders = append(now.contenders, c)
		}
	}
	return now
}

// after returns the line as the one at position i sees it, ahead of whom all held a slot, once those sessions hold the
// slots: who of them does no more has left, since its keys go together. Whoever goes by that makes sure of one of them.
func (q queue) after(i int, slots map[string]string, index uint64) queue {
	now := queue{slots: slots, index: index, whole: q.whole, left: q.left}
	holders := slices.Collect(maps.Values(slots))
	for j, c := range q.contenders {
		if j < i && !slices.Contains(holders, c.session) {
			now.left = c.key
		} else {
			now.contenders = append(now.contenders, c)
		}
	}
	return now
}

// ahead returns who stands before position i, in order of arrival: holders first. Where there are as many as slots that
// are taken, all of them hold, whatever their keys said when they were read.
func (q queue) ahead(i int) []lock.Holder {
	holders := make([]lock.Holder, i)
	for j, c := range q.contenders[:i] {
		holders[j] = c.holder
		holders[j].Holding = c.holder.Holding || len(q.slots) == i
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
		key := slotKey(folder, i)
		if _, taken := q.slots[key]; !taken {
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
	watchNames             // it is the first in line, and somebody ahead may not hold, or not be seen: wait until somebody comes or goes
	watchSlots             // so it is, and all ahead hold: wait for a change of the slots alone
)

// next says what the contender at position i does. One waiter alone, the first in line, watches the slots, or, as long
// as somebody ahead may leave without having had one, the names in the group: so a slot that comes free wakes one machine,
// not all. It says that it holds in its own key, and that wakes the one behind it, which is now the first in line.
func (q queue) next(i, slots int) move {
	switch {
	case i < slots && !q.whole:
		return look
	case i < slots:
		return enter
	case i > slots:
		return watchKey
	case len(q.slots) < slots || !q.whole:
		return watchNames
	default:
		return watchSlots
	}
}
