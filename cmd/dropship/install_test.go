package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The first service of docs/install.md does what that page says, typed as it stands; but below a directory of the test's
// own, and without systemd: a reload is an apply there.
func TestFirstServiceOfTheManual(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(manual, "install.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, steps, found := strings.Cut(string(page), "\n## A first service\n")
	if !found {
		t.Fatal("the page has no section on a first service")
	}
	steps, _, _ = strings.Cut(steps, "\n## ")
	script := `dropship() { command dropship "$@" --config $WORK/etc/dropship.d/dropship.hcl; }
systemctl() { dropship apply; }
journalctl() { :; }
mkdir -p $WORK/etc/dropship.d/services $WORK/tmp
printf 'service_path = "services"\nstateDir = "%s"\n' $WORK/var/lib/dropship >$WORK/etc/dropship.d/dropship.hcl
`
	for _, m := range regexp.MustCompile("(?ms)^ *```(hcl|sh)\n(.*?)^ *```$").FindAllStringSubmatch(steps, -1) {
		if text := m[2]; m[1] == "hcl" {
			script += "cat >/etc/dropship.d/services/hello.hcl <<EOF\n" + strings.NewReplacer("$", `\$`).Replace(text) + "EOF\n"
		} else {
			script += text
		}
	}
	for _, dir := range []string{"/etc/", "/srv/", "/tmp/", "/var/"} {
		script = strings.ReplaceAll(strings.ReplaceAll(script, " "+dir, " $WORK"+dir), `"`+dir, `"$WORK`+dir)
		script = strings.ReplaceAll(script, ">"+dir, ">$WORK"+dir)
	}
	file := filepath.Join(t.TempDir(), "install.txt")
	err = os.WriteFile(file, []byte(`exec bash -eu install.sh
stdout '^hello: would be installed$'
stdout '^hello: installed '
stdout '^hello, world$'
stdout '^hello: updated from '
stdout '^hello again$'
! exists srv/hello srv/.hello.dropship srv/artifacts/hello.tar.gz var/lib/dropship/hello.json
-- install.sh --
`+script), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{Files: []string{file}})
}
