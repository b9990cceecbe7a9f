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
		{1, "a* me", "me", "watch line"},
		{1, "a* b me", "me", "watch b"},
		{1, "a* b c me", "me", "watch c"},
		{1, "b me", "me", "watch line"}, // b is about to enter
		{1, "me a b", "me", "enter"},    // those behind do not matter
		{2, "a* me", "me", "enter"},
		{2, "a* b* me c", "me", "watch line"},
		{2, "a* b* c me", "me", "watch c"},
		{3, "a* b* me", "me", "enter"},
		{3, "a* b* c d me", "me", "watch d"},
	} {
		q := newQueue("p/web/", line(test.slots, test.line), 0)
		if m, _ := q.next(q.position("p/web/"+test.me, test.me), test.slots); m == enter {
			t.Errorf("%q with %d slots: got enter on a line that may not be whole", test.line, test.slots)
		}
		q.whole = true
		m, before := q.next(q.position("p/web/"+test.me, test.me), test.slots)
		got := map[move]string{enter: "enter", watchLine: "watch line", watchKey: "watch " + before.session}[m]
		if got != test.want {
			t.Errorf("%q with %d slots: got %s, want %s", test.line, test.slots, got, test.want)
		}
		if m == watchKey && (before.key != "p/web/"+before.session || before.modified == 0) {
			t.Errorf("%q: got %+v, want the key and the index to watch from", test.line, before)
		}
	}
}

// The first in line watches the slots alone when all ahead hold one, for then nobody else's coming or leaving matters;
// and comes up by one for each that holds none any more.
func TestFirstInLineWatchesSlots(t *testing.T) {
	t.Parallel()
	held := func(names ...string) map[string]string {
		m := map[string]string{}
		for i, name := range names {
			if name != "" {
				m[fmt.Sprint("p/web/.slot-", i)] = name
			}
		}
		return m
	}
	for _, test := range []struct {
		line        string
		slots       map[string]string
		before, now move
		later       map[string]string
		position    int
	}{
		{"a* b* me c", held("a", "b"), watchSlots, enter, held("a", ""), 1},
		{"a* b* me c", held("a", "b"), watchSlots, enter, held(""), 0},
		{"a* b* me c", held("a", "b"), watchSlots, watchSlots, held("a", "b"), 2},
		{"a* b* me c", held("b", "a"), watchSlots, watchSlots, held("a", "b"), 2},
		{"a* b me c", held("a"), watchLine, watchLine, held("a", ""), 2},   // b may go without having held one
		{"a* b me c", held("a"), watchLine, watchSlots, held("a", "b"), 2}, // b has entered
		{"a* b me c", held("a"), watchLine, enter, held("", "b"), 1},
	} {
		q := newQueue("p/web/", line(2, test.line), 7)
		q.slots, q.whole = test.slots, true
		if got, _ := q.next(q.position("p/web/me", "me"), 2); got != test.before {
			t.Errorf("%q, slots of %v: got move %d, want %d", test.line, test.slots, got, test.before)
		}
		q = q.after(test.later, 9)
		i := q.position("p/web/me", "me")
		if got, _ := q.next(i, 2); got != test.now || i != test.position || q.index != 9 {
			t.Errorf("%q, slots of %v: got move %d at %d from index %d, want %d at %d from 9", test.line, test.later, got, i, q.index, test.now, test.position)
		}
		if q.whole = false; i == 2 {
			want := map[move]move{watchSlots: watchNames, watchLine: watchLine}[test.now]
			if got, _ := q.next(i, 2); got != want {
				t.Errorf("%q: got move %d on a line that may not be whole, want %d", test.line, got, want)
			}
		}
	}
}

// Who was behind a machine that has taken the only slot needs no more than names to know when it is gone.
func TestBehindTheHolder(t *testing.T) {
	t.Parallel()
	const slot = "p/web/.slot-0"
	q := newQueue("p/web/", line(1, "a* b me c"), 7)
	holder := contender{key: "p/web/b", session: "b", created: 110, modified: 140}
	q = q.behind(holder, slot, "p/web/me")
	for _, test := range []struct {
		names string
		want  move
		free  int
	}{
		{"p/web/b p/web/me p/web/c p/web/d " + slot, watchSlots, 0}, // another came or went
		{"p/web/me p/web/c", enter, 1},
		{"p/web/me p/web/c " + slot, enter, 0},           // somebody was faster: the next look tells
		{"p/web/b p/web/me p/web/c", watchLine, 1},       // it was taken away from b, which has not left
		{"p/web/a p/web/b p/web/me", watchLine, 1},       // a was gone, and is none of ours now
		{"p/web/me p/web/deeper/ p/web/.lock", enter, 1}, // which are no contenders
	} {
		now := q.among(strings.Fields(test.names), 9)
		i := now.position("p/web/me", "me")
		if got, _ := now.next(i, 1); got != test.want || now.index != 9 || len(now.free("p/web/", 1)) != test.free {
			t.Errorf("%q: got move %d from index %d, and %d free, want %d from 9, and %d", test.names, got, now.index, len(now.free("p/web/", 1)), test.want, test.free)
		}
	}
	if i := q.among([]string{"p/web/b"}, 9).position("p/web/me", "me"); i != -1 {
		t.Errorf("got position %d without a key", i)
	}
}

// Who holds no slot any more is taken to have left, and so is one to make sure of.
func TestWhoLeftIsNamed(t *testing.T) {
	t.Parallel()
	q := newQueue("p/web/", line(2, "a* b* me"), 7)
	q.slots = map[string]string{"p/web/.slot-0": "a", "p/web/.slot-1": "b"}
	if got := q.after(q.slots, 9).left; got != "" {
		t.Errorf("got %q, want nobody", got)
	}
	if got, want := q.after(map[string]string{"p/web/.slot-1": "b"}, 9).left, "p/web/a"; got != want {
		t.Errorf("got %q, want %q", got, want)
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
			if m, before := q.next(i, slots); m == watchLine {
				watchers["the line"]++
			} else if m == watchKey {
				watchers[before.session]++
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
