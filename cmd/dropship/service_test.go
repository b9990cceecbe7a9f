package main

import (
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/packaging"
)

const (
	servedProgram = "/opt/drop_ship-1.2+3/bin/dropship"
	servedConfig  = "/etc/dropship.d/a-b_c.hcl"
)

// What a manager runs is the agent of this program with this configuration, and nothing is left to fill in.
func TestServiceFiles(t *testing.T) {
	t.Parallel()
	for _, m := range managers {
		if m.file == "" {
			continue
		}
		t.Run(m.system, func(t *testing.T) {
			t.Parallel()
			content, err := m.content(servedProgram, servedConfig)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(content, "@dropship@") || strings.Contains(content, "@config@") || strings.Contains(content, "{{") {
				t.Errorf("a placeholder is left, or the library would take something for one:\n%s", content)
			}
			switch m.source {
			case "":
				wantUnit(t, content)
			case "launchd.plist":
				wantPropertyList(t, content)
			case "openrc":
				wantLine(t, content, "command="+servedProgram)
				wantLine(t, content, `command_args="agent --config `+servedConfig+`"`)
				wantShell(t, content)
			case "upstart":
				_, script, _ := strings.Cut(content, "\nscript\n")
				script, _, ended := strings.Cut(script, "\nend script\n")
				if !ended {
					t.Errorf("no script in\n%s", content)
				}
				wantLine(t, script, "\texec "+servedProgram+" agent --config "+servedConfig)
				wantShell(t, script)
			case "freebsd":
				wantLine(t, content, `command_args="-p ${pidfile} -T dropship `+servedProgram+` agent --config `+servedConfig+`"`)
				wantShell(t, content)
			default:
				wantLine(t, content, "\tsetsid "+servedProgram+" agent --config "+servedConfig+` </dev/null >>"$log" 2>&1 &`)
				wantShell(t, content)
			}
		})
	}
}

func wantLine(t *testing.T, content, want string) {
	t.Helper()
	if !strings.Contains("\n"+content+"\n", "\n"+want+"\n") {
		t.Errorf("no line %q in\n%s", want, content)
	}
}

func wantShell(t *testing.T, content string) {
	t.Helper()
	sh := exec.CommandContext(t.Context(), "sh", "-n")
	sh.Stdin = strings.NewReader(content)
	if out, err := sh.CombinedOutput(); err != nil {
		t.Errorf("no shell reads it: %v\n%s", err, out)
	}
}

// The unit is the package's, with other paths.
func wantUnit(t *testing.T, content string) {
	t.Helper()
	wantLine(t, content, "ExecStart="+servedProgram+" agent --config "+servedConfig)
	if strings.Contains(content, "=/usr/bin/dropship") {
		t.Errorf("the package's program is run by\n%s", content)
	}
	for line := range strings.Lines(content) {
		if strings.HasPrefix(line, "Exec") && strings.Contains(line, "dropship ") && !strings.Contains(line, " --config "+servedConfig) {
			t.Errorf("%q knows nothing of the configuration", line)
		}
	}
	back := strings.ReplaceAll(content, servedProgram, "/usr/bin/dropship")
	back = strings.ReplaceAll(back, " --config "+servedConfig, "")
	if diff := cmp.Diff(back, packaging.Unit); diff != "" {
		t.Errorf("more is different from the package's unit (-got +want)\n%s", diff)
	}
}

func wantPropertyList(t *testing.T, content string) {
	t.Helper()
	var list struct {
		Dict struct {
			Keys      []string `xml:"key"`
			Arguments []string `xml:"array>string"`
		} `xml:"dict"`
	}
	if err := xml.Unmarshal([]byte(content), &list); err != nil {
		t.Fatalf("not well-formed: %v", err)
	}
	if diff := cmp.Diff(list.Dict.Arguments, []string{servedProgram, "agent", "--config", servedConfig}); diff != "" {
		t.Errorf("arguments (-got +want)\n%s", diff)
	}
}

// systemd itself finds nothing to say about the unit.
func TestServiceUnitVerified(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dropship.service")
	if err := os.WriteFile(path, []byte(unit("/bin/sh", servedConfig)), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "systemd-analyze", "verify", "--man=no", path).CombinedOutput()
	if err != nil || strings.Contains(string(out), path) {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

// A path that would be several words, or none, in some manager's file is refused, and named.
func TestServiceRefusesPaths(t *testing.T) {
	t.Parallel()
	m := managers[0]
	for _, path := range []string{"/opt/my app/x", "/opt/a'b", `/opt/a"b`, "/opt/a$b", "/opt/a%b", "/opt/a&b", "/opt/a\nb", "/opt/{{a}}", "/opt/é"} {
		for _, paths := range [][2]string{{path, servedConfig}, {servedProgram, path}} {
			_, err := m.content(paths[0], paths[1])
			if err == nil || !strings.Contains(err.Error(), "use letters, digits and") {
				t.Errorf("content(%q, %q): got %v, want that the path is refused", paths[0], paths[1], err)
			}
		}
	}
}
