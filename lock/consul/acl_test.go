package consul_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"

	"github.com/dropship/dropship/dropship/secret"
	"github.com/dropship/dropship/lock"
	"github.com/dropship/dropship/lock/consul"
	"github.com/dropship/dropship/test/servers"
)

// newToken makes a token with exactly these rules.
func newToken(t *testing.T, server servers.Consul, rules string) secret.String {
	t.Helper()
	client, err := api.NewClient(&api.Config{Address: server.Address, Token: server.Token})
	if err != nil {
		t.Fatal(err)
	}
	policy, _, err := client.ACL().PolicyCreate(&api.ACLPolicy{Name: "test-" + random(), Rules: rules}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := client.ACL().TokenCreate(&api.ACLToken{Policies: []*api.ACLTokenPolicyLink{{ID: policy.ID}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := client.ACL().TokenDelete(token.AccessorID, nil); err != nil {
			t.Error(err)
		}
		if _, err := client.ACL().PolicyDelete(policy.ID, nil); err != nil {
			t.Error(err)
		}
	})
	return secret.String(token.SecretID)
}

func TestACL(t *testing.T) {
	t.Parallel()
	server := servers.Get(t).ConsulACL
	prefix := "test/acl-" + strings.ToLower(random())
	key := fmt.Sprintf("key_prefix %q { policy = \"write\" }\n", prefix+"/")
	const session = "session_prefix \"\" { policy = \"write\" }\n"
	for _, test := range []struct {
		name  string
		token secret.String
		ok    bool
	}{
		{"what the manual says", newToken(t, server, key+session), true},
		{"no token", "", false},
		{"unknown token", "11111111-2222-3333-4444-555555555555", false},
		{"no right to sessions", newToken(t, server, key), false},
		{"no right to keys", newToken(t, server, session), false},
		{"read only", newToken(t, server, strings.ReplaceAll(key, "write", "read")+session), false},
		{"other keys", newToken(t, server, "key_prefix \"elsewhere/\" { policy = \"write\" }\n"+session), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := withToken(t, server, test.token, prefix)
			req := request("web-01")
			req.Group = "g" + random()
			lease, err := l.Acquire(t.Context(), req)
			if test.ok {
				if err != nil {
					t.Fatal(err)
				}
				held(t, lease)
				if err := lease.Release(t.Context()); err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil {
				t.Fatal("got a slot, want an error")
			}
			if !strings.Contains(err.Error(), "key write on "+prefix+"/") || !strings.Contains(err.Error(), server.Address) {
				t.Errorf("got %v, want the address and the rights that the token needs", err)
			}
			if test.token != "" && strings.Contains(err.Error(), test.token.Reveal()) {
				t.Errorf("it shows the token: %v", err)
			}
		})
	}
}

// A token that may see only a part of the group must not believe that it is alone.
func TestPartialViewIsNoSlot(t *testing.T) {
	t.Parallel()
	server := servers.Get(t).ConsulACL
	prefix := "test/acl-" + strings.ToLower(random())
	operator := withToken(t, server, secret.String(server.Token), prefix)
	first := acquire(t, operator, request("web-01"))
	client, err := api.NewClient(&api.Config{Address: server.Address, Token: server.Token})
	if err != nil {
		t.Fatal(err)
	}
	hidden := only(t, client, prefix+"/web/").Key
	lease, err := allBut(t, server, prefix, hidden).Acquire(t.Context(), request("web-02"))
	if err == nil {
		t.Errorf("got %v, want an error: it cannot see the holder", lease)
	}
	held(t, first)
}

// Nor may it overtake somebody whom it cannot see.
func TestPartialViewOvertakesNobody(t *testing.T) {
	t.Parallel()
	server := servers.Get(t).ConsulACL
	prefix := "test/acl-" + strings.ToLower(random())
	operator := withToken(t, server, secret.String(server.Token), prefix)
	client, err := api.NewClient(&api.Config{Address: server.Address, Token: server.Token})
	if err != nil {
		t.Fatal(err)
	}
	first := acquire(t, operator, request("web-01"))
	visible := only(t, client, prefix+"/web/").Key
	second := wait(t, operator, request("web-02"))
	third := wait(t, allBut(t, server, prefix, hiddenKey(t, client, prefix+"/web/", visible)), request("web-03"))
	if err := first.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := get(t, third, patience, "who cannot see the second"); r.err == nil || !strings.Contains(r.err.Error(), "only a part") {
		t.Errorf("got (%v, %v), want an error: somebody may be ahead whom it cannot see", r.lease, r.err)
	}
	held(t, turn(t, second, patience))
}

// withToken returns a locker that shows a token.
func withToken(t *testing.T, server servers.Consul, token secret.String, prefix string) lock.Locker {
	t.Helper()
	l, diags := consul.New(consul.Connection{Address: server.Address, Token: token}, parse(t, "prefix = \""+prefix+"\""), nil)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return l
}

// allBut returns a locker that may do everything below prefix but see one key.
func allBut(t *testing.T, server servers.Consul, prefix, hidden string) lock.Locker {
	t.Helper()
	token := newToken(t, server, fmt.Sprintf("key_prefix %q { policy = \"write\" }\nkey %q { policy = \"deny\" }\nsession_prefix \"\" { policy = \"write\" }",
		prefix+"/", hidden))
	return withToken(t, server, token, prefix)
}

// hiddenKey returns the key of the one contender beside visible.
func hiddenKey(t *testing.T, client *api.Client, folder, visible string) string {
	t.Helper()
	for _, p := range contenders(t, client, folder) {
		if p.Key != visible && !strings.HasPrefix(p.Key, folder+".slot-") {
			return p.Key
		}
	}
	t.Fatal("nobody else is in line")
	return ""
}

func TestErrorsShowNoCredential(t *testing.T) {
	t.Parallel()
	p := newProxy(t, servers.Reserve(t))
	p.intercept(func(w http.ResponseWriter, r *http.Request, _ string) bool {
		w.WriteHeader(http.StatusForbidden)
		_, password, _ := r.BasicAuth()
		fmt.Fprintf(w, "token %s, password %s", r.Header.Get("X-Consul-Token"), password)
		return true
	})
	l, diags := consul.New(consul.Connection{Address: p.address, Token: "t0ken", User: "joe", Password: "hunter2"}, nil, nil)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	_, err := l.Acquire(t.Context(), request("web-01"))
	if err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Fatalf("got %v, want permission denied", err)
	}
	for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err), l.String(), fmt.Sprintf("%+v", l)} {
		if strings.Contains(text, "t0ken") || strings.Contains(text, "hunter2") {
			t.Errorf("it shows a credential: %s", text)
		}
	}
}

