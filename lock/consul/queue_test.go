// The tests of this file are in the package itself: the queue is not for others to use.

package consul

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"
)

// line makes the pairs of a group from a short form: "a* b c" are contenders in order of arrival, those
// with a star say that they hold.
func line(slots int, names string) api.KVPairs {
	var pairs api.KVPairs
	for i, name := range strings.Fields(names) {
		name, holding := strings.CutSuffix(name, "*")
		created := uint64(100 + 10*i)
		pairs = append(pairs, &api.KVPair{
			Key: "p/web/" + name, Session: name, CreateIndex: created, ModifyIndex: created + 1,
			Value: fmt.Appendf(nil, `{"host":%q,"slots":%d,"holding":%t}`, name, slots, holding),
		})
	}
	return pairs
}

func TestNext(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		slots int
		line  string
		me    string
		want  string
	}{
		{1, "me", "me", "enter"},
		{1, "a* me", "me", "watch names"},
		{1, "a* b me", "me", "watch key"},
		{1, "a* b c me", "me", "watch key"},
		{1, "b me", "me", "watch names"}, // b is about to enter
		{1, "me a b", "me", "enter"},     // those behind do not matter
		{2, "a* me", "me", "enter"},
		{2, "a* b* me c", "me", "watch names"},
		{2, "a* b* c me", "me", "watch key"},
		{3, "a* b* me", "me", "enter"},
		{3, "a* b* c d me", "me", "watch key"},
	} {
		q := newQueue("p/web/", line(test.slots, test.line), 0)
		i := q.position("p/web/"+test.me, test.me)
		if q.next(i, test.slots) == enter {
			t.Errorf("%q with %d slots: got enter on a line that may not be whole", test.line, test.slots)
		}
		q.whole = true
		got := map[move]string{enter: "enter", watchNames: "watch names", watchKey: "watch key"}[q.next(i, test.slots)]
		if got != test.want {
			t.Errorf("%q with %d slots: got %s, want %s", test.line, test.slots, got, test.want)
		}
	}
}

// held is the slots of a group of several, each with the session that holds it, "?" where it is not known which, and ""
// where it is free.
func held(sessions ...string) map[string]string {
	slots := map[string]string{}
	for i, session := range sessions {
		if session != "" {
			slots[slotKey("p/web/", i)] = strings.TrimPrefix(session, "?")
		}
	}
	return slots
}

// The first in line watches the slots alone when all ahead hold one, for then nobody else's coming or leaving matters;
// and comes up by one for each that holds none any more.
func TestFirstInLineWatchesSlots(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		slots, later map[string]string
		want         move
		position     int
		left         string // makes sure that this one has left
	}{
		{held("a", "b"), held("a", ""), enter, 1, "p/web/b"},
		{held("a", "b"), held("", "b"), enter, 1, "p/web/a"},
		{held("a", "b"), held(""), enter, 0, "p/web/b"},
		{held("a", "b"), held("a", "b"), watchSlots, 2, ""},
		{held("b", "a"), held("a", "b"), watchSlots, 2, ""},
		{held("?", "?"), held("", "b"), enter, 1, "p/web/a"}, // which of them has which is not needed
	} {
		q := newQueue("p/web/", line(2, "a* b* me c"), 7)
		q.slots, q.whole = test.slots, true
		if got := q.next(2, 2); got != watchSlots {
			t.Errorf("slots of %v: got move %d, want %d", test.slots, got, watchSlots)
		}
		q = q.after(2, test.later, 9)
		i := q.position("p/web/me", "me")
		if got := q.next(i, 2); got != test.want || i != test.position || q.left != test.left || q.index != 9 {
			t.Errorf("slots of %v: got move %d at %d from index %d after %q, want %d at %d from 9 after %q", test.later, got, i, q.index, q.left, test.want, test.position, test.left)
		}
		if q.whole = false; i == 2 && q.next(i, 2) != watchNames {
			t.Errorf("got move %d on a line that may not be whole, want %d", q.next(i, 2), watchNames)
		}
	}
}

