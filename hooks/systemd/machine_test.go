package systemd_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/systemd"
)

// The tests below TestMachine run in a machine that is booted for them: this same binary once more, inside, told by
// these variables of its environment.
const (
	insideEnv = "DROPSHIP_TEST_INSIDE_MACHINE"
	hookEnv   = "DROPSHIP_TEST_RUN_HOOK" // only run a hook with this block, and print its error
)

func TestMain(m *testing.M) {
	if source, ok := os.LookupEnv(hookEnv); ok {
		fmt.Println(runHook(source))
		return
	}
	os.Exit(m.Run())
}

func runHook(source string) error {
	file, diags := hclsyntax.ParseConfig([]byte(source), "test.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		return diags
	}
	h, diags := systemd.Kind().New(file.Body, nil)
	if diags.HasErrors() {
		return diags
	}
	return h.Run(context.Background(), hooks.Event{})
}

// TestMachine runs the hook against a real systemd.
func TestMachine(t *testing.T) {
	if os.Getenv(insideEnv) != "" {
		testInside(t)
		return
	}
	missing := ""
	if os.Geteuid() != 0 {
		missing = "root"
	}
	for _, tool := range []string{"systemd-nspawn", "debootstrap"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing = tool
		}
	}
	if missing != "" {
		message := "booting a machine takes " + missing + ": make packages installs what tests need"
		if os.Getenv("CI") != "" || os.Getenv("DROPSHIP_REQUIRE_SERVERS") != "" {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := "-test.v -test.parallel=8 -test.timeout=4m -test.run='^TestMachine$'"
	cmd := exec.CommandContext(t.Context(), "../../test/systemd/boot.sh", "-H", "-", "sh", "-c",
		`cp "$BINARY" "$ROOT/var/tmp/hook.test" && $IN `+insideEnv+`=yes /var/tmp/hook.test `+args)
	cmd.Env = append(os.Environ(), "BINARY="+binary)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	passed := regexp.MustCompile(`(?m)^ *--- PASS: TestMachine/.*`).FindAllString(string(out), -1)
	if len(passed) == 0 || strings.Contains(string(out), "--- SKIP") {
		t.Fatalf("inside, tests were not run:\n%s", out)
	}
	t.Logf("inside the machine:\n%s", strings.Join(passed, "\n"))
}
