package main

import (
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/dropship/dropship/test/servers"
	"github.com/dropship/dropship/test/torture/trap"
)

// An error while a good update is tidied up costs nothing but a leftover, and that only until the agent's next check.
func TestAgentTidiesUpAtItsNextCheck(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		variant Variant
		step    string
		errors  int32 // so many calls of these fail
		call    func(*Machine, trap.Call) bool
	}{
		// The first error is that of the switch, the second that of the attempt to tidy up with the old releases.
		{"an intent", Variant{Repo: "file", Renames: true, Agent: true}, "switch", 2, func(m *Machine, c trap.Call) bool {
			seen, err := m.Seen()
			return c.Name == "fsync" && strings.HasPrefix(c.Path(), m.path("srv")) && err == nil && seen == New
		}},
		{"a failed release", Variant{Repo: "file", Agent: true}, "rollback", 1, func(_ *Machine, c trap.Call) bool {
			return c.Name == "unlinkat" && strings.Contains(c.Path(), "/trash-") && !strings.HasSuffix(c.Path(), "/trash-probe")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := &Round{Step: tt.step, Dir: t.TempDir(), Servers: servers.Get(t), Binary: binary, Rand: rand.New(rand.NewPCG(1, 1))}
			m, err := disturbed(t.Context(), r, tt.variant)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := m.Close(); err != nil {
					t.Error(err)
				}
			})
			var failed atomic.Int32
			p, err := m.Start(t.Context(), "agent", func(_ string, c trap.Call) trap.Verdict {
				if failed.Load() == tt.errors || !tt.call(m, c) {
					return trap.Verdict{}
				}
				failed.Add(1)
				return trap.Verdict{Errno: syscall.EIO}
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Settle(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			if err := p.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := failed.Load(); got != tt.errors {
				t.Fatalf("%d calls have failed, want %d:\n%s", got, tt.errors, p.Log())
			}
			if err := m.Check(t.Context()); err != nil {
				t.Errorf("%v\n%s", err, p.Log())
			}
		})
	}
}
