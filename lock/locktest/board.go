package locktest

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/lock"
)

// A BoardSuite is one kind of board, and what its tests need.
type BoardSuite struct {
	// New returns a board like that of another machine: all that one test asks for share a store.
	New func(t *testing.T) lock.Board
	// Unreachable returns a board whose store does not answer.
	Unreachable func(t *testing.T) lock.Board
	// Wipe loses all that the store has of that service, as a store without disks does when it starts again.
	Wipe func(t *testing.T, group, service string)
	// Spoil makes the entry of a hash unreadable, as a person may who writes to the store.
	Spoil func(t *testing.T, group, service, hash string)
}

// RunBoard runs the suite of what the comments of lock.Board promise.
func RunBoard(t *testing.T, s BoardSuite) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, BoardSuite)
	}{
		{"OthersSeeIt", testOthersSeeIt},
		{"FirstOneStands", testFirstOneStands},
		{"SameMoment", testSameMoment},
		{"LiftedStays", testLiftedStays},
		{"FailsAgainAfterLift", testFailsAgainAfterLift},
		{"LiftWhileOthersWrite", testLiftWhileOthersWrite},
		{"ServicesAndGroupsAreApart", testBoardsAreApart},
		{"OldestGoes", testOldestGoes},
		{"LostData", testLostData},
		{"Unreadable", testUnreadable},
		{"LeaseTellsOfIt", testLeaseTellsOfIt},
		{"BadNames", testBadNames},
		{"Unreachable", testBoardUnreachable},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, s)
		})
	}
}

// entry is the quarantine of some bytes that failed on a host.
func entry(bytes, host string) lock.Quarantine {
	sum := md5.Sum([]byte(bytes))
	return lock.Quarantine{
		Service: "shop", Hash: hex.EncodeToString(sum[:]), Revision: "r-" + bytes, Artifact: "s3://releases/shop.tar.gz",
		Error: "after hook 2, http-check http://127.0.0.1/: failed", Host: host, UpdateID: "u-" + bytes + "-" + host,
		Since: time.Date(2026, 11, 21, 9, 30, 0, 123, time.UTC),
	}
}

// put puts q on the board and wants that entry in answer.
func put(t *testing.T, b lock.Board, group string, q, want lock.Quarantine) {
	t.Helper()
	got, err := b.Quarantine(t.Context(), group, q)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Quarantine (-want +got):\n%s", diff)
	}
}

// entries returns what is on the board for the service shop, by hash.
func entries(t *testing.T, b lock.Board, group string) map[string]lock.Quarantine {
	t.Helper()
	all, err := b.Quarantined(t.Context(), group, "shop", false)
	if err != nil {
		t.Fatal(err)
	}
	byHash := make(map[string]lock.Quarantine)
	for _, q := range all {
		byHash[q.Hash] = q
	}
	if len(byHash) != len(all) {
		t.Errorf("one hash has several entries: %+v", all)
	}
	return byHash
}

// wantEntries wants exactly these on the board.
func wantEntries(t *testing.T, b lock.Board, group string, want ...lock.Quarantine) {
	t.Helper()
	byHash := make(map[string]lock.Quarantine)
	for _, q := range want {
		byHash[q.Hash] = q
	}
	if diff := cmp.Diff(byHash, entries(t, b, group)); diff != "" {
		t.Errorf("on the board (-want +got):\n%s", diff)
	}
}

// lift wants exactly one entry to be lifted, and returns it.
func lift(t *testing.T, b lock.Board, group string) lock.Quarantine {
	t.Helper()
	before := time.Now()
	lifted, err := b.Lift(t.Context(), group, "shop", "joe@web-09")
	if err != nil || len(lifted) != 1 {
		t.Fatalf("Lift: got %+v, %v, want one entry", lifted, err)
	}
	l := lifted[0].Lifted
	if l == nil || l.By != "joe@web-09" || l.At.Before(before.Add(-time.Second)) || l.At.After(time.Now().Add(time.Second)) {
		t.Fatalf("Lift: got %+v, want who and when", l)
	}
	return lifted[0]
}

func testOthersSeeIt(t *testing.T, s BoardSuite) {
	group, q, other := newGroup(t), entry("bad", "web-01"), entry("worse", "web-02")
	one, two := s.New(t), s.New(t)
	wantEntries(t, one, group)
	put(t, one, group, q, q)
	wantEntries(t, two, group, q)
	put(t, two, group, other, other)
	wantEntries(t, one, group, q, other)
	// The stale answer has it, too, in the end.
	deadline := time.Now().Add(patience)
	for {
		all, err := two.Quarantined(t.Context(), group, "shop", true)
		if err != nil {
			t.Fatal(err)
		}
		if len(all) == 2 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("stale: got %+v for %s, want both", all, patience)
		}
	}
}

