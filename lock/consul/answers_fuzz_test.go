package consul_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dropship/dropship/lock"
)

// FuzzAnswers wants that whatever a server answers to the question what is quarantined, that is an error without a
// credential, or entries of the service that was asked for, each of which is whole.
func FuzzAnswers(f *testing.F) {
	const entry = `[{"Key": "p/.quarantine/web/web/0123", "ModifyIndex": 7, "CreateIndex": 7, "Value": "eyJoYXNoIjoiMDEyMyIsInNlcnZpY2UiOiJ3ZWIiLCJ1cGRhdGVfaWQiOiJ1In0="}]`
	for _, body := range []string{entry, "[]", "null", "{", "", "[null]", `[{"Key": 7}]`, strings.Replace(entry, "eyJ", "!", 1), strings.Replace(entry, "0123", "89ab", 1), "\xff", "<html>"} {
		for _, status := range []uint16{0, 204, 301, 307, 403, 404, 429, 500, 503} {
			f.Add(status, body, "7", "true")
		}
	}
	f.Add(uint16(200), entry, "-1", "maybe")
	f.Add(uint16(403), "token hunter2hunter2 denied", "0", "")
	type reply struct {
		status                int
		body, index, isLeader string
	}
	var next reply
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Consul-Index", next.index)
		w.Header().Set("X-Consul-Knownleader", next.isLeader)
		w.Header().Set("Location", r.URL.String())
		w.WriteHeader(next.status)
		_, _ = io.WriteString(w, next.body)
	}))
	f.Cleanup(server.Close)
	board, ok := newLocker(f, strings.TrimPrefix(server.URL, "http://"), "prefix = \"p\"\ntoken = \"hunter2hunter2\"").(lock.Board)
	if !ok {
		f.Fatal("the locker has no board")
	}
	f.Fuzz(func(t *testing.T, status uint16, body, index, leader string) {
		next = reply{200 + int(status)%400, body, index, leader}
		entries, err := board.Quarantined(t.Context(), "web", "web", true)
		if err != nil {
			if len(entries) > 0 || strings.Contains(err.Error(), "hunter2hunter2") {
				t.Errorf("%+v: got %v and the error %v", next, entries, err)
			}
			return
		}
		for _, e := range entries {
			if e.Hash == "" || e.UpdateID == "" {
				t.Errorf("%+v: got %+v", next, e)
			}
		}
	})
}
