package swift_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dropship/dropship/artifact"
)

// FuzzLogin wants that whatever Keystone says, a login is an error that names the object and has no credential in
// it, or leads to the storage that the catalog names; and that no answer to a login means that the object is absent.
func FuzzLogin(f *testing.F) {
	const catalog = `{"token": {"expires_at": "2036-01-01T00:00:00.000000Z", "catalog": [{"type": "object-store", "endpoints": [{"interface": "public", "region": "r", "url": "HOST/v1/AUTH_x"}]}]}}`
	for _, body := range []string{
		catalog, "", "{", "null", "[]", `{"token": null}`, `{"token": {"catalog": [null, {"type": "object-store"}]}}`,
		strings.Replace(catalog, "HOST", "ftp://x", 1), strings.Replace(catalog, `"HOST/v1/AUTH_x"`, "7", 1), strings.Replace(catalog, "2036-01-01", "1970-13-99", 1),
		strings.Replace(catalog, "HOST/v1/AUTH_x", "%zz://", 1), `{"error": {"code": 401, "message": "no"}}`, "\xff\x00",
	} {
		for _, status := range []uint16{200, 201, 204, 300, 401, 404, 500} {
			f.Add(status, "token", body)
		}
	}
	f.Add(uint16(201), "", catalog)
	type reply struct {
		status      int
		token, body string
	}
	var next reply
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/v3") {
			w.WriteHeader(http.StatusServiceUnavailable) // the storage is not what is tested
			return
		}
		w.Header().Set("X-Subject-Token", next.token)
		w.WriteHeader(next.status)
		_, _ = io.WriteString(w, strings.ReplaceAll(next.body, "HOST", "http://"+r.Host))
	}))
	// Every login is of a client of its own. Its connections are reset when they are done with: thousands of logins in
	// a second would else use up all file descriptors, or all ports.
	server.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		if tcp, ok := conn.(*net.TCPConn); ok && state == http.StateIdle {
			_ = tcp.SetLinger(0)
		}
	}
	server.Start()
	f.Cleanup(server.Close)
	f.Fuzz(func(t *testing.T, status uint16, token, body string) {
		defer server.CloseClientConnections()
		if strings.Contains(strings.ReplaceAll(body, "HOST", ""), "//") {
			t.Skip("it names another server")
		}
		next = reply{200 + int(status)%400, token, body}
		src := sourceOf(t, newRepository(t, fmt.Sprintf("user = \"u\"\nkey = \"hunter2hunter2\"\nauthUrl = %q\n", server.URL+"/v3")), "bucket", "a.tar.gz")
		info, err := src.Stat(t.Context())
		switch {
		case err == nil:
			t.Errorf("%+v: got %+v from a storage that answers nothing", next, info)
		case errors.Is(err, artifact.ErrNotExist):
			t.Errorf("%+v: absent, says %v", next, err)
		case !strings.Contains(err.Error(), src.String()):
			t.Errorf("%+v: got %v, which does not name the object", next, err)
		case strings.Contains(err.Error(), "hunter2hunter2") && !strings.Contains(body+token, "hunter2hunter2"):
			t.Errorf("%+v: got %v, with the key in it", next, err)
		}
	})
}
