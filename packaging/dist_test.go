package packaging_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// A release is what make dist makes for this machine, and for Windows.
type release struct {
	dir            string
	deb, rpm       string // paths
	linux, windows string // names of the archives, without their extensions
}

func TestDist(t *testing.T) {
	t.Parallel()
	made := makeDist(t, "windows/amd64")
	t.Run("Checksums", made.testChecksums)
	t.Run("RPM", made.testRPM)
	t.Run("Archive", made.testArchive)
	t.Run("SBOM", made.testSBOM)
}

func TestDistIsReproducible(t *testing.T) {
	t.Parallel()
	var sums [2]string
	for i := range sums {
		sums[i] = read(t, filepath.Join(makeDist(t).dir, "SHA256SUMS"))
	}
	if diff := cmp.Diff(sums[0], sums[1]); diff != "" {
		t.Errorf("two builds of the same files differ (-first +second):\n%s", diff)
	}
}

func makeDist(t *testing.T, more ...string) release {
	t.Helper()
	dir := t.TempDir()
	platforms := append([]string{"linux/" + runtime.GOARCH}, more...)
	cmd := exec.CommandContext(t.Context(), "make", "-s", "-C", "..", "dist", "DIST_DIR="+dir, "PLATFORMS="+strings.Join(platforms, " "))
	cmd.Env = append(os.Environ(), "DPKG_DEB_COMPRESSOR_LEVEL=1") // a third of the time
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make dist: %v\n%s", err, out)
	}
	version := strings.TrimSpace(output(t, "dpkg-parsechangelog", "-l../debian/changelog", "-SVersion"))
	return release{
		dir:     dir,
		deb:     filepath.Join(dir, "dropship_"+version+"_"+runtime.GOARCH+".deb"),
		rpm:     filepath.Join(dir, "dropship-"+version+"-1."+machine()+".rpm"),
		linux:   "dropship_" + version + "_linux_" + runtime.GOARCH,
		windows: "dropship_" + version + "_windows_amd64",
	}
}

// machine is what rpm calls the architecture.
func machine() string {
	return map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
}

func (made release) testChecksums(t *testing.T) {
	var got []string
	for line := range strings.Lines(read(t, filepath.Join(made.dir, "SHA256SUMS"))) {
		listed, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		if actual := sum(read(t, filepath.Join(made.dir, name))); actual != listed {
			t.Errorf("%s: got sha256 %s, want %s", name, actual, listed)
		}
		got = append(got, name)
	}
	want := []string{
		filepath.Base(made.rpm), filepath.Base(made.deb), made.linux + ".cdx.json", made.linux + ".tar.gz",
		made.windows + ".cdx.json", made.windows + ".zip",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files in SHA256SUMS (-want +got):\n%s", diff)
	}
}

// elsewhere is where an rpm has what the Debian package has in another place.
var elsewhere = strings.NewReplacer("/lib/systemd/", "/usr/lib/systemd/", "/zsh/vendor-completions/", "/zsh/site-functions/")

// The rpm has the files of the Debian package, but what is only Debian's.
func (made release) testRPM(t *testing.T) {
	want := map[string]file{"/usr/share/licenses/dropship/LICENSE": {"-rw-r--r--", "root:root", sum(read(t, "../LICENSE"))}}
	for path, f := range made.packaged(t) {
		// Of the directories only these are the rpm's: the others are the system's.
		own := f.Sum != "" || strings.HasPrefix(path, "/usr/share/doc/dropship") || strings.HasPrefix(path, "/etc/dropship.d")
		debians := strings.Contains(path, "needrestart") || strings.Contains(path, "lintian") ||
			slices.Contains([]string{"changelog.gz", "copyright"}, filepath.Base(path))
		if own && !debians {
			want[elsewhere.Replace(path)] = f
		}
	}
	got := make(map[string]file)
	for line := range strings.Lines(output(t, "rpm", "-qp", "--queryformat",
		`[%{FILENAMES} %{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME} %{FILEDIGESTS}\n]`, made.rpm)) {
		fields := append(strings.Fields(line), "") // a directory has no digest
		got[fields[0]] = file{fields[1], fields[2], fields[3]}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the rpm has other files than the Debian package (-deb +rpm):\n%s", diff)
	}
	wantEqual(t, "there are more than 40 files", len(want) > 40, true)

	flags := output(t, "rpm", "-qp", "--queryformat", "[%{FILENAMES}=%{FILEFLAGS:fflags} ]", made.rpm)
	if want := "/etc/dropship.d/dropship.hcl=cn "; !strings.Contains(flags, want) { // config, noreplace
		t.Errorf("got the flags %q, want %q in them", flags, want)
	}
	wantEqual(t, "configuration files", output(t, "rpm", "-qpc", made.rpm), "/etc/dropship.d/dropship.hcl\n")
	wantEqual(t, "rpm -K", output(t, "rpm", "-K", made.rpm), made.rpm+": digests OK\n")
	wantEqual(t, "what the rpm says of itself",
		output(t, "rpm", "-qp", "--queryformat", "%{NAME} %{ARCH} %{LICENSE} %{BUILDHOST} %{SUMMARY}", made.rpm),
		"dropship "+machine()+" Apache-2.0 dropship pull-based deployer for services on plain servers")
}

