package http_test

import (
	"errors"
	"fmt"
	nethttp "net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/dropship/dropship/artifact"
)

const (
	helloMD5    = "5eb63bbbe01eeed093cb22bb8f5acdc3" // of "hello world"
	helloSHA256 = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"

	helloMD5Base64    = "XrY7u+Ae7tCTyyK7j1rNww=="
	helloSHA256Base64 = "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek="
	helloSHA1Base64   = "Kq5sNclPz7QV2+lfQIuc6R7oRu0="
)

// withHeader serves hello.tar.gz with a strong ETag and the header.
func withHeader(t *testing.T, name, value string) artifact.Source {
	t.Helper()
	f := newFolder(t, "")
	f.publish(t, "hello.tar.gz", []byte("hello world"))
	server := serve(t, func(w nethttp.ResponseWriter, r *nethttp.Request) {
		w.Header().Set("ETag", `"1"`)
		w.Header().Set(name, value)
		f.plain().ServeHTTP(w, r)
	})
	return sourceOf(t, repoAt(server.URL), "hello.tar.gz")
}

func TestDigestHeaders(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		header, value string
		md5           string // Info.MD5
		want          string // all checksums, strongest first
	}{
		{"Content-MD5", helloMD5Base64, helloMD5, "[md5:" + helloMD5 + "]"},
		{"Digest", "MD5=" + helloMD5Base64 + ", SHA-256=" + helloSHA256Base64, helloMD5, "[sha256:" + helloSHA256 + " md5:" + helloMD5 + "]"},
		{"Digest", "sha=" + helloSHA1Base64 + ",unixsum=30637", "", "[sha1:2aae6c35c94fcfb415dbe95f408b9ce91ee846ed]"},
		{"Repr-Digest", "md5=:" + helloMD5Base64 + ":;x=1, sha-512=:AAAA:", helloMD5, "[md5:" + helloMD5 + "]"},
		{"Content-Digest", "sha-256=:" + helloSHA256Base64 + ":", "", "[]"},
		{"X-Else", "1", "", "[]"},
	} {
		src := withHeader(t, tt.header, tt.value)
		info := stat(t, src)
		sums, err := src.Checksums(t.Context(), info)
		if got := fmt.Sprint(sums); err != nil || got != tt.want {
			t.Errorf("%s: %s: got the checksums %s and error %v, want %s", tt.header, tt.value, got, err, tt.want)
		}
		if info.MD5 != tt.md5 {
			t.Errorf("%s: %s: got the md5 %q, want %q", tt.header, tt.value, info.MD5, tt.md5)
		}
	}
}

func TestMalformedDigestHeaders(t *testing.T) {
	t.Parallel()
	for header, value := range map[string]string{
		"Content-MD5": helloMD5, // hex, where base64 belongs
		"Digest":      "sha-256=!",
		"Repr-Digest": "sha-256=:" + helloMD5Base64 + ":",
	} {
		src := withHeader(t, header, value)
		info := stat(t, src) // a check does not need it
		if info.MD5 != "" {
			t.Errorf("%s: got the md5 %q, want none", header, info.MD5)
		}
		if sums, err := src.Checksums(t.Context(), info); err == nil || !strings.Contains(err.Error(), header) {
			t.Errorf("%s: got the checksums %v and error %v, want an error that names the header", header, sums, err)
		}
	}
}

