// Package http takes artifacts from a web server, over HTTP and HTTPS.
//
// A check is one conditional HEAD. What the server says about a file decides how well it can be
// trusted: a strong ETag pins the bytes, Repr-Digest, Digest and Content-MD5 headers and the sidecar
// files PATH.sha256 and PATH.md5 verify them. An ETag is never taken for an md5, whatever it looks like.
//
// An artifact and its sidecar are two files, so for a moment they are of two versions while somebody
// publishes. Bytes that meet the wrong one are refused, and the next attempt finds both in place.
package http

import (
	"fmt"
	"maps"
	nethttp "net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/internal/attr"
	"github.com/dropship/dropship/dropship/secret"
)

// config is what a repo "http" block says.
type config struct {
	// URL is what the paths of artifacts are below, with http or https and a host; required.
	// Credentials, a query and a fragment have no place in it.
	URL   string    `hcl:"url"`
	URLAt hcl.Range `hcl:"url,attr_value_range"`

	// User and Password are sent as basic authentication; both or neither. Like Headers they go to the
	// scheme, host and port of URL alone: they do not follow a redirect to another.
	User       string        `hcl:"user,optional"`
	UserAt     hcl.Range     `hcl:"user,attr_value_range"`
	Password   secret.String `hcl:"password,optional"`
	PasswordAt hcl.Range     `hcl:"password,attr_value_range"`

	// Headers are sent with every request (an API key, a token); their values are secrets.
	Headers   map[string]secret.String `hcl:"headers,optional"`
	HeadersAt hcl.Range                `hcl:"headers,attr_value_range"`

	// CAFile is the absolute path of a PEM file with certificates of authorities to trust besides the
	// system's. It is read at the first request.
	CAFile   string    `hcl:"caFile,optional"`
	CAFileAt hcl.Range `hcl:"caFile,attr_value_range"`
}

// artifactConfig is what an artifact block says about an artifact on a web server.
type artifactConfig struct {
	// Path is the artifact's path below the repository's url, as people write it: not percent-encoded,
	// each part of it is encoded on the way. A leading slash changes nothing; required.
	Path   string    `hcl:"path"`
	PathAt hcl.Range `hcl:"path,attr_value_range"`
}

// repository is one web server, or one folder of it.
type repository struct {
	client *client
}

var _ artifact.Repository = (*repository)(nil)

// New makes the repository that a repo block describes. It does no I/O; every mistake in the block is
// a diagnostic.
func New(body hcl.Body, ectx *hcl.EvalContext) (artifact.Repository, hcl.Diagnostics) {
	var c config
	diags := gohcl.DecodeBody(body, ectx, &c)
	base, more := c.baseURL(diags)
	diags = append(diags, more...)
	diags = append(diags, c.checkCredentials(diags)...)
	diags = append(diags, c.checkHeaders()...)
	if c.CAFile != "" && !filepath.IsAbs(c.CAFile) {
		diags = append(diags, attr.Mistake(c.CAFileAt, "Relative path of a CA file",
			fmt.Sprintf("caFile must be an absolute path, as the daemon may be started anywhere; %q is not.", c.CAFile)))
	}
	if diags.HasErrors() {
		return nil, diags
	}
	return &repository{&client{
		base: base, user: c.User, password: c.Password, headers: c.Headers, caFile: c.CAFile,
	}}, diags
}

// baseURL returns the parsed url. A value that could not be decoded has its diagnostic in diags already.
func (c config) baseURL(diags hcl.Diagnostics) (*url.URL, hcl.Diagnostics) {
	if !attr.Decoded(diags, c.URLAt) {
		return nil, nil
	}
	refuse := func(detail string) (*url.URL, hcl.Diagnostics) {
		return nil, hcl.Diagnostics{attr.Mistake(c.URLAt, "Invalid URL of a repository", detail)}
	}
	u, err := url.Parse(c.URL)
	switch {
	case err != nil:
		// The parser's error repeats the URL, which may hold a password.
		return refuse("url cannot be parsed. It looks like \"https://artifacts.example.com/releases\".")
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return refuse("url must begin with http:// or https:// and a host, like \"https://artifacts.example.com/releases\".")
	case u.User != nil:
		return refuse("url must not contain credentials, since URLs are logged; use the attributes user and password.")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return refuse("url must not contain a query or a fragment; the paths of artifacts are appended to it.")
	}
	return u, nil
}

