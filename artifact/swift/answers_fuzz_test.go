package swift_test

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dropship/dropship/artifact"
)

// FuzzAnswers wants that a server, whatever its headers and its manifest are, is believed only where it can be
// checked: an md5 is one, and among the checksums; the checksum of a large object's segments is its Etag.
func FuzzAnswers(f *testing.F) {
	const sum = "5eb63bbbe01eeed093cb22bb8f5acdc3"
	manifest := fmt.Sprintf(`[{"hash": %q, "bytes": 4, "name": "/c/1"}, {"hash": %q, "bytes": 6}]`, sum, sum)
	composite := fmt.Sprintf(`"%x"`, md5.Sum([]byte(sum+sum)))
	for _, seed := range []struct{ etag, static, dynamic, metadata, manifest string }{
		{sum, "", "", "", ""},
		{sum, "", "", sum, ""},
		{composite, "True", "", "", manifest},
		{composite, "true", "", strings.ToUpper(sum), manifest},
		{composite, "True", "", "", strings.Replace(manifest, `"bytes": 4`, `"bytes": -4, "range": "1-2"`, 1)},
		{composite, "True", "", "", strings.Replace(manifest, `"bytes": 4`, `"bytes": 99999999999999999999`, 1)},
		{composite, "True", "", "", strings.Replace(manifest, `"bytes": 4`, `"bytes": -4`, 1)},
		{composite, "True", "", "", strings.Replace(manifest, `"bytes": 4`, `"bytes": 9223372036854775807`, 1)},
		{`"` + sum + `"`, "", "c/prefix", "", ""},
		{fmt.Sprintf("%x", md5.Sum(nil)), "True", "", "", "[]"},
		{sum + "-2", "True", "", "xyz", "null"},
		{"", "", "", "", "{"},
		{`"`, "True", "x", " ", `[{"sub_slo": true}, {"data": "eA=="}]`},
	} {
		f.Add(seed.etag, seed.static, seed.dynamic, seed.metadata, seed.manifest, uint16(10))
	}
	var answer http.HandlerFunc
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isLogin(r) {
			w.Header().Set("X-Storage-Url", "http://"+r.Host+"/v1/AUTH_test")
			w.Header().Set("X-Auth-Token", "token")
			return
		}
		answer(w, r)
	}))
	f.Cleanup(server.Close)
	src := sourceOf(f, newRepository(f, fmt.Sprintf("user = \"u\"\nkey = \"k\"\nauthUrl = %q\n", server.URL+"/auth/v1.0")), "bucket", "a.tar.gz")

	f.Fuzz(func(t *testing.T, etag, static, dynamic, metadata, manifest string, size uint16) {
		answer = func(w http.ResponseWriter, r *http.Request) {
			for name, value := range map[string]string{
				"Etag": etag, "X-Static-Large-Object": static, "X-Object-Manifest": dynamic, "X-Object-Meta-Md5": metadata,
			} {
				if value != "" {
					w.Header().Set(name, value)
				}
			}
			if r.Method == http.MethodGet {
				fmt.Fprint(w, manifest)
				return
			}
			w.Header().Set("Content-Length", fmt.Sprint(size))
		}
		info, err := src.Stat(t.Context())
		if err != nil {
			if info != (artifact.Info{}) || !strings.Contains(err.Error(), src.String()) || errors.Is(err, artifact.ErrNotExist) {
				t.Errorf("got %+v with the error %v", info, err)
			}
			return
		}
		if info.Revision == "" || info.Size != int64(size) {
			t.Errorf("got %+v of %d bytes", info, size)
		}
		sums, err := src.Checksums(t.Context(), info)
		if err != nil {
			if len(sums) > 0 || !strings.Contains(err.Error(), src.String()) {
				t.Errorf("got %v with the error %v", sums, err)
			}
			return
		}
		checkSums(t, info, sums)
	})
}

func checkSums(t *testing.T, info artifact.Info, sums []artifact.Checksum) {
	t.Helper()
	if v, err := artifact.NewVerifier("a.tar.gz", info.Size, sums); err == nil {
		// Bytes that nobody published. The odds that their sums are right are those of a collision.
		_, _ = v.Write(bytes.Repeat([]byte{'!'}, int(info.Size)))
		if err := v.Verify(); err == nil && len(sums) > 0 && info.Size > 0 {
			t.Errorf("bytes that are not the artifact's are taken for it, by %v", sums)
		}
	}
	known := false
	for _, sum := range sums {
		text := hex.EncodeToString(sum.Sum)
		if len(sum.Sum) != md5.Size {
			t.Errorf("got %s of %d bytes", sum, len(sum.Sum))
		}
		if !sum.HexParts {
			known = known || text == info.MD5
			continue
		}
		if text != info.Revision {
			t.Errorf("got %s of the segments, and the Etag %s", sum, info.Revision)
		}
	}
	if info.MD5 != "" && !known {
		t.Errorf("got the md5 %q, which is not among the checksums %v", info.MD5, sums)
	}
}