// Who has read the line once needs no more than names to know when it is its turn.
func TestNamesTellWhoHasLeft(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		slots   int
		names   string
		want    move
		free    int
		holding bool // all ahead are known to hold
	}{
		{1, "b me c d .slot-0", watchSlots, 0, true}, // another came or went
		{1, "me c", enter, 1, false},
		{1, "me c .slot-0", enter, 0, false}, // somebody was faster: the next look tells
		{1, "b me c", watchNames, 1, false},  // it was taken away from b, which has not left
		{1, "a b me .slot-0", watchKey, 0, false},
		{1, "me deeper/ .lock", enter, 1, false}, // which are no contenders
		{2, "a b me .slot-0 .slot-1", watchSlots, 0, true},
		{2, "a b me .slot-1", watchNames, 1, false}, // one of them has not entered yet
		{2, "b me .slot-1", enter, 1, true},
		{2, "me c", enter, 2, true},
	} {
		q := newQueue("p/web/", line(test.slots, "a b me c"), 7)
		var names []string
		for name := range strings.FieldsSeq(test.names) {
			names = append(names, "p/web/"+name)
		}
		q = q.among(names, 9)
		q.whole = true
		i := q.position("p/web/me", "me")
		if got := q.next(i, test.slots); got != test.want || q.index != 9 || len(q.free("p/web/", test.slots)) != test.free {
			t.Errorf("%q with %d slots: got move %d from index %d, and %d free, want %d from 9, and %d", test.names, test.slots, got, q.index, len(q.free("p/web/", test.slots)), test.want, test.free)
		}
		for _, h := range q.ahead(i) {
			if h.Holding != test.holding {
				t.Errorf("%q with %d slots: %s: got holding %t, want %t", test.names, test.slots, h.Host, h.Holding, test.holding)
			}
		}
	}
	q := newQueue("p/web/", line(1, "a b me"), 7)
	if i := q.among([]string{"p/web/b"}, 9).position("p/web/me", "me"); i != -1 {
		t.Errorf("got position %d without a key", i)
	}
}

// However many wait, a slot that comes free is watched by one of them, and each other is watched by one.
func TestEveryChangeWakesOne(t *testing.T) {
	t.Parallel()
	for slots := 1; slots <= 4; slots++ {
		names := make([]string, 30)
		for i := range names {
			names[i] = fmt.Sprint("m", i)
			if i < slots {
				names[i] += "*"
			}
		}
		q := newQueue("p/web/", line(slots, strings.Join(names, " ")), 0)
		watchers := map[string]int{}
		for i := range names {
			switch q.next(i, slots) {
			case watchNames:
				watchers["the names"]++
			case watchKey:
				watchers[q.contenders[i-1].session]++
			}
		}
		if got, want := len(watchers), len(names)-slots; got != want {
			t.Errorf("%d slots: got %d things watched, want %d", slots, got, want)
		}
		for what, n := range watchers {
			if n != 1 {
				t.Errorf("%d slots: %d watch %s, want 1", slots, n, what)
			}
		}
	}
}

func TestOrderAndStrangers(t *testing.T) {
	t.Parallel()
	pairs := append(line(1, "a* b c"),
		&api.KVPair{Key: "p/web/.lock", CreateIndex: 1, ModifyIndex: 900, Value: []byte("{}")},
		&api.KVPair{Key: "p/web/", CreateIndex: 2},
		&api.KVPair{Key: "p/web/", Session: "s0", CreateIndex: 2},
		&api.KVPair{Key: "p/web/group/s0", Session: "s0", CreateIndex: 3, Value: []byte(`{"host":"of-another-lock","slots":1}`)},
		&api.KVPair{Key: "p/web/dead", CreateIndex: 3, Value: []byte(`{"host":"dead","slots":1}`)},
		&api.KVPair{Key: "p/web/garbage", Session: "s1", CreateIndex: 105, Value: []byte("\x00\xff")},
		&api.KVPair{Key: "p/web/empty", Session: "s2", CreateIndex: 106},
		&api.KVPair{Key: "p/web/other", Session: "s3", CreateIndex: 107, Value: []byte(`["JSON", "of another kind"]`)},
	)
	pairs[0], pairs[2] = pairs[2], pairs[0] // Consul lists by name, not by arrival
	q := newQueue("p/web/", pairs, 7)
	var got []string
	for _, c := range q.contenders {
		got = append(got, c.key)
	}
	want := "p/web/a p/web/garbage p/web/empty p/web/other p/web/b p/web/c"
	if strings.Join(got, " ") != want {
		t.Errorf("got %s, want %s", strings.Join(got, " "), want)
	}
	if q.index != 900 {
		t.Errorf("got index %d, want the highest seen", q.index)
	}
	if i := q.position("p/web/b", "another"); i != -1 {
		t.Errorf("a key held by another session: got position %d, want -1", i)
	}
	ahead := q.ahead(2)
	if len(ahead) != 2 || ahead[0].Host != "a" || !strings.Contains(ahead[1].Host, "p/web/garbage") {
		t.Errorf("got ahead %v, want a and whoever holds p/web/garbage", ahead)
	}
}

func TestDisagreement(t *testing.T) {
	t.Parallel()
	pairs := append(line(2, "a* b* c"), &api.KVPair{Key: "p/web/x", Session: "x", CreateIndex: 1, Value: []byte("?")})
	q := newQueue("p/web/", pairs, 0)
	for _, test := range []struct {
		position, slots int
		want            string
	}{
		{0, 1, ""}, // nobody ahead
		{1, 1, ""}, // only the unreadable one
		{2, 1, "a"},
		{3, 1, "a"},
		{3, 2, ""},
	} {
		got, found := q.disagreement(test.position, test.slots)
		if got.Host != test.want || found != (test.want != "") {
			t.Errorf("position %d with %d slots: got %q, want %q", test.position, test.slots, got.Host, test.want)
		}
	}
}
