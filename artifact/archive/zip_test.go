package archive_test

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/dropship/dropship/artifact/archive"
)

// A zip made without Unix modes (Java, .NET, Windows) is unpacked with the usual ones.
func TestZipWithoutModes(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range []string{"d/", "d/f"} {
		if _, err := w.Create(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s := newSandbox(t)
	if _, err := s.unpack(t.Context(), bytes.NewReader(b.Bytes()), options(archive.Zip)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{"d": os.ModeDir | 0o755, "d/f": 0o644} {
		info, err := os.Stat(filepath.Join(s.stage, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode(); got != want {
			t.Errorf("%s: got mode %s, want %s", name, got, want)
		}
	}
}
