package man_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/dropship/dropship/packaging/man"
)

// What Markdown has and manual pages have not, tables and links, arrives as text that can be read; what a shell or a file
// would be given, arrives as it is.
func TestConfiguration(t *testing.T) {
	docs := t.TempDir()
	write(t, docs, "configuration.md", "# Configuration\n\nAll of it.\n\n- [One](#one) · [Two](#two)\n\n## One\n\n"+
		"See [two](#two), [running](operations.md#signals), [examples/](../examples/README.md) and [HCL](https://example.org).\n\n"+
		"| attribute | default | meaning |\n|---|---|---|\n| `a`, `b` | `1` | md5 of a.\n"+
		"| `c-d` | required | it must be there |\n\n"+
		"## Hooks\n\nNot this.\n\n## Two\n\n"+
		"| type | attribute | meaning |\n|---|---|---|\n| `x` | `p` | the first |\n| | `q` | the second |\n\n"+
		"```hcl\nservice \"web\" {\n\n  hash = \"a-b\"\n}\n```\n\n.NAME is no request.\n")
	write(t, docs, "hooks.md", "# Hooks\n\nBefore and after.\n\n## script\n\nRuns a command.\n")
	page, err := man.Configuration(docs)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := page.File, "dropship.hcl.5"; got != want {
		t.Errorf("file: got %s, want %s", got, want)
	}
	got := string(page.Roff)
	for _, want := range []string{
		"\n.SH DESCRIPTION\nAll of it.\n.SH ONE\nSee two, running (operations.md), examples/ and HCL.\n",
		"\n.TP\n\\fBa\\fR, \\fBb\\fR\nDefault: \\fB1\\fR\\&. md5 of a.\n.TP\n\\fBc\\-d\\fR\nRequired. It must be there.\n",
		"\n.SH HOOKS\nBefore and after.\n.SS script\nRuns a command.\n.SH TWO\n",
		"\n.TP\n\\fBx\\fR, \\fBp\\fR\nThe first.\n.TP\n\\fBx\\fR, \\fBq\\fR\nThe second.\n",
		"\n.sp\n.RS 4\n.EX\nservice \"web\" {\n\n  hash = \"a\\-b\"\n}\n.EE\n.RE\n.PP\n\\&.NAME is no request.\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

func TestCommands(t *testing.T) {
	docs := t.TempDir()
	write(t, docs, "operations.md", "# Operations\n\n## Commands\n\n| exit code | means |\n|---|---|\n| 0 | done |\n\n"+
		"## Signals\n\nS.\n\n## Logs\n\nL.\n\n## Files\n\nF.\n\n## Permissions\n\nP.\n")
	root := &cobra.Command{Use: "tool", Short: "Do things", Long: "Tool does *all* things.\n\nExit codes: 0."}
	nothing := func(*cobra.Command, []string) {}
	sub := &cobra.Command{Use: "run-all [NAME…]", Short: "Run all", Run: nothing}
	sub.Flags().String("path", "/a-b", "where `dir` is")
	root.AddCommand(sub, &cobra.Command{Use: "secret", Short: "Hide", Hidden: true, Run: nothing})
	pages, err := man.Commands(root, docs)
	if err != nil {
		t.Fatal(err)
	}
	if len(pages) != 2 || pages[0].File != "tool.8" || pages[1].File != "tool-run-all.8" {
		t.Fatalf("got %d pages, want tool.8 and tool-run-all.8: a hidden command has none", len(pages))
	}
	for i, want := range []string{
		".SH NAME\ntool \\- do things\n.SH SYNOPSIS\n\\fBtool\\fP \\fICOMMAND\\fP [flags]\n.SH DESCRIPTION\nTool does *all* things.\n" +
			".SH COMMANDS\n.TP\n\\fBtool\\-run\\-all(8)\\fP\nRun all.\n",
		".SH OPTIONS\n.TP\n\\fB\\-\\-help\\fP, \\fB\\-h\\fP\nhelp for run\\-all.\n.TP\n\\fB\\-\\-path\\fP \\fIdir\\fP\nwhere dir is. Default: /a\\-b.\n" +
			".SH EXIT STATUS\n.TP\n0\nDone.\n.SH SEE ALSO\n\\fBdropship.hcl\\fP(5), \\fBtool\\fP(8)\n",
	} {
		if got := string(pages[i].Roff); !strings.Contains(got, want) {
			t.Errorf("%s: %q is not in\n%s", pages[i].File, want, got)
		}
	}
	for _, want := range []string{".SH SIGNALS\nS.\n", ".SH LOGS\nL.\n", ".SH FILES\nF.\n", ".SH PERMISSIONS AND ENVIRONMENT\nP.\n"} {
		if got := string(pages[0].Roff); !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

// A section that was renamed in the manual is missed, rather than left out.
func TestMissingSection(t *testing.T) {
	docs := t.TempDir()
	write(t, docs, "operations.md", "# Operations\n\n## Commands\n\n| exit code | means |\n|---|---|\n| 0 | done |\n")
	if _, err := man.Commands(&cobra.Command{Use: "tool", Short: "Do things"}, docs); err == nil || !strings.Contains(err.Error(), `"Signals"`) {
		t.Errorf("got %v, want an error that names the section Signals", err)
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