func testFirstOneStands(t *testing.T, s BoardSuite) {
	group, first := newGroup(t), entry("bad", "web-01")
	b := s.New(t)
	put(t, b, group, first, first)
	put(t, b, group, first, first)
	put(t, s.New(t), group, entry("bad", "web-02"), first)
	wantEntries(t, b, group, first)
}

func testSameMoment(t *testing.T, s BoardSuite) {
	const machines = 10
	group := newGroup(t)
	var got [machines]lock.Quarantine
	var wg sync.WaitGroup
	for i := range machines {
		b := s.New(t)
		wg.Go(func() {
			var err error
			if got[i], err = b.Quarantine(t.Context(), group, entry("bad", fmt.Sprintf("web-%02d", i))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, q := range got {
		if diff := cmp.Diff(got[0], q); diff != "" {
			t.Errorf("two machines got different entries:\n%s", diff)
		}
	}
	wantEntries(t, s.New(t), group, got[0])
}

func testLiftedStays(t *testing.T, s BoardSuite) {
	group, q := newGroup(t), entry("bad", "web-01")
	b := s.New(t)
	put(t, b, group, q, q)
	lifted := lift(t, b, group)
	wantEntries(t, s.New(t), group, lifted)
	if again, err := b.Lift(t.Context(), group, "shop", "ann@web-03"); err != nil || len(again) != 0 {
		t.Errorf("Lift again: got %+v, %v, want nothing", again, err)
	}
	// The machine that has not heard of it does not bring it back.
	put(t, b, group, q, lifted)
	wantEntries(t, b, group, lifted)
	if !q.LiftedBy(lifted) {
		t.Error("LiftedBy: got false for the very entry")
	}
}

func testFailsAgainAfterLift(t *testing.T, s BoardSuite) {
	group, q, again := newGroup(t), entry("bad", "web-01"), entry("bad", "web-02")
	b := s.New(t)
	put(t, b, group, q, q)
	lift(t, b, group)
	put(t, b, group, again, again)
	wantEntries(t, b, group, again)
}

// However the calls interleave, what Lift returns and what stands on the board agree.
func testLiftWhileOthersWrite(t *testing.T, s BoardSuite) {
	const machines = 8
	group := newGroup(t)
	lifter := s.New(t)
	put(t, lifter, group, entry("bad", "web-00"), entry("bad", "web-00"))
	var wg sync.WaitGroup
	for i := range machines {
		b := s.New(t)
		wg.Go(func() {
			if _, err := b.Quarantine(t.Context(), group, entry("bad", fmt.Sprintf("web-%02d", i))); err != nil {
				t.Error(err)
			}
			if _, err := b.Quarantine(t.Context(), group, entry(fmt.Sprint("other-", i), "web-01")); err != nil {
				t.Error(err)
			}
		})
	}
	lifted := make(map[string]lock.Quarantine)
	for range 3 {
		all, err := lifter.Lift(t.Context(), group, "shop", "joe@web-09")
		if err != nil {
			t.Error(err)
		}
		for _, q := range all {
			lifted[q.UpdateID] = q
		}
	}
	wg.Wait()
	for hash, q := range entries(t, lifter, group) {
		if want, ok := lifted[q.UpdateID]; ok != (q.Lifted != nil) || ok && !cmp.Equal(want, q) {
			t.Errorf("hash %s: got %+v, Lift returned %+v", hash, q, want)
		}
	}
	if all := entries(t, lifter, group); len(all) != machines+1 {
		t.Errorf("got %d entries, want %d", len(all), machines+1)
	}
}

func testBoardsAreApart(t *testing.T, s BoardSuite) {
	group, other, q := newGroup(t), newGroup(t), entry("bad", "web-01")
	b := s.New(t)
	cart := q
	cart.Service = "cart"
	put(t, b, group, q, q)
	put(t, b, group, cart, cart)
	if lifted, err := b.Lift(t.Context(), group, "cart", "joe@web-09"); err != nil || len(lifted) != 1 {
		t.Errorf("Lift: got %+v, %v, want one entry", lifted, err)
	}
	wantEntries(t, b, group, q)
	wantEntries(t, b, other)
}

func testOldestGoes(t *testing.T, s BoardSuite) {
	group := newGroup(t)
	b := s.New(t)
	var want []lock.Quarantine
	for i := range lock.QuarantineLimit + 3 {
		q := entry(fmt.Sprint("bad-", i), "web-01")
		put(t, b, group, q, q)
		if i >= 3 {
			want = append(want, q)
		}
	}
	wantEntries(t, b, group, want...)
}

func testLostData(t *testing.T, s BoardSuite) {
	group, q := newGroup(t), entry("bad", "web-01")
	b := s.New(t)
	put(t, b, group, q, q)
	s.Wipe(t, group, "shop")
	wantEntries(t, b, group)
	put(t, b, group, q, q)
	wantEntries(t, b, group, q)
}

func testUnreadable(t *testing.T, s BoardSuite) {
	group, q, other := newGroup(t), entry("bad", "web-01"), entry("worse", "web-02")
	b := s.New(t)
	put(t, b, group, q, q)
	put(t, b, group, other, other)
	s.Spoil(t, group, "shop", q.Hash)
	wantEntries(t, b, group, other)
	put(t, b, group, q, q)
	wantEntries(t, b, group, q, other)
}

// testLeaseTellsOfIt: a lease that tells what was on the board is right.
func testLeaseTellsOfIt(t *testing.T, s BoardSuite) {
	group, q := newGroup(t), entry("bad", "web-01")
	b := s.New(t)
	turn := func(what string, change func(*lock.Holder), want bool) {
		t.Helper()
		l, ok := s.New(t).(lock.Locker)
		if !ok {
			return // it gives no leases
		}
		req := request(group, 1, "web-02")
		req.Holder.Hash = q.Hash
		if change != nil {
			change(&req.Holder)
		}
		lease := acquire(t, l, req)
		defer release(t, lease)
		if bl, ok := lease.(lock.BoardLease); ok && bl.Unnoticed() != want {
			t.Errorf("%s: Unnoticed: got %t, want %t", what, bl.Unnoticed(), want)
		}
		if err := lease.Check(t.Context()); err != nil {
			t.Errorf("%s: Check: %v", what, err)
		}
	}
	turn("nothing there", nil, true)
	turn("no hash named", func(h *lock.Holder) { h.Hash = "" }, false)
	put(t, b, group, q, q)
	turn("in force", nil, false)
	turn("another hash", func(h *lock.Holder) { h.Hash = entry("good", "web-01").Hash }, true)
	turn("another service", func(h *lock.Holder) { h.Service = "cart" }, true)
	lift(t, b, group)
	turn("lifted", nil, false)
	s.Wipe(t, group, "shop")
	turn("lost", nil, true)
}

func testBadNames(t *testing.T, s BoardSuite) {
	b := s.New(t)
	good := entry("bad", "web-01")
	for what, q := range map[string]lock.Quarantine{
		"service": {Service: "../shop", Hash: good.Hash, UpdateID: "u"},
		"hash":    {Service: "shop", Hash: "A" + good.Hash[1:], UpdateID: "u"},
		"path":    {Service: "shop", Hash: "../" + good.Hash[3:], UpdateID: "u"},
		"update":  {Service: "shop", Hash: good.Hash},
		"lifted":  {Service: "shop", Hash: good.Hash, UpdateID: "u", Lifted: &lock.Lift{}},
	} {
		if _, err := b.Quarantine(t.Context(), newGroup(t), q); err == nil {
			t.Errorf("%s: got nil, want an error", what)
		}
	}
	if _, err := b.Quarantine(t.Context(), ".web", good); err == nil {
		t.Error("group: got nil, want an error")
	}
	if _, err := b.Quarantined(t.Context(), "web", "a/b", false); err == nil {
		t.Error("Quarantined: got nil, want an error")
	}
	if _, err := b.Lift(t.Context(), "", "shop", "joe@web-09"); err == nil {
		t.Error("Lift: got nil, want an error")
	}
}

func testBoardUnreachable(t *testing.T, s BoardSuite) {
	b := s.Unreachable(t)
	group := newGroup(t)
	_, quarantine := b.Quarantine(t.Context(), group, entry("bad", "web-01"))
	_, quarantined := b.Quarantined(t.Context(), group, "shop", true)
	_, lift := b.Lift(t.Context(), group, "shop", "joe@web-09")
	for what, err := range map[string]error{"Quarantine": quarantine, "Quarantined": quarantined, "Lift": lift} {
		if err == nil || !strings.Contains(err.Error(), "cannot ") {
			t.Errorf("%s: got %v, want an error that says what was attempted", what, err)
		}
	}
}
