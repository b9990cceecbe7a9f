package e2e

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ncw/swift/v2"

	"github.com/dropship/dropship/test/faultproxy"
	"github.com/dropship/dropship/test/servers"
)

// An agent with a service for each kind of repository, all behind networks that break in every way, one after
// another, survives them all, and each time installs what was published once the network is back. A service of a
// repository that is in order is updated meanwhile.
func TestAgentSurvivesBrokenNetworks(t *testing.T) {
	t.Parallel()
	b := newBucket(t)
	set := servers.Get(t)
	container := "e2e-" + b.name
	conn := &swift.Connection{UserName: set.Swift.User, ApiKey: set.Swift.Key, AuthUrl: set.Swift.AuthURL, AuthVersion: 1}
	if err := conn.ContainerCreate(t.Context(), container, nil); err != nil {
		t.Fatal(err)
	}
	login, err := url.Parse(set.Swift.AuthURL)
	if err != nil {
		t.Fatal(err)
	}
	web, local := t.TempDir(), t.TempDir()
	proxies := map[string]*faultproxy.Proxy{
		"s3":    faultproxy.Start(t, b.server.Endpoint),
		"swift": faultproxy.Start(t, "http://"+login.Host),
		"http":  faultproxy.Start(t, webServer(t, web)),
	}
	publishAll := func(data []byte) {
		b.put("web.tar.gz", data)
		if _, err := conn.ObjectPut(t.Context(), container, "web.tar.gz", bytes.NewReader(data), true, "", "", nil); err != nil {
			t.Fatal(err)
		}
		publish(t, web, data)
	}

	config := fmt.Sprintf("stateDir = \"state\"\nsocket = \"dropship.sock\"\n%srepo \"swift\" {\n  user = %q\n  key = %q\n  authUrl = %q\n}\n",
		b.repo(proxies["s3"].URL), set.Swift.User, set.Swift.Key, proxies["swift"].URL+login.Path) +
		fmt.Sprintf("repo \"http\" { url = %q }\nrepo \"file\" { root = %q }\n", proxies["http"].URL, local)
	for kind, where := range map[string]string{
		"s3": fmt.Sprintf("bucket = %q", b.name), "swift": fmt.Sprintf("bucket = %q", container), "http": "", "file": "",
	} {
		config += fmt.Sprintf(`service %[1]q {
  checkInterval = "100ms"
  artifact %[1]q {
    %[2]s
    path        = "web.tar.gz"
    destination = %[3]q
  }
}
`, kind, where, "on-"+kind)
	}
	publishAll(version(t, "0"))
	publish(t, local, version(t, "0"))
	d := newDaemon(t, map[string]string{"dropship.hcl": config})
	d.start()
	for _, kind := range []string{"s3", "swift", "http", "file"} {
		d.waitFile("on-"+kind+"/VERSION", "0")
	}

	isDownload := func(r *http.Request) bool {
		return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, ".tar.gz")
	}
	answers := func(f faultproxy.Fault, only func(*http.Request) bool) func(*faultproxy.Proxy) {
		return func(p *faultproxy.Proxy) { p.Break(-1, f, only) }
	}
	for i, fault := range []struct {
		name   string
		breaks func(*faultproxy.Proxy)
	}{
		{"down", (*faultproxy.Proxy).Down},
		{"mute", (*faultproxy.Proxy).Mute},
		{"cut", answers(faultproxy.Cut(100), isDownload)},
		{"stall", answers(faultproxy.Stall(100), isDownload)},
		{"trickle", answers(faultproxy.Trickle(1, time.Second), isDownload)},
		{"wrong bytes", answers(faultproxy.Flip(100), isDownload)},
		{"truncated", answers(faultproxy.Short(100), isDownload)},
		{"500", answers(faultproxy.Status(http.StatusInternalServerError), faultproxy.All)},
		{"503", answers(faultproxy.Status(http.StatusServiceUnavailable, "Retry-After", "1"), faultproxy.All)},
		{"no HTTP", answers(faultproxy.Raw("220 mail.example.com ESMTP\r\n\r\n"), faultproxy.All)},
		{"silence", answers(faultproxy.Silence(), faultproxy.All)},
	} {
		before, now := fmt.Sprint(i), fmt.Sprint(i+1)
		for _, p := range proxies {
			p.Forget()
			fault.breaks(p)
		}
		refused := make(map[string]int)
		for kind, p := range proxies {
			refused[kind] = p.Refused()
		}
		publishAll(version(t, now))
		for kind, p := range proxies {
			waitFor(t, limit, kind+" to meet the fault "+fault.name, func() bool {
				return p.Refused() > refused[kind] || len(p.Requests()) > 0
			})
		}
		// One dead repository, or three, are nothing to the service of another.
		publish(t, local, version(t, now))
		d.waitFile("on-file/VERSION", now)
		for kind, p := range proxies {
			if got := strings.TrimSpace(d.read("on-" + kind + "/VERSION")); got != before {
				t.Errorf("%s: %s has version %q, want %q", fault.name, kind, got, before)
			}
			p.Heal()
			p.Down() // what hangs ends when a network comes back
			p.Up()
		}
		for kind := range proxies {
			d.waitFile("on-"+kind+"/VERSION", now)
		}
	}
	for _, secret := range []string{b.server.Secret, "\"" + set.Swift.Key + "\"", "AUTH_tk", "Signature="} {
		if strings.Contains(d.log.String(), secret) {
			t.Errorf("the log shows %q", secret)
		}
	}
	if code := d.stop(os.Interrupt); code != 0 {
		t.Errorf("exit code: got %d, want 0", code)
	}
}

// webServer serves the files below a directory, with an ETag of their bytes, and returns its URL.
func webServer(t *testing.T, dir string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := os.ReadFile(filepath.Join(dir, filepath.Base(r.URL.Path)))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("ETag", `"`+md5Hex(data)+`"`)
		sum := md5.Sum(data)
		w.Header().Set("Content-MD5", base64.StdEncoding.EncodeToString(sum[:]))
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}))
	t.Cleanup(s.Close)
	return s.URL
}
