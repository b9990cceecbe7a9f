// The tests of this file are in the package itself: the queue is not for others to use.

package consul

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"
)

// FuzzQueue wants that whatever is in the folder of a group, all machines see the same line, in the order of
// arrival, everybody in it knows its place, and each change wakes one of them.
func FuzzQueue(f *testing.F) {
	f.Add("a b c", []byte(`{"host":"h","slots":1,"holding":true}`), []byte("\x01\x02\x03"), uint8(1))
	f.Add("a a/b .lock  c", []byte(`["JSON", "of another kind"]`), []byte("\x05\x05\x05\x05\x05"), uint8(2))
	f.Add("x y", []byte(`{"host":"","slots":-1,"since":"?"}`), []byte("\xff\x00"), uint8(0))
	f.Add("x y z", []byte("\x00\xff"), []byte("\x03\x02\x01"), uint8(9))
	f.Add(".slot-0 a .slot-1 b c d .slot-2/e", []byte(`{"host":"h","slots":2}`), []byte("\x03\x02\x01"), uint8(2))
	f.Add("x y z", []byte(`{"host":"h","slots":1e99,"since":"2026-01-02T03:04:05Z"}`), []byte(""), uint8(3))
	f.Fuzz(func(t *testing.T, names string, value, indexes []byte, slots uint8) {
		pairs := pairsOf(names, value, indexes)
		q := newQueue("p/web/", pairs, 1)
		q.whole = true
		other := newQueue("p/web/", reversed(pairs), 1)

		for _, p := range pairs {
			if q.index < p.ModifyIndex {
				t.Errorf("a watch from index %d would miss the change %d", q.index, p.ModifyIndex)
			}
		}
		for i, c := range q.contenders {
			name, below := strings.CutPrefix(c.key, "p/web/")
			if !below || name == "" || strings.Contains(name, "/") || c.session == "" || c.holder.Host == "" {
				t.Errorf("got %+v in line", c)
			}
			if i > 0 && cmp.Or(cmp.Compare(q.contenders[i-1].created, c.created), cmp.Compare(q.contenders[i-1].key, c.key)) >= 0 {
				t.Errorf("%s at %d stands behind %s at %d", c.key, c.created, q.contenders[i-1].key, q.contenders[i-1].created)
			}
			if got := q.position(c.key, c.session); got != i {
				t.Errorf("%s is at %d, and finds itself at %d", c.key, i, got)
			}
			if got := other.position(c.key, c.session); got != i {
				t.Errorf("%s is at %d, and at %d of the same line in another order", c.key, i, got)
			}
			if got := q.position(c.key, c.session+"2"); got != -1 {
				t.Errorf("got position %d for another session on %s", got, c.key)
			}
			if got := len(q.ahead(i)); got != i {
				t.Errorf("got %d ahead of position %d", got, i)
			}
			if who, found := q.disagreement(i, int(slots)); found && (i == 0 || who.Slots == int(slots)) {
				t.Errorf("position %d with %d slots disagrees with %+v", i, slots, who)
			}
		}
		if len(other.contenders) != len(q.contenders) {
			t.Errorf("got %d in line, and %d in another order", len(q.contenders), len(other.contenders))
		}
		checkMoves(t, q, int(slots))
		checkNames(t, q, pairs, int(slots))
	})
}

// checkMoves wants that the first `slots` enter, the next one watches the slots, or the names if not all of them are taken,
// and each other the one before it.
func checkMoves(t *testing.T, q queue, slots int) {
	t.Helper()
	for i := range q.contenders {
		want := watchKey
		switch {
		case i < slots:
			want = enter
		case i == slots && len(q.slots) < slots:
			want = watchNames
		case i == slots:
			want = watchSlots
		}
		if got := q.next(i, slots); got != want {
			t.Errorf("position %d with %d slots: got move %d, want %d", i, slots, got, want)
		}
		q.whole = false
		if got := q.next(i, slots); got == enter || got == watchSlots {
			t.Errorf("position %d with %d slots: got move %d on a line that may not be whole", i, slots, got)
		}
		q.whole = true
	}
}

// checkNames wants that who knows the line and reads later which names are left stands where a read of the line would
// have put it, and takes no slot for free that is not.
func checkNames(t *testing.T, q queue, pairs api.KVPairs, slots int) {
	t.Helper()
	for gone := range pairs {
		left := slices.Delete(slices.Clone(pairs), gone, gone+1)
		var names []string
		for _, p := range left {
			names = append(names, p.Key)
		}
		got, want := q.among(names, 2), newQueue("p/web/", left, 2)
		if !slices.Equal(got.contenders, want.contenders) {
			t.Errorf("without %s: got %v in line by names, want %v", pairs[gone].Key, got.contenders, want.contenders)
		}
		for _, key := range got.free("p/web/", slots) {
			if want.slots[key] != "" {
				t.Errorf("without %s: got %s free, which %s holds", pairs[gone].Key, key, want.slots[key])
			}
		}
	}
}

// pairsOf makes a pair of each word, as Consul lists them: each key once. Every third has no session, every
// fourth another value.
func pairsOf(names string, value, indexes []byte) api.KVPairs {
	var pairs api.KVPairs
	seen := map[string]bool{}
	for i, name := range strings.Split(names, " ") {
		if seen[name] {
			continue
		}
		seen[name] = true
		p := &api.KVPair{Key: "p/web/" + name, Value: value, Session: "session of " + name, CreateIndex: 7}
		if len(indexes) > 0 {
			p.CreateIndex = uint64(indexes[i%len(indexes)])
		}
		p.ModifyIndex = p.CreateIndex + uint64(len(name))
		if i%3 == 2 {
			p.Session = ""
		}
		if i%4 == 3 {
			p.Value = []byte(`{"host":"another","slots":2}`)
		}
		pairs = append(pairs, p)
	}
	return pairs
}

func reversed(pairs api.KVPairs) api.KVPairs {
	pairs = slices.Clone(pairs)
	slices.Reverse(pairs)
	return pairs
}
