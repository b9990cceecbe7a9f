package man_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// sections say where the settings that a package decodes are described, by the headings of configuration.md and hooks.md.
var sections = map[string][]string{
	"dropship/config":             {"Settings", "Services", "Artifacts", "Hooks", "Repositories", "Consul", "Locks", "Metrics", "Tracing", "Deprecated"},
	"dropship/metrics/prometheus": {`metrics "prometheus"`},
	"dropship/metrics/graphite":   {`metrics "graphite"`},
	"dropship/tracing":            {"Tracing"},
	"artifact/s3":                 {"Artifacts", "s3"},
	"artifact/swift":              {"Artifacts", "swift, rackspace"},
	"artifact/http":               {"Artifacts", "http"},
	"artifact/file":               {"Artifacts", "file"},
	"lock/consul":                 {"Consul", `lock "consul"`},
	"lock/file":                   {`lock "file"`},
	"hooks/script":                {"script"},
	"hooks/check":                 {"http-check", "tcp-check"},
	"hooks/graphite":              {"graphite-event"},
	"hooks/grafana":               {"grafana-annotation"},
	"hooks/webhook":               {"webhook"},
	"hooks/consul":                {"consul-maintenance", "consul-event"},
	"hooks/systemd":               {"systemd"},
}

// Whatever a configuration may say is in the manual, and so in dropship.hcl(5), and the manual describes nothing that no
// configuration may say.
func TestEverySettingIsDescribed(t *testing.T) {
	accepted := settings(t, "../..")
	text := make(map[string]string)
	for _, file := range []string{"configuration.md", "hooks.md"} {
		for title, body := range headings(t, filepath.Join("../../docs", file)) {
			text[title] += body
		}
	}
	known := make(map[string][]string) // what may be described in a section
	for dir, names := range accepted {
		where, found := sections[dir]
		if !found {
			t.Errorf("%s decodes settings (%s), and this test does not know which section describes them", dir, strings.Join(names, ", "))
		}
		var all string
		for _, title := range where {
			if text[title] == "" {
				t.Errorf("%s: the manual has no section %q", dir, title)
			}
			all += text[title]
			known[title] = append(known[title], names...)
		}
		for _, name := range names {
			if !mentions(all, name) {
				t.Errorf("%s accepts %q, and no section of %q says so", dir, name, where)
			}
		}
	}
	for title, names := range known {
		for _, name := range described(text[title]) {
			if !slices.Contains(names, name) {
				t.Errorf("section %q describes %q, which nothing accepts there", title, name)
			}
		}
	}
}

// settings are the names of attributes and blocks in the hcl tags of every package below root, by its directory.
func settings(t *testing.T, root string) map[string][]string {
	t.Helper()
	all := make(map[string][]string)
	for _, top := range []string{"dropship", "artifact", "lock", "hooks"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			dir, err := filepath.Rel(root, filepath.Dir(path))
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if f, ok := n.(*ast.Field); ok && f.Tag != nil {
					if name := setting(f.Tag.Value); name != "" && !slices.Contains(all[dir], name) {
						all[dir] = append(all[dir], name)
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// setting is the name in a tag that decodes an attribute or a block; other tags decode labels, rests and places.
func setting(literal string) string {
	tag, err := strconv.Unquote(literal)
	if err != nil {
		return ""
	}
	name, kind, _ := strings.Cut(reflect.StructTag(tag).Get("hcl"), ",")
	if kind == "" || kind == "optional" || kind == "block" || kind == "attr" {
		return name
	}
	return ""
}

// headings are the texts of a page of the manual below each of its headings, up to the next.
func headings(t *testing.T, path string) map[string]string {
	t.Helper()
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	title := ""
	for line := range strings.Lines(string(page)) {
		if h, found := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); found && strings.HasPrefix(line, "##") {
			title = strings.TrimSpace(h)
			continue
		}
		all[title] += line
	}
	return all
}

// mentions tells whether a name stands in the code of a text, alone or with what it is set to.
func mentions(text, name string) bool {
	return regexp.MustCompile("`" + regexp.QuoteMeta(name) + "(`| [\"={])").MatchString(text)
}

var code = regexp.MustCompile("`([^`]+)`")

// described are the names in the column of attributes of the tables in a text.
func described(text string) []string {
	var names []string
	column := -1
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "|") {
			column = -1
			continue
		}
		cells := strings.Split(line, "|")
		if column < 0 {
			column = slices.IndexFunc(cells, func(c string) bool { return strings.TrimSpace(c) == "attribute" })
			if column < 0 {
				column = len(cells) // a table of something else
			}
			continue
		}
		if column < len(cells) {
			for _, m := range code.FindAllStringSubmatch(cells[column], -1) {
				names = append(names, m[1])
			}
		}
	}
	return names
}
