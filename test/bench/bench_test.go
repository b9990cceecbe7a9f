package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/dropship/dropship/test/servers"
)

// TestMain lets the tests' own program be what makes requests alone, too.
func TestMain(m *testing.M) {
	if !asker() {
		m.Run()
	}
}

func TestContendersTakeTurns(t *testing.T) {
	var order strings.Builder
	contestant := func(name string) contender {
		n := 0.0
		return contender{
			name:    name,
			prepare: func(context.Context) error { order.WriteString("-"); return nil },
			run: func(context.Context) (float64, error) {
				order.WriteString(name)
				n++
				return n, nil
			},
		}
	}
	got, err := interleave(t.Context(), 3, contestant("a"), contestant("b"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "-a-b-a-b-a-b-a-b"; order.String() != want {
		t.Errorf("the order is %q, want %q", order.String(), want)
	}
	// The first round does not count.
	if len(got[0]) != 3 || got[0].median() != 3 || got[1][0] != 2 {
		t.Errorf("got %v, want 2, 3 and 4 for both", got)
	}
}

func TestMedians(t *testing.T) {
	a, b := series{4, 1, 9, 16}, series{2, 1, 3, 4}
	if got, want := a.median(), 6.5; got != want {
		t.Errorf("the median is %v, want %v", got, want)
	}
	// Round by round: 2, 1, 3, 4.
	if got, want := a.over(b), 2.5; got != want {
		t.Errorf("the ratio is %v, want %v", got, want)
	}
	if got, want := (series{0.25, 0.5, 0.125}).seconds(), "250 ms (125 to 500)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := (series{0.9, 0.05, 1.25}).seconds(), "900 ms (50 to 1250)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRowsAreWrittenBetweenTheirMarkers(t *testing.T) {
	text, met := render("What it is.", []row{
		{what: "fast", ours: "1 s", against: "tar", theirs: "2 s", ratio: 0.5, ratioGoal: "≤ 1.0", met: true},
		{what: "fast", ours: "1 s", against: "cp", theirs: "1 s", ratio: 1, ratioGoal: "≤ 0.9", note: "of all that there is to know"},
		{what: "fast", ours: "1 s", against: "tar; sync", theirs: "4 s", ratio: 0.25, note: "of all that there is to know"},
		{what: "slow", ours: "3 s", goal: "≤ 2 s", against: "tar", theirs: "3 s", ratio: 1, note: strings.Repeat("a disk takes 2 s, ", 7) + "too"},
		{what: "requests", ours: "9.0", goal: "≤ 10", met: true},
		{what: "connections", ours: "0 opened", against: "curl", theirs: "100 opened", ratioGoal: "≤ 0.01", met: true},
	})
	if met {
		t.Error("a goal that is missed counts as met")
	}
	path := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(path, []byte("# Page\n<!-- bench a -->\nold\n<!-- /bench a -->\nend\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := splice(path, "a", text); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const want = `# Page
<!-- bench a -->
What it is.

| Dropship, vs the alternative | measured   | ratio    | goal   | met        |
|------------------------------|------------|----------|--------|------------|
| fast                         | 1 s        |          |        |            |
| vs tar                       | 2 s        | **0.50** | ≤ 1.0  | yes        |
| vs cp                        | 1 s        | **1.00** | ≤ 0.9  | **no** [1] |
| vs tar; sync                 | 4 s        | **0.25** |        | [1]        |
| slow                         | 3 s        |          | ≤ 2 s  | **no** [2] |
| vs tar                       | 3 s        | **1.00** |        |            |
| requests                     | 9.0        |          | ≤ 10   | yes        |
| connections                  | 0 opened   |          |        |            |
| vs curl                      | 100 opened | **0.00** | ≤ 0.01 | yes        |

- [1] of all that there is to know
- [2] a disk takes 2 s, a disk takes 2 s, a disk takes 2 s, a disk takes 2 s, a disk takes 2 s, a disk takes 2 s, a disk
  takes 2 s, too
<!-- /bench a -->
end
`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if err := splice(path, "b", text); err == nil {
		t.Error("a figure without markers is written somewhere")
	}
}

// TestFigures takes every figure once, small, against the real servers.
func TestFigures(t *testing.T) {
	set := servers.Get(t)
	dropship := filepath.Join(t.TempDir(), "dropship")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", dropship, "../../cmd/dropship").CombinedOutput(); err != nil {
		t.Fatalf("cannot build dropship: %v\n%s", err, out)
	}
	if _, err := describe(t.Context(), dropship, set); err != nil {
		t.Error(err)
	}
	for _, f := range figures {
		t.Run(f.name, func(t *testing.T) {
			o := options{rounds: 1, quick: true, dropship: dropship, dir: t.TempDir()}
			text, _, err := measure(t.Context(), o, set, f)
			if err != nil {
				t.Fatal(err)
			}
			t.Log(text)
			narrowEnough(t, text)
		})
	}
}

// narrowEnough looks for tables and notes that are not.
func narrowEnough(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if width := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); width > columns && strings.ContainsRune("|-", rune(line[0])) {
			t.Errorf("a line has %d columns, want at most %d:\n%s", width, columns, line)
		}
	}
}

// TestPageHasPlaceForEachFigure keeps docs/performance.md complete.
func TestPageHasPlaceForEachFigure(t *testing.T) {
	page, err := os.ReadFile("../../docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range figures {
		if !strings.Contains(string(page), "\n## "+f.title+"\n\n<!-- bench "+f.name+" -->\n") {
			t.Errorf("docs/performance.md has no place for the figure %s below the heading %q", f.name, f.title)
		}
	}
	narrowEnough(t, string(page))
}
