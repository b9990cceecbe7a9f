package e2e

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dropship/dropship/test/servers"
)

// Ten agents, three updates each, through one real Consul: the spans from the first before hook to the
// last after hook are written by the hooks themselves.
func TestTenAgentsTakeTurns(t *testing.T) {
	t.Parallel()
	for _, slots := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d at once", slots), func(t *testing.T) {
			t.Parallel()
			const agents, updates = 10, 3
			set := servers.Get(t)
			b := newBucket(t)
			spans := filepath.Join(t.TempDir(), "spans")
			name := fmt.Sprintf("turns-%d", time.Now().UnixNano())
			config := "stateDir = \"state\"\nsocket = \"dropship.sock\"\n" + b.repo(b.server.Endpoint) +
				fmt.Sprintf("lock \"consul\" {\n  address = %q\n  ttl = \"15s\"\n  prefix = \"e2e\"\n}\n", set.Consul.Address) +
				fmt.Sprintf(`service %q {
  sequentialUpdates = true
  checkInterval     = "1s"
  updateSlots       = %d
  before "script" { command = "echo $(date +%%s%%N) 1 >>%s" }
  artifact "s3" {
    bucket      = %q
    path        = "web.tar.gz"
    destination = "web"
  }
  after "script" { command = "sleep 0.05" }
  after "script" { command = "echo $(date +%%s%%N) -1 >>%s" }
}
`, name, slots, spans, b.name, spans)
			var fleet []*daemon
			for v := 1; v <= updates; v++ {
				b.put("web.tar.gz", version(t, fmt.Sprint(v)))
				for i := range agents {
					if v == 1 {
						fleet = append(fleet, newDaemon(t, map[string]string{"dropship.hcl": config}))
						fleet[i].start()
					}
				}
				for _, d := range fleet {
					d.waitLog("msg=updated", v)
					if got := strings.TrimSpace(d.read("web/VERSION")); got != fmt.Sprint(v) {
						t.Errorf("got version %q, want %d", got, v)
					}
				}
			}
			for _, d := range fleet {
				d.stop(os.Interrupt)
			}
			most, total := together(t, spans)
			if total != agents*updates {
				t.Errorf("got %d spans, want %d", total, agents*updates)
			}
			if most > slots {
				t.Errorf("%d machines were updating at once, want at most %d", most, slots)
			}
			if slots > 1 && most < 2 {
				t.Errorf("never more than %d at once although %d slots are free: the slots are not used", most, slots)
			}
			t.Logf("%d spans, at most %d at once", total, most)
		})
	}
}

// together returns how many spans in the file were open at once at most, and how many there are.
func together(t *testing.T, path string) (most, total int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	type edge struct {
		at   int64
		step int
	}
	var edges []edge
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var e edge
		if _, err := fmt.Sscan(lines.Text(), &e.at, &e.step); err != nil {
			t.Fatalf("line %q: %v", lines.Text(), err)
		}
		edges = append(edges, e)
	}
	slices.SortFunc(edges, func(a, b edge) int { return int(a.at - b.at) })
	open := 0
	for _, e := range edges {
		open += e.step
		most = max(most, open)
		if e.step < 0 {
			total++
		}
	}
	if open != 0 {
		t.Errorf("%d spans never ended", open)
	}
	return most, total
}