func (c config) checkCredentials(diags hcl.Diagnostics) hcl.Diagnostics {
	const summary = "Incomplete credentials"
	switch {
	case attr.Broken(diags, c.UserAt, c.PasswordAt):
		return nil // it is there, only not usable
	case c.User != "" && c.Password == "":
		return hcl.Diagnostics{attr.Mistake(c.UserAt, summary, "user is given and password is not; basic authentication needs both.")}
	case c.User == "" && c.Password != "":
		return hcl.Diagnostics{attr.Mistake(c.PasswordAt, summary, "password is given and user is not; basic authentication needs both.")}
	case strings.Contains(c.User, ":"):
		return hcl.Diagnostics{attr.Mistake(c.UserAt, "Invalid user", "user must not contain a colon: basic authentication ends the name at it.")}
	}
	return nil
}

// ownHeaders are those on which the meaning of a request depends, in canonical form; they are not the user's.
var ownHeaders = []string{
	"Accept-Encoding", "Connection", "Content-Length", "Host", "Range", "Transfer-Encoding",
	"If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since",
}

func (c config) checkHeaders() hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		value := c.Headers[name]
		canonical := nethttp.CanonicalHeaderKey(name)
		switch {
		case !isToken(name):
			diags = append(diags, attr.Mistake(c.HeadersAt, "Invalid header name",
				fmt.Sprintf("%q is no name of an HTTP header: letters, digits and hyphens make one.", name)))
		case strings.ContainsFunc(value.Reveal(), func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
			diags = append(diags, attr.Mistake(c.HeadersAt, "Invalid header value",
				fmt.Sprintf("The value of header %q contains a control character, such as the end of a line.", name)))
		case canonical == "Authorization" && c.User != "":
			diags = append(diags, attr.Mistake(c.HeadersAt, "Two kinds of credentials",
				"headers has Authorization, and user and password make one too; give one of them."))
		case slices.Contains(ownHeaders, canonical):
			diags = append(diags, attr.Mistake(c.HeadersAt, "Reserved header",
				fmt.Sprintf("Header %q is set by Dropship itself, and cannot be in headers.", name)))
		}
	}
	return diags
}

// isToken reports whether name is a token of RFC 9110, as names of headers must be.
func isToken(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

// Source implements artifact.Repository.
func (r *repository) Source(body hcl.Body, ectx *hcl.EvalContext) (artifact.Source, hcl.Diagnostics) {
	var c artifactConfig
	diags := gohcl.DecodeBody(body, ectx, &c)
	if attr.Decoded(diags, c.PathAt) {
		if detail := pathMistake(c.Path); detail != "" {
			diags = append(diags, attr.Mistake(c.PathAt, "Invalid path of an artifact", detail))
		}
	}
	if diags.HasErrors() {
		return nil, diags
	}
	u := below(r.client.base, c.Path)
	return &source{client: r.client, url: u, name: secret.Redact(u), method: nethttp.MethodHead}, diags
}

func pathMistake(path string) string {
	switch path = strings.TrimLeft(path, "/"); {
	case path == "":
		return "path is empty; it names the artifact below the repository's url, like \"my-service.tar.gz\"."
	case strings.HasSuffix(path, "/"):
		return "path ends in a slash, so it names a folder; it must name a file."
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "." || part == ".." {
			return fmt.Sprintf("path must not contain the part %q: servers and proxies resolve it, each in its own way.", part)
		}
	}
	return ""
}

// below returns the URL of the file at path, which is not encoded, below base.
func below(base *url.URL, path string) *url.URL {
	path = strings.TrimLeft(path, "/")
	parts := strings.Split(path, "/")
	for i, part := range parts {
		// A plus sign means itself in a path, but some object stores read it as a space.
		parts[i] = strings.ReplaceAll(url.PathEscape(part), "+", "%2B")
	}
	u := *base
	u.Path = strings.TrimRight(base.Path, "/") + "/" + path
	u.RawPath = strings.TrimRight(base.EscapedPath(), "/") + "/" + strings.Join(parts, "/")
	return &u
}
