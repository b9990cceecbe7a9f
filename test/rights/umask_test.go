//go:build linux

package rights

import (
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Everything that is made has its documented mode, whatever the umask.
func TestModesWhateverTheUmask(t *testing.T) {
	for _, umask := range []string{"0777", "0000", "0027"} {
		t.Run(umask, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			for number := range 3 {
				s.publish(t, number)
				cmd := exec.CommandContext(t.Context(), "sh", "-c", `umask "$0"; exec "$@"`, umask, binary, "apply", "--config", s.config)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("apply: %v\n%s", err, out)
				}
			}
			got := map[string]fs.FileMode{}
			err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
				if err != nil {
					return err
				}
				info, err := d.Info()
				name, inside := strings.CutPrefix(path, s.dir+"/")
				if err != nil || !inside || !strings.HasPrefix(name, "state") && !strings.HasPrefix(name, "parent") || info.Mode()&fs.ModeSymlink != 0 {
					return err
				}
				// Releases have IDs of their own.
				parts := strings.Split(name, "/")
				if len(parts) > 2 && parts[1] == ".app.dropship" && parts[2] != "lock" && parts[2] != "persist" {
					parts[2] = "ID"
				}
				if len(parts) > 3 && parts[1] == "history" {
					parts[3] = "ID.json"
				}
				got[strings.Join(parts, "/")] = info.Mode()
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]fs.FileMode{
				"state": fs.ModeDir | 0o700, "state/app.lock": 0o600, "state/app.json": 0o600, "state/app.json.copy": 0o600,
				"state/history": fs.ModeDir | 0o700, "state/history/app": fs.ModeDir | 0o700, "state/history/app/ID.json": 0o600,
				"parent": fs.ModeDir | 0o755, "parent/.app.dropship": fs.ModeDir | 0o711, "parent/.app.dropship/lock": 0o600,
				"parent/.app.dropship/persist": fs.ModeDir | 0o711, "parent/.app.dropship/persist/var": fs.ModeDir | 0o755,
				"parent/.app.dropship/persist/var/data": fs.ModeDir | 0o755,
				"parent/.app.dropship/ID":               fs.ModeDir | 0o711, "parent/.app.dropship/ID/release.json": 0o600,
			}
			for _, top := range []string{"parent/app", "parent/.app.dropship/ID/tree"} {
				for name, mode := range map[string]fs.FileMode{
					"": fs.ModeDir | 0o755, "/closed": fs.ModeDir | 0o700, "/closed/secret": 0o600, "/open": fs.ModeDir | 0o777, "/open/all": 0o666,
					"/implied": fs.ModeDir | 0o755, "/implied/program": 0o755, "/version": 0o644, "/var": fs.ModeDir | 0o755,
				} {
					want[top+name] = mode
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("modes (-want +got):\n%s", diff)
			}
		})
	}
}
