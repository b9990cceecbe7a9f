package s3_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dropship/dropship/artifact"
)

// FuzzAnswers wants that a server, whatever its headers are, is believed only where it can be checked: an md5 is
// one, and among the checksums; a checksum has bytes, and parts that add up to the object.
func FuzzAnswers(f *testing.F) {
	const md5Base64 = "1B2M2Y8AsgTpgAmY7PhCfg=="
	for _, seed := range []struct{ etag, sha256, crc, metadata, encryption, version, parts string }{
		{`"` + md5OfNothing + `"`, "", "", "", "", "", ""},
		{strings.ToUpper(md5OfNothing), "", "", md5OfNothing, "AES256", "v1", ""},
		{`"` + md5OfNothing + `-2"`, "", "", md5Base64, "", "null", "2"},
		{md5OfNothing + "-2", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=-2", "AAAAAA==", "!", "", "", "3"},
		{md5OfNothing + "-99999999999999999999", "47DE-0", "====", "", "aws:kms", " ", "-1"},
		{`W/"x"`, "-", "AAAAAA==-+3", "x", "?", `"`, "3"},
		{"", "", "", "", "", "", ""},
	} {
		f.Add(seed.etag, seed.sha256, seed.crc, seed.metadata, seed.encryption, seed.version, seed.parts, uint16(10))
	}
	var answer func(w http.ResponseWriter, r *http.Request)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answer(w, r) }))
	f.Cleanup(server.Close)
	src := source(f, fmt.Sprintf("accessKey = \"a\"\nsecret = \"s\"\nname = \"us-west-1\"\nendpoint = %q\n", server.URL), "bucket", "a.tar.gz")

	f.Fuzz(func(t *testing.T, etag, sha256, crc, metadata, encryption, version, parts string, size uint16) {
		if _, after, _ := strings.Cut(etag, "-"); len(strings.TrimRight(after, `"`)) > 2 && parts != "" {
			t.Skip("it takes a request for each part")
		}
		answer = func(w http.ResponseWriter, r *http.Request) {
			for name, value := range map[string]string{
				"Etag": etag, "X-Amz-Checksum-Sha256": sha256, "X-Amz-Checksum-Crc32": crc, "X-Amz-Meta-Md5": metadata,
				"X-Amz-Server-Side-Encryption": encryption, "X-Amz-Version-Id": version, "X-Amz-Mp-Parts-Count": parts,
			} {
				if value != "" {
					w.Header().Set(name, value)
				}
			}
			length := int(size)
			if r.URL.Query().Has("partNumber") {
				length /= 2
			}
			w.Header().Set("Content-Length", fmt.Sprint(length))
		}
		info, err := src.Stat(t.Context())
		if err != nil {
			if info != (artifact.Info{}) || !strings.Contains(err.Error(), src.String()) {
				t.Errorf("got %+v with the error %v", info, err)
			}
			return
		}
		if info.Revision == "" || info.Size != int64(size) {
			t.Errorf("got %+v of %d bytes", info, size)
		}
		sums, err := src.Checksums(t.Context(), info)
		if err != nil && len(sums) > 0 {
			t.Errorf("got %v with the error %v", sums, err)
		}
		if err == nil {
			checkSums(t, info, sums)
		}
	})
}

func checkSums(t *testing.T, info artifact.Info, sums []artifact.Checksum) {
	t.Helper()
	known := false
	for _, sum := range sums {
		if len(sum.Sum) == 0 {
			t.Errorf("got %s, without a sum", sum)
		}
		var total int64
		for _, n := range sum.PartSizes {
			total += n
		}
		if len(sum.PartSizes) > 0 && total != info.Size {
			t.Errorf("got parts %v of %d bytes", sum.PartSizes, info.Size)
		}
		known = known || sum.Algorithm == artifact.MD5 && len(sum.PartSizes) == 0 && fmt.Sprintf("%x", sum.Sum) == info.MD5
	}
	if info.MD5 != "" && !known {
		t.Errorf("got the md5 %q, which is not among the checksums %v", info.MD5, sums)
	}
}
