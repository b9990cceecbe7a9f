package swift_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/swift"
)

const (
	keystoneUser = "deploy"
	keystoneKey  = "0123456789abcdef0123456789abcdef"
)

// A keystone is an identity server in this process that speaks the token APIs v2.0 and v3 of Keystone,
// since the Swift of the tests has tempauth (v1) alone. The storage stays the real one: what comes to
// /storage with a token that is valid here goes on to Swift with a real one of tempauth's.
type keystone struct {
	url string

	mu     sync.Mutex
	life   time.Duration // of a token, as told to the client
	token  string        // the only valid one
	logins []map[string]any
}

func startKeystone(t *testing.T, c *cloud) *keystone {
	t.Helper()
	if err := c.conn.Authenticate(t.Context()); err != nil {
		t.Fatal(err)
	}
	storage, err := url.Parse(c.conn.StorageUrl)
	if err != nil {
		t.Fatal(err)
	}
	k := &keystone{life: time.Hour}
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Path = strings.TrimPrefix(r.In.URL.Path, "/storage")
		r.Out.URL.RawPath = strings.TrimPrefix(r.In.URL.EscapedPath(), "/storage")
		r.SetURL(storage)
		r.Out.Header.Set("X-Auth-Token", c.conn.AuthToken)
	}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v2.0/tokens", k.v2)
	mux.HandleFunc("POST /v3/auth/tokens", k.v3)
	mux.HandleFunc("/storage/", func(w http.ResponseWriter, r *http.Request) {
		if !k.valid(r.Header.Get("X-Auth-Token")) {
			http.Error(w, "no such token", http.StatusUnauthorized)
			return
		}
		forward.ServeHTTP(w, r)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	k.url = s.URL
	return k
}

func (k *keystone) valid(token string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.token != "" && token == k.token
}

// expire makes the token invalid, without the client's being told.
func (k *keystone) expire() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.token = ""
}

func (k *keystone) loginCount() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.logins)
}

// issue notes the login and returns its token, and when that ends.
func (k *keystone) issue(login map[string]any) (token, expires string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.logins = append(k.logins, login)
	k.token = fmt.Sprintf("token-%d", len(k.logins))
	return k.token, time.Now().Add(k.life).UTC().Format(time.RFC3339)
}

