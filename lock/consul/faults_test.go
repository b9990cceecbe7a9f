package consul_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/dropship/dropship/lock"
	"github.com/dropship/dropship/test/servers"
)

func TestHolderIsReadable(t *testing.T) {
	t.Parallel()
	address := servers.Get(t).Consul.Address
	client := newClient(t, address)
	prefix := newPrefix(t, client)
	before := time.Now().Add(-time.Second)
	acquire(t, newLocker(t, address, block(prefix, "15s")), request("web-01"))

	pair := only(t, client, prefix+"/web/")
	if got, want := pair.Key, prefix+"/web/"+pair.Session; got != want {
		t.Errorf("got key %s, want %s", got, want)
	}
	var got lock.Holder
	if err := json.Unmarshal(pair.Value, &got); err != nil {
		t.Fatalf("%s: %v", pair.Value, err)
	}
	if got.Since.Before(before) || got.Since.After(time.Now()) {
		t.Errorf("got since %s, want now", got.Since)
	}
	want := request("web-01").Holder
	want.Slots, want.Holding, want.Since = 1, true, got.Since
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	session, _, err := client.Session().Info(pair.Session, nil)
	if err != nil {
		t.Fatal(err)
	}
	if session.Name != "dropship web on web-01" || session.TTL != "15s" || session.Behavior != "delete" || len(session.NodeChecks) != 0 || len(session.ServiceChecks) != 0 {
		t.Errorf("got session %+v, want one with a name, a TTL of 15s, behaviour delete and no checks", session)
	}
}

// Services updated in parallel through one locker do not share one lock object, and a lock that is lost is noticed.
func TestFault07ParallelServicesDoNotShareOneLockAndLossIsNoticed(t *testing.T) {
	t.Parallel()
	address := servers.Get(t).Consul.Address
	client := newClient(t, address)
	prefix := newPrefix(t, client)
	l := newLocker(t, address, block(prefix, "180s")) // so that no renewal within patience tells
	shop, cart := request("web-01"), request("web-01")
	shop.Group, cart.Group, cart.Holder.Service = "shop", "cart", "cart"
	one, two := acquire(t, l, shop), acquire(t, l, cart) // both at once
	held(t, one)
	held(t, two)

	destroyed := only(t, client, prefix+"/shop/").Session
	if _, err := client.Session().Destroy(destroyed, nil); err != nil {
		t.Fatal(err)
	}
	get(t, one.Lost(), patience, "Lost after the session was destroyed")
	checkLost(t, one)
	held(t, two)
	if err := two.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The locker is not spent by a loss: it gives the next update its turn.
	held(t, acquire(t, l, cart))
}

func TestDeletedKeyIsALoss(t *testing.T) {
	t.Parallel()
	address := servers.Get(t).Consul.Address
	client := newClient(t, address)
	prefix := newPrefix(t, client)
	lease := acquire(t, newLocker(t, address, block(prefix, "15s")), request("web-01"))
	if _, err := client.KV().Delete(only(t, client, prefix+"/web/").Key, nil); err != nil {
		t.Fatal(err)
	}
	get(t, lease.Lost(), patience, "Lost after the key was deleted")
	checkLost(t, lease)
	if err := lease.Release(t.Context()); err != nil {
		t.Errorf("Release: %v", err)
	}
	if got := contenders(t, client, prefix+"/web/"); len(got) != 0 {
		t.Errorf("got %v after Release, want nothing", got)
	}
}

