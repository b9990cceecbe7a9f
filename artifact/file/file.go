// Package file makes a directory a repository: on this machine, or mounted from another.
//
// An artifact is published by writing it under another name in the same file system and renaming it,
// so that nobody sees half of it. One that is overwritten in place while it is read is noticed and
// refused. The freshness of an artifact is its md5, which is computed once and remembered for as long
// as the file's size, modification time and inode stay what they were.
package file

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"

	"github.com/dropship/dropship/artifact"
)

// Config is what a repo block of type "file" takes.
type Config struct {
	// Root is the directory that holds the artifacts, as an absolute path. Nothing outside of it is
	// read: a link in it that leads out is an error. While it does not exist, since it is not mounted
	// perhaps, nothing is known of its artifacts: that is an error, but not artifact.ErrNotExist.
	Root      string    `hcl:"root"`
	RootRange hcl.Range `hcl:"root,attr_value_range"`
}

// SourceConfig is what an artifact block takes for a repository of type "file".
type SourceConfig struct {
	// Path is the artifact's file, relative to the repository's root, with slashes.
	Path      string    `hcl:"path"`
	PathRange hcl.Range `hcl:"path,attr_value_range"`
}

// Repository is a directory with artifacts.
type Repository struct{ root string }

var _ artifact.Repository = (*Repository)(nil)

// New decodes a repo block. It does no I/O.
func New(body hcl.Body, ectx *hcl.EvalContext) (artifact.Repository, hcl.Diagnostics) {
	var c Config
	diags := gohcl.DecodeBody(body, ectx, &c)
	if c.RootRange != (hcl.Range{}) && !diags.HasErrors() && !filepath.IsAbs(c.Root) {
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  "Root is not absolute",
			Detail:   fmt.Sprintf("The root %q must be an absolute path, like \"/srv/artifacts\", so that it does not depend on where the daemon was started.", c.Root),
			Subject:  &c.RootRange,
		})
	}
	if diags.HasErrors() {
		return nil, diags
	}
	return &Repository{root: filepath.Clean(c.Root)}, diags
}

// Source implements artifact.Repository.
func (r *Repository) Source(body hcl.Body, ectx *hcl.EvalContext) (artifact.Source, hcl.Diagnostics) {
	var c SourceConfig
	diags := gohcl.DecodeBody(body, ectx, &c)
	if diags.HasErrors() {
		return nil, diags
	}
	if problem := checkPath(c.Path); problem != "" {
		return nil, append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  "Invalid artifact path",
			Detail:   fmt.Sprintf("The path %q %s.", c.Path, problem),
			Subject:  &c.PathRange,
		})
	}
	return newSource(r.root, c.Path), diags
}

func checkPath(path string) string {
	switch {
	case path == "":
		return "is empty; it names the artifact's file below the repository's root"
	case strings.HasPrefix(path, "/"):
		return "is absolute; write it relative to the repository's root, without the slash at its start"
	case strings.HasSuffix(path, "/"):
		return "names a directory; an artifact is one file"
	case !filepath.IsLocal(filepath.FromSlash(path)):
		return "leads out of the repository's root"
	}
	return ""
}
