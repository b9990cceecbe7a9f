// Package swift takes artifacts from OpenStack Swift: any cloud's, and Rackspace Cloud Files.
//
// A check is one HEAD, and the revision is the object's Etag. For a plain object that is the md5 of its
// bytes. A large object, which is uploaded in segments, has one too that changes with every change of
// its segments, but no md5 of its bytes: a static one is checked by the sums of its segments, a dynamic
// one only by its size and by what the uploader put into its metadata.
package swift

import (
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/internal/attr"
	"github.com/dropship/dropship/dropship/secret"
)

// RackspaceAuthURL is where NewRackspace logs in unless authUrl says otherwise. It is v2.0 of their
// identity API, since v1.0 only knows the storage of the user's default region: a `region` would be
// ignored there.
const RackspaceAuthURL = "https://identity.api.rackspacecloud.com/v2.0"

// config is what a repo "swift" or repo "rackspace" block says.
type config struct {
	// User is the name to log in with; with v1 that is usually "account:user". Required.
	User   string    `hcl:"user"`
	UserAt hcl.Range `hcl:"user,attr_value_range"`

	// Key is the password, or at Rackspace the API key. Required.
	Key   secret.String `hcl:"key"`
	KeyAt hcl.Range     `hcl:"key,attr_value_range"`

	// AuthURL is where to log in, with the version in it as a rule: "https://…/auth/v1.0", "…/v2.0" or
	// "…/v3". Required for swift; for rackspace it is RackspaceAuthURL unless given.
	AuthURL   string    `hcl:"authUrl,optional"`
	AuthURLAt hcl.Range `hcl:"authUrl,attr_value_range"`

	// AuthVersion is 1, 2 or 3 where authUrl does not tell it.
	AuthVersion   int       `hcl:"authVersion,optional"`
	AuthVersionAt hcl.Range `hcl:"authVersion,attr_value_range"`

	// Region chooses among the storage endpoints in the catalog of v2 and v3; default: the first one.
	Region string `hcl:"region,optional"`

	// Tenant or TenantID is the project whose storage is meant, by name or by id (v2 and v3).
	Tenant   string    `hcl:"tenant,optional"`
	TenantID string    `hcl:"tenantId,optional"`
	TenantAt hcl.Range `hcl:"tenant,attr_value_range"`

	// Domain is the name of the user's and the project's domain (v3); default "Default".
	Domain string `hcl:"domain,optional"`
}

// artifactConfig is what an artifact block says about an artifact in Swift.
type artifactConfig struct {
	// Bucket is the container; required.
	Bucket   string    `hcl:"bucket"`
	BucketAt hcl.Range `hcl:"bucket,attr_value_range"`

	// Path is the object's name in the container, as it is, not percent-encoded; required.
	Path   string    `hcl:"path"`
	PathAt hcl.Range `hcl:"path,attr_value_range"`
}

// repository is one account at one Swift.
type repository struct {
	client *client
}

var _ artifact.Repository = (*repository)(nil)

// New makes the repository that a repo "swift" block describes. It does no I/O; every mistake in the
// block is a diagnostic.
func New(body hcl.Body, ectx *hcl.EvalContext) (artifact.Repository, hcl.Diagnostics) {
	return build(body, ectx, "")
}

// NewRackspace is New for a repo "rackspace" block: Swift at Rackspace's identity URL.
func NewRackspace(body hcl.Body, ectx *hcl.EvalContext) (artifact.Repository, hcl.Diagnostics) {
	return build(body, ectx, RackspaceAuthURL)
}