func TestSidecars(t *testing.T) {
	t.Parallel()
	const other = "00000000000000000000000000000000"
	for _, tt := range []struct {
		name        string
		sha256, md5 string // the sidecar's text; "" none, a number: this status
		want        string // the checksums
		wantErr     string
	}{
		{"none", "", "", "[]", ""},
		{"hex alone", helloSHA256 + "\n", "", "[sha256:" + helloSHA256 + "]", ""},
		{"upper case, no end of line", strings.ToUpper(helloSHA256), "", "[sha256:" + helloSHA256 + "]", ""},
		{"sha256 goes before md5", helloSHA256, other, "[sha256:" + helloSHA256 + "]", ""},
		{"md5sum", "", helloMD5 + "  hello.tar.gz\r\n", "[md5:" + helloMD5 + "]", ""},
		{"md5sum of a binary file", "", helloMD5 + " *build/hello.tar.gz\n", "[md5:" + helloMD5 + "]", ""},
		{"escaped name", "", `\` + helloMD5 + `  hello.tar.gz`, "[md5:" + helloMD5 + "]", ""},
		{"BSD", "", "MD5 (hello.tar.gz) = " + helloMD5 + "\n", "[md5:" + helloMD5 + "]", ""},
		{"BSD sha256", "SHA256 (hello.tar.gz) = " + helloSHA256, "", "[sha256:" + helloSHA256 + "]", ""},
		{"renamed artifact", "", helloMD5 + "  hello-1.2.3.tar.gz\n", "[md5:" + helloMD5 + "]", ""},
		{"many", "", "# all of it\n\n" + other + "  a.tar.gz\n" + helloMD5 + "  hello.tar.gz\n" + other + "  z.tar.gz\n", "[md5:" + helloMD5 + "]", ""},
		{"many, named last", "", other + "  a.tar.gz\n" + helloMD5 + "  ./hello.tar.gz\n", "[md5:" + helloMD5 + "]", ""},
		{"gone", "410", "404", "[]", ""},

		{"not among many", "", other + "  a.tar.gz\n" + other + "  b.tar.gz\n", "", `none of its 2 lines is about "hello.tar.gz"`},
		{"twice, different", "", other + "  hello.tar.gz\n" + helloMD5 + "  hello.tar.gz\n", "", "different checksums"},
		{"empty", "", "\n", "", "it is empty"},
		{"a page of HTML", "<!doctype html>\n<title>My app</title>\n", "", "", "no sha256 checksum"},
		{"md5 in a sha256 file", helloMD5, "", "", "no sha256 checksum"},
		{"other algorithm", "", "SHA1 (hello.tar.gz) = " + helloMD5, "", "no md5 checksum"},
		{"too large", strings.Repeat(helloSHA256+"  a\n", 2000), "", "", "larger than 65536 bytes"},
		{"broken server", "500", helloMD5, "", "500 Internal Server Error"},
		{"refused", "403", helloMD5, "", "access denied"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFolder(t, "")
			f.publish(t, "dir/hello.tar.gz", []byte("hello world"))
			server := serve(t, func(w nethttp.ResponseWriter, r *nethttp.Request) {
				text := map[string]string{"/dir/hello.tar.gz.sha256": tt.sha256, "/dir/hello.tar.gz.md5": tt.md5}[r.URL.Path]
				if code, err := strconv.Atoi(text); err == nil {
					w.WriteHeader(code)
				} else if text != "" {
					fmt.Fprint(w, text)
				} else {
					f.plain().ServeHTTP(w, r)
				}
			})
			src := sourceOf(t, repoAt(server.URL), "dir/hello.tar.gz")
			sums, err := src.Checksums(t.Context(), stat(t, src))
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) || !strings.Contains(err.Error(), src.String()) {
					t.Errorf("got the checksums %v and error %v, want an error with %q", sums, err, tt.wantErr)
				}
				return
			}
			if got := fmt.Sprint(sums); err != nil || got != tt.want {
				t.Errorf("got the checksums %s and error %v, want %s", got, err, tt.want)
			}
		})
	}
}

// A header and a sidecar are two promises; the bytes have to keep both.
func TestHeaderAndSidecar(t *testing.T) {
	t.Parallel()
	f := newFolder(t, ".md5")
	f.publish(t, "a", []byte("hello world"))
	src := sourceOf(t, repoAt(serve(t, f.strong().ServeHTTP).URL), "a")
	sums, err := src.Checksums(t.Context(), stat(t, src))
	if got, want := fmt.Sprint(sums), "[sha256:"+helloSHA256+" md5:"+helloMD5+"]"; err != nil || got != want {
		t.Errorf("got the checksums %s and error %v, want %s", got, err, want)
	}
}

// After a restart nothing is remembered, and the artifact may have changed meanwhile.
func TestChecksumsWithoutCheck(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "")
	f.publish(t, "a", []byte("hello world"))
	server := serve(t, f.strong().ServeHTTP)
	info := stat(t, sourceOf(t, repoAt(server.URL), "a"))

	sums, err := sourceOf(t, repoAt(server.URL), "a").Checksums(t.Context(), info)
	if got, want := fmt.Sprint(sums), "[sha256:"+helloSHA256+"]"; err != nil || got != want {
		t.Errorf("got the checksums %s and error %v, want %s", got, err, want)
	}
	f.publish(t, "a", []byte("other"))
	if _, err := sourceOf(t, repoAt(server.URL), "a").Checksums(t.Context(), info); !errors.Is(err, artifact.ErrChanged) {
		t.Errorf("got error %v, want ErrChanged", err)
	}
}
