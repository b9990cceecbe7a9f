// The tests of this file are in the package itself: headers are read before anything of them is shown.

package http

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	nethttp "net/http"
	"testing"

	"github.com/dropship/dropship/artifact"
)

// FuzzHeaders wants that the headers of a server, whatever they are, make a state that is itself and has checksums
// of the right sizes, or none; that an md5 is known only where all that is said agrees with it; and that a
// file whose changes could not be noticed is refused.
func FuzzHeaders(f *testing.F) {
	const sum = "XrY7u+Ae7tCTyyK7j1rNww=="
	for _, seed := range []struct{ etag, modified, digest, repr, md5, span string }{
		{`"1"`, "Sat, 21 Nov 2026 00:00:00 GMT", "", "", "", "bytes 0-9/10"},
		{`W/"1"`, "yesterday", "MD5=" + sum + ", SHA-256=uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=", "", sum, "bytes */10"},
		{"", "", "sha=Kq5sNclPz7QV2+lfQIuc6R7oRu0=,unixsum=30637", "", "", "bytes 1-/"},
		{"unquoted", "", "", "md5=:" + sum + ":;x=1, sha-512=:AAAA:", "", "bytes -1-2/-3"},
		{`"`, "x", "sha-256=!", "sha-256=:" + sum + ":", "5eb63bbbe01eeed093cb22bb8f5acdc3", "bytes 9223372036854775808-*/*"},
		{`"2"`, "", "md5=" + sum, "", "AAAAAAAAAAAAAAAAAAAAAA==", "*/*"},
	} {
		f.Add(seed.etag, seed.modified, seed.digest, seed.repr, seed.md5, seed.span, int64(10), false)
		f.Add(seed.etag, seed.modified, seed.digest, seed.repr, seed.md5, seed.span, int64(-1), true)
	}
	f.Fuzz(func(t *testing.T, etag, modified, digest, repr, contentMD5, span string, length int64, partial bool) {
		resp := &nethttp.Response{
			StatusCode:    nethttp.StatusOK,
			ContentLength: max(length, -1), // as net/http has it
			Header: nethttp.Header{
				"Etag": {etag}, "Last-Modified": {modified}, "Digest": {digest}, "Repr-Digest": {repr},
				"Content-Md5": {contentMD5}, "Content-Range": {span},
			},
		}
		if partial {
			resp.StatusCode = nethttp.StatusPartialContent
		}
		if part, err := contentRange(resp); min(part.First, part.Last, part.Size) < -1 || err != nil && max(part.First, part.Last, part.Size) > -1 {
			t.Errorf("Content-Range %q: got %+v, %v", span, part, err)
		}
		st, err := stateOf(resp)
		if (err != nil) != (etag == "" && modified == "") {
			t.Errorf("ETag %q and Last-Modified %q: got error %v", etag, modified, err)
		}
		if err != nil {
			return
		}
		checkState(t, st)
		resp.ContentLength = -1
		if unsized, err := stateOf(resp); err != nil || !st.is(unsized.info) || !unsized.is(st.info) {
			t.Errorf("got another state, %+v, or %v, where the length is not told", unsized.info, err)
		}
		whole, err := base64.StdEncoding.DecodeString(contentMD5)
		if wellFormed := err == nil && len(whole) == md5.Size; st.sumsErr == nil && wellFormed {
			if got, want := st.info.MD5, hex.EncodeToString(whole); got != want {
				t.Errorf("Content-MD5 %q: got the md5 %q, want %q", contentMD5, got, want)
			}
		}
		resp.Header.Set("ETag", `"`+etag)
		if next, err := stateOf(resp); err != nil || next.is(st.info) || st.is(next.info) {
			t.Errorf("the states with the ETags %q and %q are the same, or %v", etag, `"`+etag, err)
		}
	})
}

func checkState(t *testing.T, st state) {
	t.Helper()
	if st.info.Revision == "" || st.info.Size < -1 || !st.is(st.info) {
		t.Errorf("got %+v", st.info)
	}
	if st.sumsErr != nil && (len(st.sums) > 0 || st.info.MD5 != "") {
		t.Errorf("got %v and md5 %q with the error %v", st.sums, st.info.MD5, st.sumsErr)
	}
	known := false
	for _, sum := range st.sums {
		if len(sum.Sum) == 0 || len(sum.Sum) != sumSizes[sum.Algorithm] {
			t.Errorf("got %s of %d bytes", sum, len(sum.Sum))
		}
		if sum.Algorithm == artifact.MD5 {
			known = true
			if got := hex.EncodeToString(sum.Sum); got != st.info.MD5 {
				t.Errorf("got the md5 %s, and %s among the checksums", st.info.MD5, got)
			}
		}
	}
	if known != (st.info.MD5 != "") {
		t.Errorf("got the md5 %q of %v", st.info.MD5, st.sums)
	}
}
