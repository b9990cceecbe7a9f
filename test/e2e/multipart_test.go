package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/dropship/dropship/test/faultproxy"
)

const mib = 1 << 20

// What `aws s3 cp` makes of a real artifact: 100 MiB in parts of 8 MiB, whose ETag is no md5.
func TestArtifactOf100MiBInParts(t *testing.T) {
	t.Parallel()
	for name, hidden := range map[string]bool{"with the checksums that the SDK stores": false, "with nothing but the ETag": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBucket(t)
			endpoint := b.server.Endpoint
			if hidden {
				// This server computes a checksum itself where the client sends none, as AWS does now; older ones keep none.
				older := faultproxy.Start(t, endpoint)
				older.Break(-1, faultproxy.Hide("X-Amz-Checksum"), func(*http.Request) bool { return true })
				endpoint = older.URL
			}
			proxy := faultproxy.Start(t, endpoint)
			b.putParts("big.tar.gz", big(t, 1), 8*mib)
			d := newDaemon(t, map[string]string{"dropship.hcl": "stateDir = \"state\"\nsocket = \"dropship.sock\"\n" + b.repo(proxy.URL) + fmt.Sprintf(`service "big" {
  checkInterval = "200ms"
  artifact "s3" {
    bucket      = %q
    path        = "big.tar.gz"
    destination = "big"
  }
}
`, b.name)})
			d.start()
			d.waitLog("msg=updated", 1)
			if d.read("big/VERSION") != "1" || len(d.read("big/noise")) != 100*mib {
				t.Fatal("what is installed is not what was published")
			}
			if strings.Contains(d.log.String(), "keeps no checksum") {
				t.Error("the bytes were not checked against anything")
			}

			// Quiet: each further check is one HEAD.
			proxy.Forget()
			d.waitLog(`msg="up to date"`, 20)
			for _, r := range proxy.Requests() {
				if r.Method != http.MethodHead {
					t.Errorf("a check of what is installed made a %s %s", r.Method, r.URL)
				}
			}
			if got := strings.Count(d.log.String(), "msg=updated"); got != 1 {
				t.Errorf("installed %d times, want once", got)
			}

			// One byte changed in flight: in the time stamp of the gzip header, so that gzip's own checksum is content.
			before := listing(t, filepath.Join(d.dir, "big"))
			proxy.Break(-1, faultproxy.Flip(4), func(r *http.Request) bool {
				return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "big.tar.gz")
			})
			b.putParts("big.tar.gz", big(t, 2), 8*mib)
			d.waitLog("step=stage", 1)
			against := "their checksum is crc64nvme:"
			if hidden {
				against = "their checksum is md5:" // the ETag's, over the md5 of each of the parts
			}
			if log := d.log.String(); !strings.Contains(log, "cannot trust the bytes") || !strings.Contains(log, against) {
				t.Errorf("refused for another reason than the byte, want %q:\n%s", against, log)
			}
			if after := listing(t, filepath.Join(d.dir, "big")); after != before {
				t.Errorf("the destination was touched:\n%s\nwas\n%s", after, before)
			}
			proxy.Break(0, faultproxy.Fault{}, nil)
			d.waitFile("big/VERSION", "2")
		})
	}
}

// big returns a tar.gz of 100 MiB, or a little more: noise does not compress.
func big(t *testing.T, version byte) []byte {
	t.Helper()
	noise := make([]byte, 100*mib)
	_, _ = rand.NewChaCha8([32]byte{version}).Read(noise)
	return release(t, map[string]string{"VERSION": fmt.Sprint(version), "noise": string(noise)})
}

// listing returns everything below dir with inode, mode, size and time of modification: equal listings, untouched tree.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		inode := info.Sys().(*syscall.Stat_t).Ino
		fmt.Fprintf(&b, "%s %d %s %d %s\n", path, inode, info.Mode(), info.Size(), info.ModTime())
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return b.String()
}