// A waiter whose key was deleted does not come in at the end of the line as if it were first.
func TestDeletedKeyOfAWaiterIsALostPlace(t *testing.T) {
	t.Parallel()
	address := servers.Get(t).Consul.Address
	client := newClient(t, address)
	prefix := newPrefix(t, client)
	l := newLocker(t, address, block(prefix, "15s"))
	lease := acquire(t, l, request("web-01"))
	waiter := wait(t, l, request("web-02"))
	for _, p := range contenders(t, client, prefix+"/web/") {
		if strings.Contains(p.Key, "/.slot-") {
			continue
		}
		var h lock.Holder
		if err := json.Unmarshal(p.Value, &h); err != nil {
			t.Fatal(err)
		}
		if h.Holding {
			continue
		}
		if _, err := client.KV().Delete(p.Key, nil); err != nil {
			t.Fatal(err)
		}
	}
	if r := get(t, waiter, patience, "the waiter"); !errors.Is(r.err, lock.ErrLost) {
		t.Errorf("got (%v, %v), want ErrLost", r.lease, r.err)
	}
	held(t, lease)
}

// The slot is entered only if the key is still there at that very moment: it is not made anew.
func TestDeletedKeyBetweenLookAndEntry(t *testing.T) {
	t.Parallel()
	address := servers.Get(t).Consul.Address
	client := newClient(t, address)
	prefix := newPrefix(t, client)
	p := newProxy(t, address)
	p.intercept(func(_ http.ResponseWriter, _ *http.Request, kind string) bool {
		if kind == "txn" && p.count("txn") == 2 { // the first is the place in line
			if _, err := client.KV().DeleteTree(prefix+"/web/", nil); err != nil {
				t.Error(err)
			}
		}
		return false
	})
	lease, err := newLocker(t, p.address, block(prefix, "15s")).Acquire(t.Context(), request("web-01"))
	if !errors.Is(err, lock.ErrLost) {
		t.Errorf("got (%v, %v), want ErrLost", lease, err)
	}
	if got := contenders(t, client, prefix+"/web/"); len(got) != 0 {
		t.Errorf("left behind: %v", got)
	}
}

// A slot that is taken away from its holder is nobody else's as long as the holder stands in line, whether the next one
// watches names or, since another came, the slots alone.
func TestSlotTakenAway(t *testing.T) {
	t.Parallel()
	address := servers.Get(t).Consul.Address
	client := newClient(t, address)
	for _, another := range []bool{false, true} {
		t.Run(fmt.Sprint("another=", another), func(t *testing.T) {
			t.Parallel()
			prefix := newPrefix(t, client)
			l := newLocker(t, address, block(prefix, "15s"))
			first := acquire(t, l, request("web-01"))
			p := newProxy(t, address)
			var names, slots atomic.Int32
			p.intercept(func(_ http.ResponseWriter, r *http.Request, _ string) bool {
				switch q := r.URL.Query(); {
				case !q.Has("index"):
				case q.Has("keys"):
					names.Add(1)
				case q.Has("recurse"):
					slots.Add(1)
				}
				return false
			})
			second := wait(t, newLocker(t, p.address, block(prefix, "15s")), request("web-02"))
			if another {
				wait(t, l, request("web-03"))
				eventually(t, "a watch of the slots", func() bool { return slots.Load() > 0 })
			}
			eventually(t, "a watch of the names, or of the slots since", func() bool { return names.Load() == 1 })
			if _, err := client.KV().Delete(prefix+"/web/.slot-0", nil); err != nil {
				t.Fatal(err)
			}
			eventually(t, "another watch of the names", func() bool { return names.Load() == 2 })
			select {
			case r := <-second:
				t.Fatalf("got (%v, %v) beside one that has not left", r.lease, r.err)
			default:
			}
			checkLost(t, first)
			if err := first.Release(t.Context()); err != nil {
				t.Fatal(err)
			}
			held(t, turn(t, second, patience))
		})
	}
}

