package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/dropship/config"
)

// Where a directory on the way is a link, two paths that look apart may be one within the other. Each row
// lists destinations in a directory where current leads to v1, older to old, and gone to nothing.
func TestDestinationsThroughLinks(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		destinations []string
		want         string // the one mistake, or none
	}{
		"the same":             {[]string{"v1/web", "current/web"}, "Duplicate destination"},
		"inside":               {[]string{"v1/web", "current/web/plugin/x"}, "Destination inside another"},
		"around":               {[]string{"current/web/plugin", "v1/web"}, "Destination inside another"},
		"among the releases":   {[]string{"v1/web", "current/.web.dropship/x"}, "Destination inside another"},
		"below the link":       {[]string{"current", "current/web"}, "Destination inside another"},
		"beside":               {[]string{"v1/web", "current/api"}, ""},
		"the link, its target": {[]string{"v1", "current"}, ""}, // installing refuses a link, without following it
		"through nothing":      {[]string{"v1/web", "gone/web"}, ""},
		"the state":            {[]string{"older/state/x"}, "Destination overlaps stateDir"},
		"the configuration":    {[]string{"etc"}, "Destination holds the configuration"},
		"a file of it":         {[]string{"etc/dropship.hcl"}, "Destination holds the configuration"},
		"a link to it":         {[]string{"config/services"}, "Destination holds the configuration"},
		"beside it":            {[]string{"etc/web"}, ""},
		"services":             {[]string{"empty"}, "Destination holds the configuration"},
		"inside services":      {[]string{"empty/services/sub"}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for _, sub := range []string{"v1", "old", "etc/services", "empty/services"} {
				if err := os.MkdirAll(filepath.Join(dir, sub), 0o750); err != nil {
					t.Fatal(err)
				}
			}
			for link, target := range map[string]string{"current": "v1", "older": "old", "gone": "nothing", "config": "etc"} {
				if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
					t.Fatal(err)
				}
			}
			text := fmt.Sprintf("service_path = %q\nstateDir = %q\n", filepath.Join(dir, "empty/services"), filepath.Join(dir, "old/state"))
			for i, destination := range test.destinations {
				text += fmt.Sprintf("service \"s%d\" {\n  artifact \"s3\" {\n    bucket = \"b\"\n    path = \"a.tar\"\n    destination = %q\n  }\n}\n",
					i, filepath.Join(dir, destination))
			}
			path := filepath.Join(dir, "etc/dropship.hcl")
			write(t, path, text, 0o640)
			write(t, filepath.Join(dir, "etc/services/more.hcl"), "", 0o640)
			write(t, filepath.Join(dir, "etc/more.hcl"), "service_path = \"services\"\n", 0o640)

			_, diags := config.Load(filepath.Dir(path), kinds())
			var got, want []string
			for _, diag := range diags.Errors() {
				got = append(got, diag.Summary)
			}
			if test.want != "" {
				want = []string{test.want}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("mistakes (-want +got):\n%s\n%s", diff, printed(diags))
			}
			last := filepath.Join(dir, test.destinations[len(test.destinations)-1])
			if len(got) > 0 && !strings.Contains(printed(diags), "  "+last) {
				t.Errorf("the path is not shown as it is written:\n%s", printed(diags))
			}
		})
	}
}
