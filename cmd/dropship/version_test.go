package main

import (
	"runtime/debug"
	"testing"
)

// A build that was not told its version says what the go command recorded.
func TestVersionOfABuild(t *testing.T) {
	t.Parallel()
	const head = "path\tgithub.com/dropship/dropship/cmd/dropship\nmod\tgithub.com/dropship/dropship\t"
	const checkout = head + "v0.0.0-20260314025958-0123456789ab+dirty\nbuild\tvcs=git\nbuild\tvcs.revision=0123456789abcdef0123456789abcdef01234567\nbuild\tvcs.modified=true\n"
	for _, tt := range []struct{ name, recorded, version, commit, wantVersion, wantCommit string }{
		{"told", checkout, "1.2.3", "fedcba", "1.2.3", "fedcba"},
		{"checkout", checkout, notTold, notTold, "0.0.0-20260314025958-0123456789ab+dirty", "0123456789ab-dirty"},
		{"version told", checkout, "1.2.3", notTold, "1.2.3", "0123456789ab-dirty"},
		{"module", head + "v1.2.3\th1:abc=\n", notTold, notTold, "1.2.3", notTold},
		{"nothing recorded", head + "(devel)\n", notTold, notTold, notTold, notTold},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			info, err := debug.ParseBuildInfo(tt.recorded)
			if err != nil {
				t.Fatal(err)
			}
			if version, commit := built(info, tt.version, tt.commit); version != tt.wantVersion || commit != tt.wantCommit {
				t.Errorf("got version %s and commit %s, want %s and %s", version, commit, tt.wantVersion, tt.wantCommit)
			}
		})
	}
}
