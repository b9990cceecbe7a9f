package packaging_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// Whoever uncomments a setting of the package's configuration has a valid one. The two locks exclude each other.
func TestCommentedSettingsAreValid(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program := filepath.Join(dir, "dropship")
	output(t, "go", "build", "-o", program, "../cmd/dropship")
	for _, name := range []string{"s3-access-key", "s3-secret", "swift-key", "consul-token"} {
		write(t, filepath.Join(dir, "dropship."+name), "secret")
	}
	if err := os.Mkdir(filepath.Join(dir, "services"), 0o700); err != nil {
		t.Fatal(err)
	}

	commented := regexp.MustCompile(`(?m)^# ((repo|consul|lock|metrics|tracing) .*| *\w+ += .*|\})$`)
	text := commented.ReplaceAllString(read(t, "dropship.hcl"), "$1")
	// All but the path of the services are commented out.
	wantEqual(t, "settings and blocks", len(regexp.MustCompile(`(?m)^\w.*[={] *.*$`).FindAllString(text, -1)), 15)
	for _, other := range []string{"consul", "file"} {
		without := regexp.MustCompile(`(?s)\nlock "`+other+`" \{.*?\n\}`).ReplaceAllString(text, "")
		path := filepath.Join(dir, "without-"+other+".hcl")
		write(t, path, without)
		cmd := exec.CommandContext(t.Context(), program, "validate", "--config", path)
		cmd.Env = append(os.Environ(), "CREDENTIALS_DIRECTORY="+dir, "AWS_SESSION_TOKEN=token")
		got, err := cmd.CombinedOutput()
		if want := path + ": no mistakes; 0 services in 1 file\n"; err != nil || string(got) != want {
			t.Errorf("without lock %q: got %q (%v), want %q", other, got, err, want)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
