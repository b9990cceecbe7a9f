package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// told is what people hear of one update, by a webhook or by Grafana.
type told struct {
	Path    string
	At      time.Time // when it came
	Header  http.Header
	Body    []byte
	Status  string `json:"status"`
	Hash    string `json:"hash"`
	Error   string `json:"error"`
	Started string `json:"started"`
	Time    int64  `json:"time"`
	TimeEnd int64  `json:"timeEnd"`
}

// A running agent tells of a good update and of one that it rolls back: by signed webhooks, and in Grafana by regions that
// begin with the update, before its slow hook, and end when all is done.
func TestUpdatesAreAnnounced(t *testing.T) {
	t.Parallel()
	const secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	came := make(chan told, 10)
	var once sync.Once
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse := false
		once.Do(func() { refuse = true }) // the first one has to come again
		if refuse {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		got := told{Path: r.URL.Path, At: time.Now(), Header: r.Header}
		got.Body, _ = io.ReadAll(r.Body)
		if err := json.Unmarshal(got.Body, &got); err != nil {
			t.Errorf("%s got %q: %v", r.URL.Path, got.Body, err)
		}
		came <- got
		_, _ = io.WriteString(w, `{"message":"Annotation added","id":1}`)
	}))
	t.Cleanup(receiver.Close)
	b := newBucket(t)
	d := newDaemon(t, map[string]string{"dropship.hcl": "stateDir = \"state\"\nsocket = \"dropship.sock\"\n" + b.repo(b.server.Endpoint) + fmt.Sprintf(`
service "shop" {
  checkInterval = "200ms"
  before "script" { command = "sleep 1.2" }
  artifact "s3" {
    bucket      = %q
    path        = "shop.tar.gz"
    destination = "site"
  }
  after "script" { command = "! grep -q bad VERSION" }
  after "webhook" {
    when   = "always"
    url    = "%[2]s/services/planted-path"
    secret = %[3]q
  }
  after "grafana-annotation" {
    when = "always"
    url  = "%[2]s/grafana"
  }
}
`, b.name, receiver.URL, secret)})
	begin := time.Now()
	good := b.put("shop.tar.gz", version(t, "1"))
	d.start()
	d.waitLog("msg=updated", 1)
	b.put("shop.tar.gz", version(t, "bad"))
	d.waitLog(`msg="update rolled back"`, 1)

	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, status := range []string{"update", "rollback"} {
		hook, region := <-came, <-came
		if hook.Path != "/services/planted-path" || hook.Status != status || hook.Hash != good || (hook.Error == "") != (status == "update") {
			t.Errorf("got %s %s, want status %s of %s", hook.Path, hook.Body, status, good)
		}
		if err := verifier.Verify(hook.Body, hook.Header); err != nil {
			t.Errorf("%s: %v", status, err)
		}
		if region.Path != "/grafana/api/annotations" {
			t.Fatalf("got %s, want an annotation", region.Path)
		}
		// The slow hook is in the region, and so in what scripts and templates are told of its beginning.
		from, to := time.UnixMilli(region.Time), time.UnixMilli(region.TimeEnd)
		if from.Before(begin.Truncate(time.Millisecond)) || to.After(region.At) || to.Sub(from) < 1200*time.Millisecond {
			t.Errorf("%s: got a region from %s to %s, want it from the update's beginning to %s", status, from, to, region.At)
		}
		if want := from.UTC().Format(time.RFC3339); hook.Started != want {
			t.Errorf("%s: got started %s, want %s", status, hook.Started, want)
		}
	}
	if len(came) != 0 {
		t.Errorf("got %d more messages", len(came))
	}
	if n := strings.Count(d.log.String(), "planted-path"); n != 0 {
		t.Errorf("the log has the address %d times", n)
	}
}