func (made release) testArchive(t *testing.T) {
	f, err := os.Open(filepath.Join(made.dir, made.linux+".tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	archived, packaged := inTar(t, unzipped, made.linux), made.packaged(t)
	for name, path := range map[string]string{
		"/dropship":                         "/usr/bin/dropship",
		"/dropship.service":                 "/lib/systemd/system/dropship.service",
		"/docs/install.md":                  "/usr/share/doc/dropship/docs/install.md",
		"/examples/quickstart/dropship.hcl": "/usr/share/doc/dropship/examples/quickstart/dropship.hcl",
		"/completions/dropship.bash":        "/usr/share/bash-completion/completions/dropship",
		"/completions/_dropship":            "/usr/share/zsh/vendor-completions/_dropship",
		"/completions/dropship.fish":        "/usr/share/fish/vendor_completions.d/dropship.fish",
	} {
		if diff := cmp.Diff(packaged[path], archived[name]); diff != "" || archived[name].Sum == "" {
			t.Errorf("%s (-deb +archive):\n%s", name, diff)
		}
	}
	pages, err := filepath.Glob("man/*.[1-8]")
	if err != nil || len(pages) == 0 {
		t.Fatalf("got the manual pages %q (%v), want some", pages, err)
	}
	for _, name := range append(pages, "dropship.hcl", "../LICENSE", "../README.md") {
		want := file{"-rw-r--r--", "root:root", sum(read(t, name))}
		if diff := cmp.Diff(want, archived[strings.TrimPrefix("/"+name, "/..")]); diff != "" {
			t.Errorf("%s (-checkout +archive):\n%s", name, diff)
		}
	}
}

// The documents are what the schema of CycloneDX asks for, and name what the linker wrote into the programs.
func (made release) testSBOM(t *testing.T) {
	schema := bomSchema(t)
	for base, program := range map[string]string{made.linux + ".tar.gz": made.linux + "/dropship", made.windows + ".zip": made.windows + "/dropship.exe"} {
		name := filepath.Dir(program) + ".cdx.json"
		bom, err := jsonschema.UnmarshalJSON(strings.NewReader(read(t, filepath.Join(made.dir, name))))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(bom); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		info, err := buildinfo.Read(strings.NewReader(output(t, "bsdtar", "-xOf", filepath.Join(made.dir, base), program)))
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"pkg:golang/std@" + strings.TrimPrefix(info.GoVersion, "go")}
		for _, module := range info.Deps {
			want = append(want, "pkg:golang/"+module.Path+"@"+module.Version)
		}
		var got []string
		for _, component := range bom.(map[string]any)["components"].([]any) {
			got = append(got, component.(map[string]any)["purl"].(string))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: modules (-of the program +of the document):\n%s", name, diff)
		}
	}
}

// bomSchema is CycloneDX's own, which comes with the module that writes the documents.
func bomSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	module := strings.TrimSpace(output(t, "go", "list", "-C", "dist", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go"))
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	for _, name := range []string{"bom-1.6.schema.json", "spdx.schema.json", "jsf-0.82.schemax.json"} {
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(read(t, filepath.Join(module, "schema", name))))
		if err != nil {
			t.Fatal(err)
		}
		// The documents refer to each other by this.
		if err := compiler.AddResource("http://cyclonedx.org/schema/"+strings.Replace(name, "schemax", "schema", 1), document); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := compiler.Compile("http://cyclonedx.org/schema/bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// A file is one in a package or an archive.
type file struct {
	Mode  string // as ls has it
	Owner string
	Sum   string // sha256; a directory has none
}

// packaged gives what is in the Debian package by path.
func (made release) packaged(t *testing.T) map[string]file {
	t.Helper()
	return inTar(t, strings.NewReader(output(t, "dpkg-deb", "--fsys-tarfile", made.deb)), ".")
}

// inTar gives what is in an archive by name, without the directory that all is in.
func inTar(t *testing.T, r io.Reader, directory string) map[string]file {
	t.Helper()
	files := make(map[string]file)
	for archive := tar.NewReader(r); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		name, ok := strings.CutPrefix(header.Name, directory+"/")
		if !ok {
			t.Errorf("%s is not below %s", header.Name, directory)
		}
		var content bytes.Buffer
		if _, err := io.Copy(&content, archive); err != nil {
			t.Fatal(err)
		}
		f := file{Mode: header.FileInfo().Mode().String(), Owner: header.Uname + ":" + header.Gname}
		if header.Uid == 0 && header.Gid == 0 {
			f.Owner = "root:root"
		}
		if header.Typeflag == tar.TypeReg {
			f.Sum = sum(content.String())
		}
		files["/"+strings.TrimSuffix(name, "/")] = f
	}
}

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func sum(content string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(content))) }

func wantEqual[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