// Strangers below the prefix neither block for ever nor crash, and a stranger that holds a key is respected.
func TestForeignKeys(t *testing.T) {
	t.Parallel()
	address := servers.Get(t).Consul.Address
	client := newClient(t, address)
	prefix := newPrefix(t, client)
	folder := prefix + "/web/"
	for _, p := range []*api.KVPair{
		{Key: folder + ".lock", Value: []byte(`{"Limit":1,"Holders":{}}`)},
		{Key: folder + "note", Value: []byte("do not touch")},
		{Key: folder, Value: nil},
		{Key: folder + "dead", Value: []byte(`{"host":"web-99","slots":9,"holding":true}`)},
	} {
		if _, err := client.KV().Put(p, nil); err != nil {
			t.Fatal(err)
		}
	}
	l := newLocker(t, address, block(prefix, "15s"))
	lease := acquire(t, l, request("web-01"))
	if err := lease.Release(t.Context()); err != nil {
		t.Fatal(err)
	}

	session, _, err := client.Session().CreateNoChecks(&api.SessionEntry{TTL: "15s", Behavior: "delete"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if ok, _, err := client.KV().Acquire(&api.KVPair{Key: folder + session, Session: session}, nil); !ok || err != nil {
		t.Fatal(ok, err)
	}
	waiter := wait(t, l, request("web-02"))
	if _, err := client.Session().Destroy(session, nil); err != nil {
		t.Fatal(err)
	}
	held(t, turn(t, waiter, patience))
}

func TestFailedRenewalsAreRepeated(t *testing.T) {
	t.Parallel()
	address := servers.Get(t).Consul.Address
	client := newClient(t, address)
	prefix := newPrefix(t, client)
	p := newProxy(t, address)
	lease := acquire(t, newLocker(t, p.address, block(prefix, "15s")), request("web-01"))

	const failures = 4
	var failed atomic.Int32
	recovered := make(chan struct{}, 100)
	p.intercept(func(w http.ResponseWriter, _ *http.Request, kind string) bool {
		if kind != "session/renew" {
			return false
		}
		if failed.Add(1) <= failures {
			w.WriteHeader(http.StatusInternalServerError)
			return true
		}
		recovered <- struct{}{}
		return false
	})
	// Two renewals that went through: the first ends the failures, the second comes a third of the TTL later.
	for range 2 {
		get(t, recovered, patience, "a renewal after the failures")
	}
	held(t, lease)
}

// A renewal that is answered after the slot was given up does not bring it back.
func TestLateRenewalDoesNotResurrect(t *testing.T) {
	t.Parallel()
	const ttl = 5 * time.Second
	address := servers.Get(t).Consul.Address
	client := newClient(t, address)
	prefix := newPrefix(t, client)
	p := newProxy(t, address)
	lease := acquire(t, newLocker(t, p.address, block(prefix, ttl.String())), request("web-01"))
	p.intercept(func(_ http.ResponseWriter, r *http.Request, kind string) bool {
		if kind != "session/renew" {
			return false
		}
		<-r.Context().Done() // a black hole: the request arrives, no answer leaves
		return true
	})
	start := time.Now()
	get(t, lease.Lost(), patience, "Lost without an answer to any renewal")
	if took := time.Since(start); took >= ttl+slack {
		t.Errorf("Lost was closed %s after the last renewal that can have been answered, want less than the TTL of %s", took, ttl)
	}
	p.intercept(nil)                // Consul still has the session: it ends it no sooner than after the TTL
	only(t, client, prefix+"/web/") // so the slot was not free before its holder had lost it
	checkLost(t, lease)
}

func TestExpiredSessionIsALossAtOnce(t *testing.T) {
	t.Parallel()
	address := servers.Get(t).Consul.Address
	client := newClient(t, address)
	prefix := newPrefix(t, client)
	p := newProxy(t, address)
	lease := acquire(t, newLocker(t, p.address, block(prefix, "18s")), request("web-01"))
	// Watches fail, so that only the renewal can tell.
	p.intercept(func(w http.ResponseWriter, _ *http.Request, kind string) bool {
		switch kind {
		case "kv":
			w.WriteHeader(http.StatusInternalServerError)
			return true
		case "session/renew":
			w.WriteHeader(http.StatusNotFound)
			return true
		}
		return false
	})
	// Well before it would be lost because no renewal succeeded.
	get(t, lease.Lost(), 14*time.Second, "Lost after a renewal that found no session")
}