func build(body hcl.Body, ectx *hcl.EvalContext, defaultAuthURL string) (artifact.Repository, hcl.Diagnostics) {
	var c config
	diags := gohcl.DecodeBody(body, ectx, &c)
	for _, given := range []struct {
		name  string
		empty bool
		at    hcl.Range
	}{{"user", c.User == "", c.UserAt}, {"key", c.Key == "", c.KeyAt}} {
		if given.empty && attr.Decoded(diags, given.at) {
			diags = append(diags, attr.Mistake(given.at, "Empty credentials", given.name+" is empty; Swift needs both user and key."))
		}
	}
	if c.AuthURLAt == (hcl.Range{}) {
		c.AuthURL = defaultAuthURL
		if defaultAuthURL == "" {
			diags = append(diags, attr.Mistake(body.MissingItemRange(), "Missing required argument",
				`The argument "authUrl" is required: where to log in, like "https://swift.example.com/auth/v1.0" or "https://keystone.example.com/v3".`))
		}
	}
	if c.AuthURL != "" || attr.Decoded(diags, c.AuthURLAt) {
		diags = append(diags, c.checkAuth(diags)...)
	}
	if c.Tenant != "" && c.TenantID != "" {
		diags = append(diags, attr.Mistake(c.TenantAt, "Two projects", "tenant and tenantId both name the project; give one of them."))
	}
	if diags.HasErrors() {
		return nil, diags
	}
	return &repository{newClient(c)}, diags
}

// checkAuth checks authUrl and authVersion, and sets AuthVersion where the URL tells it.
func (c *config) checkAuth(diags hcl.Diagnostics) hcl.Diagnostics {
	refuse := func(at hcl.Range, summary, detail string) hcl.Diagnostics {
		return hcl.Diagnostics{attr.Mistake(at, summary, detail)}
	}
	u, err := url.Parse(c.AuthURL)
	switch {
	case err != nil:
		// The parser's error repeats the URL, which may hold a password.
		return refuse(c.AuthURLAt, "Invalid authUrl", "authUrl cannot be parsed. It looks like \"https://keystone.example.com/v3\".")
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return refuse(c.AuthURLAt, "Invalid authUrl", "authUrl must begin with http:// or https:// and a host, like \"https://keystone.example.com/v3\".")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return refuse(c.AuthURLAt, "Invalid authUrl", "authUrl must not contain credentials, a query or a fragment; use the attributes user and key.")
	case attr.Broken(diags, c.AuthVersionAt):
		return nil
	case c.AuthVersionAt != (hcl.Range{}) && (c.AuthVersion < 1 || c.AuthVersion > 3):
		return refuse(c.AuthVersionAt, "Unknown authVersion", fmt.Sprintf("authVersion is 1, 2 or 3, not %d.", c.AuthVersion))
	case c.AuthVersion == 0:
		if c.AuthVersion = versionIn(u.Path); c.AuthVersion == 0 {
			return refuse(c.AuthURLAt, "Unknown version of authentication",
				"authUrl does not have v1, v2 or v3 in its path; add authVersion = 1, 2 or 3.")
		}
	}
	return nil
}

// versionIn returns the version of authentication that the path of an authUrl names, or 0.
func versionIn(path string) int {
	for i, version := range []string{"v1", "v2", "v3"} {
		if strings.Contains(path, version) {
			return i + 1
		}
	}
	return 0
}

// Swift's limits, in bytes (its constraints max_container_name_length and max_object_name_length).
const (
	maxBucket = 256
	maxPath   = 1024
)

// Source implements artifact.Repository.
func (r *repository) Source(body hcl.Body, ectx *hcl.EvalContext) (artifact.Source, hcl.Diagnostics) {
	var c artifactConfig
	diags := gohcl.DecodeBody(body, ectx, &c)
	if attr.Decoded(diags, c.BucketAt) {
		detail := nameMistake("bucket", c.Bucket, maxBucket)
		if strings.Contains(c.Bucket, "/") {
			detail = "bucket is the name of a container and cannot have a slash in it; what follows the slash belongs into path."
		}
		if detail != "" {
			diags = append(diags, attr.Mistake(c.BucketAt, "Invalid bucket", detail))
		}
	}
	if attr.Decoded(diags, c.PathAt) {
		if detail := nameMistake("path", c.Path, maxPath); detail != "" {
			diags = append(diags, attr.Mistake(c.PathAt, "Invalid path of an artifact", detail))
		}
	}
	if diags.HasErrors() {
		return nil, diags
	}
	return &source{client: r.client, bucket: c.Bucket, path: c.Path}, diags
}

func nameMistake(attribute, value string, limit int) string {
	switch {
	case value == "":
		return attribute + " is empty; an artifact in Swift needs bucket and path."
	case len(value) > limit:
		return fmt.Sprintf("%s is %d bytes long; Swift takes %d at most.", attribute, len(value), limit)
	case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
		return attribute + " must be UTF-8 without a NUL."
	}
	return ""
}
