package config_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/dropship/config"
)

// Of many destinations, each that does not stand clear of one before it is told of the first such, whatever else it
// clashes with: as if it had been compared with each of them in turn.
func TestEachDestinationIsToldOfTheFirstThatItClashesWith(t *testing.T) {
	t.Parallel()
	const services, link = 60, "l" // which leads to a
	clashes := 0
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "a"), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("a", filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		var all []target
		for i := range services {
			path := []string{"a", "b", "c", link, fmt.Sprint("d", i)}[random.IntN(5)]
			for range random.IntN(4) {
				path += "/" + []string{"a", "b", ".a.dropship", ".b.dropship", fmt.Sprint("e", i), fmt.Sprint("f", i)}[random.IntN(6)]
			}
			all = append(all, target{service: fmt.Sprint("s", i), path: filepath.Join(dir, path), real: filepath.Join(dir, path)})
			if rest, ok := strings.CutPrefix(path, link+"/"); ok {
				all[i].real = filepath.Join(dir, "a", rest)
			}
			fmt.Fprintf(&text, "service \"s%d\" {\n  artifact \"s3\" {\n    bucket = \"b\"\n    path = \"a.tar\"\n    destination = %q\n  }\n}\n", i, all[i].path)
		}
		path := filepath.Join(t.TempDir(), "dropship.hcl")
		write(t, path, text.String(), 0o640)

		var got, want []string
		_, diags := config.Load(path, kinds())
		for _, diag := range diags.Errors() {
			got = append(got, fmt.Sprintf("%d: %s: %s", diag.Subject.Start.Line, diag.Summary, strings.Split(diag.Detail, `"`)[1]))
		}
		var clear []target
	next:
		for i, d := range all {
			for _, other := range clear {
				if summary := d.clash(other); summary != "" {
					want = append(want, fmt.Sprintf("%d: %s: %s", 7*i+5, summary, other.service))
					continue next
				}
			}
			clear = append(clear, d)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("seed %d: mistakes (-want +got):\n%s", seed, diff)
		}
		clashes += len(want)
	}
	if clashes < 100 {
		t.Errorf("there were %d clashes, too few to tell", clashes)
	}
}

// A target is a destination as it is written, and without link.
type target struct{ service, path, real string }

func (d target) clash(other target) string {
	switch {
	case d.path == other.path || d.real == other.real:
		return "Duplicate destination"
	case below(d.path, other.path) || below(d.real, other.real), below(other.path, d.path) || below(other.real, d.real),
		below(d.path, releases(other.path)) || below(d.real, releases(other.real)),
		below(other.path, releases(d.path)) || below(other.real, releases(d.real)):
		return "Destination inside another"
	}
	return ""
}

// below reports whether path is dir or in it.
func below(path, dir string) bool { return strings.HasPrefix(path+"/", dir+"/") }

func releases(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".dropship")
}
