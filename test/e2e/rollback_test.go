package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dropship/dropship/test/servers"
)

// The application answers with the old version again, the bad hash is left alone, and a new one is welcome.
func TestBrokenVersionIsRolledBack(t *testing.T) {
	t.Parallel()
	b := newBucket(t)
	address := servers.Reserve(t)
	binary, err := os.ReadFile(app)
	if err != nil {
		t.Fatal(err)
	}
	put := func(v, broken string) string {
		files := map[string]string{"VERSION": v, "app": string(binary)}
		if broken != "" {
			files["BROKEN"] = broken
		}
		return b.put("web.tar.gz", release(t, files))
	}
	put("1", "")
	d := newDaemon(t, map[string]string{"dropship.hcl": "stateDir = \"state\"\nsocket = \"dropship.sock\"\n" + b.repo(b.server.Endpoint) + fmt.Sprintf(`service "web" {
  checkInterval = "200ms"
  before "script" { command = "[ ! -e ../pid ] || kill $(cat ../pid)" }
  artifact "s3" {
    bucket      = %q
    path        = "web.tar.gz"
    destination = "web"
  }
  after "script" { command = "setsid ./app %s >>../app.log 2>&1 & echo $! >../pid" }
  after "http-check" {
    url      = "http://%s/"
    interval = "100ms"
    deadline = "10s"
  }
}
`, b.name, address, address)})
	t.Cleanup(func() { killPid(t, d) })
	get := func() string { return ask("http://" + address + "/").text }
	d.start()
	d.waitLog("msg=updated", 1)
	stop := watch(t, "http://"+address+"/")
	put("2", "")
	d.waitLog("msg=updated", 2)
	if got := get(); got != "version 2" {
		t.Fatalf("got %q, want version 2", got)
	}

	bad := put("3", "cannot reach the database")
	d.waitLog("update rolled back", 1)
	if got := get(); got != "version 2" {
		t.Errorf("after the rollback: got %q, want version 2", got)
	}
	if log := d.log.String(); !strings.Contains(log, "cannot reach the database") || !strings.Contains(log, "503") {
		t.Errorf("the last answer of the check is not in the log:\n%s", log)
	}
	d.waitLog("waiting for another one", 1)
	d.waitLog("the repository holds a hash that failed here\"", 5)
	if got := strings.Count(d.log.String(), "msg=staging"); got != 3 {
		t.Errorf("%s was fetched again: %d downloads, want 3", bad, got)
	}
	if out, _, code := d.run("plan"); code != 0 || !strings.Contains(out, "quarantined") || !strings.Contains(out, "cannot reach the database") {
		t.Errorf("plan: exit %d\n%s", code, out)
	}

	put("4", "")
	d.waitLog("msg=updated", 3)
	if got := get(); got != "version 4" {
		t.Errorf("got %q, want version 4", got)
	}
	wantWhole(t, stop())
}

// An answer is what the application said at that time, or that nobody listened.
type answer struct {
	at   time.Time
	text string
}

// down is the text of an answer that did not come, as while a hook restarts the application.
const down = "down"

func ask(url string) answer {
	at := time.Now()
	resp, err := http.Get(url)
	if err != nil {
		return answer{at, down}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{at, down}
	}
	return answer{at, strings.TrimSpace(string(body))}
}

// watch asks the application until the function that it returns is called, which gives every answer.
func watch(t *testing.T, url string) (stop func() []answer) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan []answer, 1)
	go func() {
		var all []answer
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				all = append(all, ask(url))
			case <-ctx.Done():
				done <- all
				return
			}
		}
	}()
	return func() []answer {
		cancel()
		return <-done
	}
}

// wantWhole fails unless the answers came in the order of the updates: each from a whole release, with nothing but
// restarts between them, and the broken one's for no longer than its check takes to give up.
func wantWhole(t *testing.T, answers []answer) {
	t.Helper()
	const longest = 40 * time.Second // the check's deadline is 10s; the rest is for a busy machine
	const broken = "cannot reach the database"
	var order []string
	var since time.Time
	for _, a := range answers {
		if len(order) == 0 || a.text != order[len(order)-1] {
			order, since = append(order, a.text), a.at
		}
		if took := a.at.Sub(since); (a.text == broken || a.text == down) && took > longest {
			t.Errorf("the application answered %q for %s", a.text, took)
			return
		}
	}
	// Restarts that were too quick to be seen left no answer.
	order = slices.Compact(slices.DeleteFunc(order, func(text string) bool { return text == down }))
	if want := []string{"version 1", "version 2", broken, "version 2", "version 4"}; !slices.Equal(order, want) {
		t.Errorf("the application answered in turn %q, want %q", order, want)
	}
}
