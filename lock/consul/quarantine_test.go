package consul_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/consul/api"

	"github.com/dropship/dropship/dropship/secret"
	"github.com/dropship/dropship/lock"
	"github.com/dropship/dropship/lock/locktest"
	"github.com/dropship/dropship/test/servers"
)

func newBoard(t *testing.T, address, block string) lock.Board {
	t.Helper()
	b, ok := newLocker(t, address, block).(lock.Board)
	if !ok {
		t.Fatal("the locker is no board")
	}
	return b
}

func TestBoardConformance(t *testing.T) {
	t.Parallel()
	address := servers.Get(t).Consul.Address
	client := newClient(t, address)
	prefix := newPrefix(t, client)
	block := block(prefix, "30s")
	folder := func(group, service string) string { return prefix + "/.quarantine/" + group + "/" + service + "/" }
	locktest.RunBoard(t, locktest.BoardSuite{
		New:         func(t *testing.T) lock.Board { return newBoard(t, address, block) },
		Unreachable: func(t *testing.T) lock.Board { return newBoard(t, servers.Reserve(t), block) },
		Wipe: func(t *testing.T, group, service string) {
			if _, err := client.KV().DeleteTree(folder(group, service), nil); err != nil {
				t.Fatal(err)
			}
		},
		Spoil: func(t *testing.T, group, service, hash string) {
			if _, err := client.KV().Put(&api.KVPair{Key: folder(group, service) + hash, Value: []byte("{")}, nil); err != nil {
				t.Fatal(err)
			}
		},
	})
}

// What the manual says that a token needs is enough, and without it the error says what is.
func TestBoardACL(t *testing.T) {
	t.Parallel()
	server := servers.Get(t).ConsulACL
	prefix := "test/acl-" + strings.ToLower(random())
	const session = "session_prefix \"\" { policy = \"write\" }\n"
	for _, test := range []struct {
		name, rules string
		ok          bool
	}{
		{"what the manual says", fmt.Sprintf("key_prefix %q { policy = \"write\" }\n", prefix+"/") + session, true},
		{"only the slots", fmt.Sprintf("key_prefix %q { policy = \"write\" }\n", prefix+"/web/") + session, false},
		{"read only", fmt.Sprintf("key_prefix %q { policy = \"read\" }\n", prefix+"/") + session, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			token := newToken(t, server, test.rules)
			l := withToken(t, server, token, prefix)
			b := l.(lock.Board)
			hash := "0cc175b9c0f1b6a831c399e269772661"
			service := "shop-" + strings.ToLower(random())
			_, err := b.Quarantine(t.Context(), "web", lock.Quarantine{Service: service, Hash: hash, UpdateID: "u1"})
			// Nor is a slot given to who could not see a quarantine.
			req := request("web-01")
			req.Holder.Service = service
			if lease, lerr := l.Acquire(t.Context(), req); (lerr == nil) != test.ok {
				t.Errorf("Acquire: got %v, want a slot %t", lerr, test.ok)
			} else if test.ok && (lease.(lock.BoardLease).Unnoticed() || lease.Release(t.Context()) != nil) {
				t.Error("the lease does not tell of what is quarantined")
			}
			if test.ok {
				if err != nil {
					t.Error(err)
				}
				if all, err := b.Quarantined(t.Context(), "web", service, true); err != nil || len(all) != 1 {
					t.Errorf("got %v, %v, want the entry", all, err)
				}
				if _, err := b.Lift(t.Context(), "web", service, "joe@web-01"); err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), "key write on "+prefix+"/") {
				t.Errorf("got %v, want the rights that the token needs", err)
			}
			if strings.Contains(err.Error(), token.Reveal()) {
				t.Errorf("it shows the token: %v", err)
			}
		})
	}
	operator := withToken(t, server, secret.String(server.Token), prefix)
	t.Cleanup(func() {
		client, err := api.NewClient(&api.Config{Address: server.Address, Token: server.Token})
		if err == nil {
			_, err = client.KV().DeleteTree(prefix+"/", nil)
		}
		if err != nil {
			t.Error(err)
		}
	})
	// What is on the board stands in nobody's way: it is no group.
	other := request("web-01")
	other.Group = "api" // web is for those above
	held(t, acquire(t, operator, other))
}

// Looking at the board at each check of a quarantined artifact is one request.
func TestLookingAtTheBoardIsOneRequest(t *testing.T) {
	t.Parallel()
	address := servers.Get(t).Consul.Address
	p := newProxy(t, address)
	b := newBoard(t, p.address, block(newPrefix(t, newClient(t, address)), "30s"))
	for _, stale := range []bool{true, false} {
		before, _ := p.requests()
		if _, err := b.Quarantined(t.Context(), "web", "shop", stale); err != nil {
			t.Fatal(err)
		}
		if after, _ := p.requests(); after-before != 1 {
			t.Errorf("stale %v: got %d requests, want 1", stale, after-before)
		}
	}
}

// What others overtake is read and written again, and not for ever.
func TestBoardWriteThatIsOvertaken(t *testing.T) {
	t.Parallel()
	address := servers.Get(t).Consul.Address
	for _, test := range []struct {
		name    string
		refused int32
		ok      bool
	}{
		{"once", 1, true},
		{"always", 1 << 30, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newProxy(t, address)
			b := newBoard(t, p.address, block(newPrefix(t, newClient(t, address)), "30s"))
			q := lock.Quarantine{Service: "shop", Hash: "0cc175b9c0f1b6a831c399e269772661", UpdateID: "u1", Host: "web-01"}
			overtake := func() {
				var refused atomic.Int32
				p.intercept(func(w http.ResponseWriter, r *http.Request, _ string) bool {
					if r.Method != http.MethodPut || refused.Add(1) > test.refused {
						return false
					}
					fmt.Fprint(w, "false") // Consul's answer to a check-and-set that came too late
					return true
				})
			}
			overtake()
			if got, err := b.Quarantine(t.Context(), "web", q); (err == nil) != test.ok || test.ok && got != q {
				t.Errorf("Quarantine: got %+v, %v", got, err)
			}
			p.intercept(nil)
			if _, err := b.Quarantine(t.Context(), "web", q); err != nil {
				t.Fatal(err)
			}
			overtake()
			lifted, err := b.Lift(t.Context(), "web", "shop", "joe@web-09")
			if (err == nil) != test.ok || test.ok && len(lifted) != 1 {
				t.Errorf("Lift: got %+v, %v", lifted, err)
			}
			if !test.ok && !strings.Contains(err.Error(), "others wrote there first") {
				t.Errorf("Lift: got %v, want why", err)
			}
		})
	}
}