// Whatever is said of a transaction that is refused.
func TestRefusedTransactionShowsNoCredential(t *testing.T) {
	t.Parallel()
	for _, answer := range []struct {
		code int
		body string
	}{
		{http.StatusConflict, `{"Errors": [{"OpIndex": 0, "What": "Permission denied: token t0ken of hunter2 lacks key:write"}]}`},
		{http.StatusForbidden, "token t0ken of hunter2 is expired"},
		{http.StatusBadRequest, "what do t0ken and hunter2 want?"},
	} {
		p := newProxy(t, servers.Get(t).Consul.Address)
		p.intercept(func(w http.ResponseWriter, r *http.Request, kind string) bool {
			r.Header.Del("X-Consul-Token")
			if kind != "txn" {
				return false
			}
			w.WriteHeader(answer.code)
			fmt.Fprint(w, answer.body)
			return true
		})
		l, diags := consul.New(consul.Connection{Address: p.address, Token: "t0ken", User: "joe", Password: "hunter2"}, nil, nil)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		_, err := l.Acquire(t.Context(), request("web-01"))
		if err == nil || !strings.Contains(err.Error(), "(redacted)") || strings.Contains(err.Error(), "t0ken") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%d: got %v, want what Consul says, without a credential", answer.code, err)
		}
	}
}

func TestTTLBelowWhatConsulAllows(t *testing.T) {
	t.Parallel()
	address := servers.Get(t).Consul.Address
	p := newProxy(t, address)
	p.intercept(func(w http.ResponseWriter, _ *http.Request, kind string) bool {
		if kind != "session/create" {
			return false
		}
		// What Consul says with the session_ttl_min that it has by default; the test's own is 1s.
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, "Invalid Session TTL '1000000000', must be between [10s=24h0m0s]")
		return true
	})
	_, err := newLocker(t, p.address, block("slots", "1s")).Acquire(t.Context(), request("web-01"))
	if err == nil || !strings.Contains(err.Error(), "session_ttl_min") || !strings.Contains(err.Error(), "10s=24h") {
		t.Errorf("got %v, want what to change, and the range that Consul gave", err)
	}
}