// dig returns what is at the path in decoded JSON, or nil.
func dig(v any, path ...string) any {
	for _, key := range path {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return v
}

func readLogin(w http.ResponseWriter, r *http.Request) map[string]any {
	var login map[string]any
	if err := json.NewDecoder(r.Body).Decode(&login); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
	return login
}

func (k *keystone) v2(w http.ResponseWriter, r *http.Request) {
	login := readLogin(w, r)
	password := dig(login, "auth", "passwordCredentials")
	apiKey := dig(login, "auth", "RAX-KSKEY:apiKeyCredentials")
	byPassword := dig(password, "username") == keystoneUser && dig(password, "password") == keystoneKey
	byAPIKey := dig(apiKey, "username") == keystoneUser && dig(apiKey, "apiKey") == keystoneKey
	if !byPassword && !byAPIKey {
		http.Error(w, "wrong credentials "+fmt.Sprint(login), http.StatusUnauthorized)
		return
	}
	token, expires := k.issue(login)
	_ = json.NewEncoder(w).Encode(map[string]any{"access": map[string]any{
		"token": map[string]any{"id": token, "expires": expires},
		"serviceCatalog": []any{
			map[string]any{"type": "compute", "endpoints": []any{map[string]any{"region": "LON", "publicURL": k.url + "/compute"}}},
			map[string]any{"type": "object-store", "endpoints": []any{
				map[string]any{"region": "ORD", "publicURL": k.url + "/elsewhere"},
				map[string]any{"region": "LON", "publicURL": k.url + "/storage"},
			}},
		},
	}})
}

func (k *keystone) v3(w http.ResponseWriter, r *http.Request) {
	login := readLogin(w, r)
	user := dig(login, "auth", "identity", "password", "user")
	if dig(user, "name") != keystoneUser || dig(user, "password") != keystoneKey || dig(user, "domain", "name") == nil {
		http.Error(w, "wrong credentials "+fmt.Sprint(login), http.StatusUnauthorized)
		return
	}
	token, expires := k.issue(login)
	w.Header().Set("X-Subject-Token", token)
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(map[string]any{"token": map[string]any{
		"expires_at": expires,
		"catalog": []any{map[string]any{"type": "object-store", "endpoints": []any{
			map[string]any{"region": "LON", "interface": "internal", "url": k.url + "/elsewhere"},
			map[string]any{"region": "ORD", "interface": "public", "url": k.url + "/elsewhere"},
			map[string]any{"region": "LON", "interface": "public", "url": k.url + "/storage"},
		}}},
	}})
}

func (k *keystone) repo(path, more string) string {
	return fmt.Sprintf("user = %q\nkey = %q\nauthUrl = %q\n%s\n", keystoneUser, keystoneKey, k.url+path, more)
}

func TestKeystone(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	const path = "my artifact+1.tar.gz"
	c.put(t, c.bucket, path, []byte("content"), nil)
	for _, tt := range []struct {
		name, path, more string
		want             map[string]any // in the login, by path
	}{
		{"v2 by name", "/v2.0", `region = "LON"` + "\n" + `tenant = "web"`, map[string]any{"auth/tenantName": "web"}},
		{"v2 by id", "/v2.0/", `region = "LON"` + "\n" + `tenantId = "4711"`, map[string]any{"auth/tenantId": "4711"}},
		{"v3", "/v3", `region = "LON"` + "\n" + `tenant = "web"`, map[string]any{
			"auth/identity/password/user/domain/name": "Default", "auth/scope/project/name": "web", "auth/scope/project/domain/name": "Default",
		}},
		{"v3 with a domain", "/v3", `region = "LON"` + "\n" + `tenant = "web"` + "\n" + `domain = "corp"`, map[string]any{
			"auth/identity/password/user/domain/name": "corp", "auth/scope/project/domain/name": "corp",
		}},
		{"v3 by id", "/v3", `region = "LON"` + "\n" + `tenantId = "4711"`, map[string]any{"auth/scope/project/id": "4711"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := startKeystone(t, c)
			src := sourceOf(t, newRepository(t, k.repo(tt.path, tt.more)), c.bucket, path)
			got, _, err := download(t.Context(), src, stat(t, src))
			if err != nil || string(got) != "content" {
				t.Fatalf("got %q and error %v, want the content", got, err)
			}
			if n := k.loginCount(); n != 1 {
				t.Errorf("got %d logins, want 1", n)
			}
			for at, want := range tt.want {
				if got := dig(k.logins[0], strings.Split(at, "/")...); got != want {
					t.Errorf("the login has %v at %s, want %v", got, at, want)
				}
			}
		})
	}
}

// Rackspace takes an API key in a form of its own.
func TestRackspace(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.put(t, c.bucket, "a", []byte("content"), nil)
	k := startKeystone(t, c)
	r, diags := swift.NewRackspace(body(t, k.repo("/v2.0", `region = "LON"`)), nil)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	src := sourceOf(t, r, c.bucket, "a")
	stat(t, src)
	if got := dig(k.logins[0], "auth", "RAX-KSKEY:apiKeyCredentials", "apiKey"); got != keystoneKey {
		t.Errorf("the login %v has no API key", k.logins[0])
	}
}

func TestKeystoneRefuses(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	k := startKeystone(t, c)
	for name, tt := range map[string]struct{ repo, want string }{
		"v2 wrong key":     {strings.Replace(k.repo("/v2.0", ""), "0123", "3210", 1), "check user, key"},
		"v3 wrong key":     {strings.Replace(k.repo("/v3", ""), "0123", "3210", 1), "check user, key"},
		"v2 no such place": {k.repo("/v2.0", `region = "MARS"`), `region "MARS"`},
		"v3 no such place": {k.repo("/v3", `region = "MARS"`), `region "MARS"`},
	} {
		src := sourceOf(t, newRepository(t, tt.repo), c.bucket, "a")
		_, err := src.Stat(t.Context())
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), src.String()) {
			t.Errorf("%s: got error %v, want one with %q", name, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), keystoneKey[4:]) { // the server repeats it in its answer
			t.Errorf("%s: the error %q shows the key", name, err)
		}
	}
}

// A token ends in the middle of the work of many sources: they renew it once, not each for itself.
func TestTokenExpires(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.put(t, c.bucket, "a", []byte("content"), nil)
	k := startKeystone(t, c)
	r := newRepository(t, k.repo("/v3", `region = "LON"`))
	sources := make([]artifact.Source, 8)
	for i := range sources {
		sources[i] = sourceOf(t, r, c.bucket, "a")
	}
	for round := 1; round <= 3; round++ {
		var wg sync.WaitGroup
		for _, src := range sources {
			wg.Go(func() {
				info, err := src.Stat(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				if got, _, err := download(t.Context(), src, info); err != nil || string(got) != "content" {
					t.Errorf("got %q and error %v, want the content", got, err)
				}
			})
		}
		wg.Wait()
		if n := k.loginCount(); n != round {
			t.Errorf("got %d logins after the token expired %d times, want %d", n, round-1, round)
		}
		k.expire()
	}
}

// A clock that is far off makes every token look used up. The error must say so.
func TestTokenEndsSoon(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	k := startKeystone(t, c)
	k.life = -time.Hour
	src := sourceOf(t, newRepository(t, k.repo("/v2.0", `region = "LON"`)), c.bucket, "a")
	if _, err := src.Stat(t.Context()); err == nil || !strings.Contains(err.Error(), "check the clock") {
		t.Errorf("got error %v, want one about the clock", err)
	}
}
