// Package s3 makes buckets of Amazon S3, and of every server that speaks its protocol, a repository.
//
// It needs s3:GetObject and nothing more. With s3:ListBucket too an absent artifact is told from one
// that may not be read.
package s3

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/internal/attr"
	"github.com/dropship/dropship/dropship/secret"
)

// Config is what a repo block of type "s3" takes. All of it is optional, and an empty string is as
// good as none, so that env("X") may be unset.
type Config struct {
	// AccessKey and Secret are the credentials, both or none. Without them they come from where every
	// AWS tool looks: the AWS_* environment, the shared configuration files with AWS_PROFILE, a web
	// identity, or the role of the machine.
	AccessKey      secret.String `hcl:"accessKey,optional"`
	AccessKeyRange hcl.Range     `hcl:"accessKey,attr_value_range"`
	Secret         secret.String `hcl:"secret,optional"`
	SecretRange    hcl.Range     `hcl:"secret,attr_value_range"`
	// Token is the session token that belongs to temporary credentials.
	Token      secret.String `hcl:"token,optional"`
	TokenRange hcl.Range     `hcl:"token,attr_value_range"`
	// Region (the attribute is "name", as it always was) is where the bucket is, like "us-west-1".
	// Default: AWS_REGION, or the profile's; with an endpoint of one's own "us-east-1".
	Region string `hcl:"name,optional"`
	// Endpoint is the URL of a server other than Amazon's, like "https://minio.example.com:9000".
	// Buckets are then part of the path, not of the host name. Default: AWS_ENDPOINT_URL_S3, or
	// AWS_ENDPOINT_URL, or Amazon's for the region.
	Endpoint      string    `hcl:"endpoint,optional"`
	EndpointRange hcl.Range `hcl:"endpoint,attr_value_range"`
}

// SourceConfig is what an artifact block takes for a repository of type "s3".
type SourceConfig struct {
	// Bucket is the bucket's name, or the ARN of an access point.
	Bucket      string    `hcl:"bucket"`
	BucketRange hcl.Range `hcl:"bucket,attr_value_range"`
	// Path is the object's key, exactly: a slash at its start would be part of it.
	Path      string    `hcl:"path"`
	PathRange hcl.Range `hcl:"path,attr_value_range"`
}

// Repository is an account at an S3 server.
type Repository struct{ client *lazyClient }

var _ artifact.Repository = (*Repository)(nil)

// New decodes a repo block. It does no I/O: the credentials are looked for when they are needed first.
func New(body hcl.Body, ectx *hcl.EvalContext) (artifact.Repository, hcl.Diagnostics) {
	var c Config
	diags := gohcl.DecodeBody(body, ectx, &c)
	diags = append(diags, c.check(diags)...)
	if diags.HasErrors() {
		return nil, diags
	}
	return &Repository{client: &lazyClient{config: c}}, diags
}

// check looks at what could be decoded: of the rest, diags says already what is wrong.
func (c *Config) check(diags hcl.Diagnostics) (more hcl.Diagnostics) {
	const both = "Set accessKey and secret both, or none of them: then the AWS environment, profile or machine role is used."
	switch {
	case attr.Broken(diags, c.AccessKeyRange, c.SecretRange):
	case c.AccessKey != "" && c.Secret == "":
		more = append(more, attr.Mistake(c.AccessKeyRange, "Access key without secret", "There is an accessKey but no secret. "+both))
	case c.AccessKey == "" && c.Secret != "":
		more = append(more, attr.Mistake(c.SecretRange, "Secret without access key", "There is a secret but no accessKey. "+both))
	case c.AccessKey == "" && c.Token != "":
		more = append(more, attr.Mistake(c.TokenRange, "Token without access key", "A token belongs to temporary credentials: set the accessKey and secret that came with it."))
	}
	if problem := checkEndpoint(c.Endpoint); problem != "" {
		more = append(more, attr.Mistake(c.EndpointRange, "Invalid endpoint", fmt.Sprintf("The endpoint %q %s.", secret.URL(c.Endpoint), problem)))
	}
	return more
}

func checkEndpoint(endpoint string) string {
	if endpoint == "" {
		return ""
	}
	u, err := url.Parse(endpoint)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return `is no URL of a server; write it like "https://s3.example.com"`
	case u.User != nil:
		return "has credentials in it; use accessKey and secret"
	case u.RawQuery != "" || u.Fragment != "":
		return "has a query or a fragment; write only scheme, host and port"
	}
	return ""
}

// Source implements artifact.Repository.
func (r *Repository) Source(body hcl.Body, ectx *hcl.EvalContext) (artifact.Source, hcl.Diagnostics) {
	var c SourceConfig
	diags := gohcl.DecodeBody(body, ectx, &c)
	if attr.Decoded(diags, c.BucketRange) && (c.Bucket == "" || strings.Contains(c.Bucket, "/") && !strings.HasPrefix(c.Bucket, "arn:")) {
		diags = append(diags, attr.Mistake(c.BucketRange, "Invalid bucket name",
			fmt.Sprintf("%q is no bucket's name. It is not empty and has no slash; what comes after the bucket goes into path.", c.Bucket)))
	}
	if attr.Decoded(diags, c.PathRange) && c.Path == "" {
		diags = append(diags, attr.Mistake(c.PathRange, "Invalid artifact path", "The path is empty; it is the key of the artifact's object."))
	}
	if diags.HasErrors() {
		return nil, diags
	}
	return &source{client: r.client, bucket: c.Bucket, key: c.Path}, diags
}
