package servers_test

import (
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/dropship/dropship/test/servers"
)

// recorder is a test whose end is looked at rather than had.
type recorder struct {
	testing.TB
	outcome, message string
}

func (r *recorder) Helper()           {}
func (r *recorder) Fatal(args ...any) { r.end("failed", args...) }
func (r *recorder) Skip(args ...any)  { r.end("skipped", args...) }

func (r *recorder) end(outcome string, args ...any) {
	r.outcome = outcome
	if err, ok := args[0].(error); ok {
		r.message = err.Error()
	}
	runtime.Goexit()
}

func TestGetWithoutServers(t *testing.T) {
	for _, test := range []struct {
		name, ci, require string
		want              string
	}{
		{name: "on a laptop", want: "skipped"},
		{name: "in CI", ci: "true", want: "failed"},
		{name: "servers required", require: "1", want: "failed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("CI", test.ci)
			t.Setenv("DROPSHIP_REQUIRE_SERVERS", test.require)
			t.Setenv(servers.StateEnv, filepath.Join(t.TempDir(), "servers.json"))
			rec := &recorder{TB: t}
			done := make(chan struct{})
			go func() {
				defer close(done)
				servers.Get(rec)
			}()
			<-done
			if got, want := rec.outcome, test.want; got != want {
				t.Errorf("Get without servers: test %q, want %q", got, want)
			}
			if got, want := rec.message, "make test-servers"; !strings.Contains(got, want) {
				t.Errorf("Get without servers says %q, want it to name %q", got, want)
			}
		})
	}
}
