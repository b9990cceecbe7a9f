package file

import (
	"fmt"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"

	"github.com/dropship/dropship/lock"
)

// block is a lock "file" block.
type block struct {
	Path      string    `hcl:"path"`
	PathRange hcl.Range `hcl:"path,attr_value_range"`
}

// New makes a locker from a lock "file" block: path, the absolute name of the directory for the lock files,
// which Acquire makes if it is missing. New does no I/O.
func New(body hcl.Body, ectx *hcl.EvalContext) (lock.Locker, hcl.Diagnostics) {
	if body == nil {
		body = hcl.EmptyBody()
	}
	var b block
	diags := gohcl.DecodeBody(body, ectx, &b)
	if diags.HasErrors() {
		return nil, diags
	}
	if !filepath.IsAbs(b.Path) {
		return nil, append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  "Invalid lock path",
			Detail: fmt.Sprintf("%q is no absolute path. The path of a file lock names a directory that every Dropship on this machine uses, as in \"/run/dropship/lock\".",
				b.Path),
			Subject: &b.PathRange,
		})
	}
	return &Locker{dir: filepath.Clean(b.Path)}, diags
}
