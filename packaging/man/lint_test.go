package man_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The two formatters of manual pages that there are have no word to say against the committed ones.
func TestPagesHaveNoFault(t *testing.T) {
	pages, err := filepath.Glob("*.[158]")
	if err != nil || len(pages) < 8 {
		t.Fatalf("got the pages %q and %v, want one for each command and one for the configuration", pages, err)
	}
	for _, formatter := range [][]string{
		{"mandoc", "-T", "lint", "-W", "warning"},
		{"groff", "-ww", "-man", "-K", "utf8", "-T", "utf8", "-z"},
	} {
		if _, err := exec.LookPath(formatter[0]); err != nil {
			if os.Getenv("CI") == "" && os.Getenv("DROPSHIP_REQUIRE_SERVERS") == "" {
				t.Skipf("%s is not installed: run make packages", formatter[0])
			}
			t.Fatalf("%s is not installed: run make packages", formatter[0])
		}
		got, err := exec.CommandContext(t.Context(), formatter[0], append(formatter[1:], pages...)...).CombinedOutput()
		if err != nil || len(got) > 0 {
			t.Errorf("%s: got %v and\n%s\nwant nothing", formatter[0], err, got)
		}
	}
}
