// The tests of this file are in the package itself: the text of a sums file has no meaning outside of it.

package http

import (
	"encoding/hex"
	"path"
	"strings"
	"testing"

	"github.com/dropship/dropship/artifact"
)

// FuzzSidecar wants that a checksum is one that stands in the text, of the right size, and that the line of the
// artifact is found in any text that is a sums file.
func FuzzSidecar(f *testing.F) {
	const md5, sha256 = "5eb63bbbe01eeed093cb22bb8f5acdc3", "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"
	const other = "00000000000000000000000000000000"
	for _, text := range []string{
		"", "\n", md5, sha256 + "\n", md5 + "  hello.tar.gz\r\n", strings.ToUpper(md5) + " *build/hello.tar.gz\n", `\` + md5 + `  hello.tar.gz`,
		"MD5 (hello.tar.gz) = " + md5, "SHA256 (hello.tar.gz) = " + sha256, "SHA1 (hello.tar.gz) = " + md5,
		"# all of it\n\n" + other + "  a.tar.gz\n" + md5 + "  hello.tar.gz\n" + other + "  z.tar.gz\n",
		other + "  hello.tar.gz\n" + md5 + "  hello.tar.gz\n", other + "  a\n" + other + "  b\n", "<!doctype html>\n", "\xff\x00", md5 + "\u2028",
	} {
		f.Add(text, false, "hello.tar.gz")
		f.Add(text, true, "hello.tar.gz")
	}
	f.Add(md5+" *\xff\n", false, "\xff")
	f.Add(other+" x", false, "(x) = 00")
	f.Fuzz(func(t *testing.T, text string, strong bool, file string) {
		alg, want := artifact.MD5, md5
		if strong {
			alg, want = artifact.SHA256, sha256
		}
		sum, err := parseSidecar(text, alg, file)
		if (sum == nil) != (err != nil) {
			t.Fatalf("got %v, %v", sum, err)
		}
		if sum != nil {
			if sum.Algorithm != alg || len(sum.Sum) != sumSizes[alg] || !strings.Contains(strings.ToLower(text), hex.EncodeToString(sum.Sum)) {
				t.Errorf("got %s of a text that has none: %q", sum, text)
			}
		}
		// Whatever is said of other files, one more line that is about this one decides.
		if file != strings.TrimSpace(file) || strings.Contains(file, "\n") || file != path.Base(file) || file == "." {
			t.Skip("no sums file has a line with such a name")
		}
		more, moreErr := parseSidecar(text+"\n"+want+" *"+file+"\n", alg, file)
		switch {
		case moreErr == nil:
			if got := hex.EncodeToString(more.Sum); got != want {
				t.Errorf("got %s, want %s that the line of %q says", got, want, file)
			}
		case strings.Contains(moreErr.Error(), "different checksums") && strings.Contains(text, file):
		case strings.Contains(moreErr.Error(), "that is no") && err != nil && err.Error() == moreErr.Error():
		default:
			t.Errorf("without the line of %q: %v, %v; with it: %v", file, sum, err, moreErr)
		}
	})
}
