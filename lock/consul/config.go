package consul

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"

	"github.com/dropship/dropship/dropship/secret"
	"github.com/dropship/dropship/lock"
)

const (
	defaultPrefix = "dropship/slots"
	defaultTTL    = 15 * time.Second
	// What Consul accepts at all; what a cluster accepts begins at its session_ttl_min.
	minTTL = time.Second
	maxTTL = 24 * time.Hour
)

// connectionBlock is a consul block.
type connectionBlock struct {
	Address    string        `hcl:"address,optional"`
	Token      secret.String `hcl:"token,optional"`
	User       string        `hcl:"user,optional"`
	Password   secret.String `hcl:"password,optional"`
	UseSSL     *bool         `hcl:"useSSL,optional"`
	CAFile     string        `hcl:"caFile,optional"`
	Datacenter string        `hcl:"datacenter,optional"`

	AddressRange hcl.Range `hcl:"address,attr_value_range"`
	CAFileRange  hcl.Range `hcl:"caFile,attr_value_range"`
}

// lockBlock is a lock "consul" block: the keys of a consul block again, and its own two.
type lockBlock struct {
	Address    string        `hcl:"address,optional"`
	Token      secret.String `hcl:"token,optional"`
	User       string        `hcl:"user,optional"`
	Password   secret.String `hcl:"password,optional"`
	UseSSL     *bool         `hcl:"useSSL,optional"`
	CAFile     string        `hcl:"caFile,optional"`
	Datacenter string        `hcl:"datacenter,optional"`
	Prefix     *string       `hcl:"prefix,optional"`
	TTL        *string       `hcl:"ttl,optional"`

	AddressRange hcl.Range `hcl:"address,attr_value_range"`
	CAFileRange  hcl.Range `hcl:"caFile,attr_value_range"`
	PrefixRange  hcl.Range `hcl:"prefix,attr_value_range"`
	TTLRange     hcl.Range `hcl:"ttl,attr_value_range"`
}

// Decode reads a consul block: address, token, user, password, useSSL, caFile, datacenter, all optional.
func Decode(body hcl.Body, ectx *hcl.EvalContext) (Connection, hcl.Diagnostics) {
	var b connectionBlock
	diags := gohcl.DecodeBody(body, ectx, &b)
	c := Connection{b.Address, b.Token, b.User, b.Password, b.UseSSL, b.CAFile, b.Datacenter}
	return c, append(diags, c.problems(c, b.AddressRange, b.CAFileRange, body.MissingItemRange())...)
}

// New makes a locker from a lock "consul" block: prefix (default "dropship/slots"), ttl (default "15s"),
// and the keys of a consul block, each of which, if set, takes the place of the shared one. A nil body is
// an empty block. It does no I/O: whether Consul can be reached shows in Acquire.
func New(shared Connection, body hcl.Body, ectx *hcl.EvalContext) (lock.Locker, hcl.Diagnostics) {
	l := &Locker{connection: shared, prefix: defaultPrefix, ttl: defaultTTL, dial: Connection.dial, clock: uptime}
	if body == nil {
		return l, nil
	}
	var b lockBlock
	diags := gohcl.DecodeBody(body, ectx, &b)
	own := Connection{b.Address, b.Token, b.User, b.Password, b.UseSSL, b.CAFile, b.Datacenter}
	l.connection = shared.override(own)
	diags = append(diags, own.problems(l.connection, b.AddressRange, b.CAFileRange, body.MissingItemRange())...)
	if b.Prefix != nil {
		l.prefix = strings.TrimSuffix(*b.Prefix, "/")
		if problem := prefixProblem(l.prefix); problem != "" {
			diags = append(diags, invalid("Invalid lock prefix", problem, b.PrefixRange))
		}
	}
	if b.TTL != nil {
		ttl, err := time.ParseDuration(*b.TTL)
		switch {
		case err != nil:
			diags = append(diags, invalid("Invalid lock ttl",
				fmt.Sprintf("%q is no duration. Write a number and a unit, as in \"15s\" or \"1m\".", *b.TTL), b.TTLRange))
		case ttl < minTTL || ttl > maxTTL:
			diags = append(diags, invalid("Invalid lock ttl",
				fmt.Sprintf("The ttl is %s; Consul allows 1s to 24h, and less than its session_ttl_min (10s by default) only if that is lowered.", ttl), b.TTLRange))
		}
		l.ttl = ttl
	}
	if diags.HasErrors() {
		return nil, diags
	}
	return l, diags
}

// problems returns what is wrong with c as written; whole is c together with what it inherits. What concerns
// a credential is reported at the block, since the line of a diagnostic is printed with it.
func (c Connection) problems(whole Connection, address, caFile, block hcl.Range) hcl.Diagnostics {
	var diags hcl.Diagnostics
	if strings.Contains(c.Address, "@") {
		diags = append(diags, invalid("Credential in the Consul address",
			"A name and password do not belong into the address: set user and password.", block))
	} else if problem := addressProblem(c.Address); problem != "" {
		diags = append(diags, invalid("Invalid Consul address", problem, address))
	}
	if c.CAFile != "" && !filepath.IsAbs(c.CAFile) {
		diags = append(diags, invalid("Relative path of a CA file",
			fmt.Sprintf("caFile must be an absolute path, as the daemon may be started anywhere; %q is not.", c.CAFile), caFile))
	}
	if c.Password != "" && whole.User == "" {
		diags = append(diags, invalid("Password without a user",
			"A password is sent as HTTP basic auth, together with a user: set user as well.", block))
	}
	return diags
}

func addressProblem(address string) string {
	if address == "" {
		return ""
	}
	const forms = `Write host:port, http://host:port, https://host:port or unix:///path.`
	scheme, rest, found := strings.Cut(address, "://")
	if !found {
		scheme, rest = "http", address
	}
	if scheme == "unix" {
		if !strings.HasPrefix(rest, "/") {
			return "A unix socket is named by an absolute path. " + forms
		}
		return ""
	}
	u, err := url.Parse(scheme + "://" + rest)
	switch {
	case scheme != "http" && scheme != "https":
		return "It is no address that Consul's client understands. " + forms
	case err != nil || u.Hostname() == "":
		return "It has no host. " + forms
	}
	return ""
}

func prefixProblem(prefix string) string {
	if prefix == "" {
		return `The prefix is empty. It is the folder of keys below which slots are kept, as in "dropship/slots".`
	}
	for segment := range strings.SplitSeq(prefix, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return fmt.Sprintf(`%q has an empty, "." or ".." part. Write names with "/" between them, as in "dropship/slots".`, prefix)
		}
	}
	return ""
}

// bare returns address without its scheme.
func bare(address string) string {
	if _, rest, found := strings.Cut(address, "://"); found {
		return rest
	}
	return address
}

func invalid(summary, detail string, subject hcl.Range) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &subject}
}
