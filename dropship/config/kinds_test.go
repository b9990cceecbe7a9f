package config_test

import (
	"time"

	"context"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/dropship/config"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/lock"
)

type fakeSource struct {
	artifact.Source
	name string
}

func (s fakeSource) String() string { return s.name }

type fakeRepo struct{ bucket bool }

func (r fakeRepo) Source(body hcl.Body, ectx *hcl.EvalContext) (artifact.Source, hcl.Diagnostics) {
	if r.bucket {
		var c struct {
			Bucket string `hcl:"bucket"`
			Path   string `hcl:"path"`
		}
		diags := gohcl.DecodeBody(body, ectx, &c)
		return fakeSource{name: "s3://" + c.Bucket + "/" + c.Path}, diags
	}
	var c struct {
		Path string `hcl:"path"`
	}
	diags := gohcl.DecodeBody(body, ectx, &c)
	return fakeSource{name: "file:" + c.Path}, diags
}

func kinds() config.Kinds {
	repo := func(c any, bucket bool) func(hcl.Body, *hcl.EvalContext) (artifact.Repository, hcl.Diagnostics) {
		return func(body hcl.Body, ectx *hcl.EvalContext) (artifact.Repository, hcl.Diagnostics) {
			return fakeRepo{bucket}, gohcl.DecodeBody(body, ectx, c)
		}
	}
	return config.Kinds{
		Repositories: map[string]func(hcl.Body, *hcl.EvalContext) (artifact.Repository, hcl.Diagnostics){
			"s3": func(b hcl.Body, e *hcl.EvalContext) (artifact.Repository, hcl.Diagnostics) {
				return repo(&struct {
					A string `hcl:"accessKey,optional"`
					B string `hcl:"secret,optional"`
					C string `hcl:"token,optional"`
					D string `hcl:"name,optional"`
					E string `hcl:"endpoint,optional"`
				}{}, true)(b, e)
			},
			"rackspace": func(b hcl.Body, e *hcl.EvalContext) (artifact.Repository, hcl.Diagnostics) {
				return repo(&struct {
					A string `hcl:"user,optional"`
					B string `hcl:"key,optional"`
					C string `hcl:"region,optional"`
				}{}, true)(b, e)
			},
			"file": func(b hcl.Body, e *hcl.EvalContext) (artifact.Repository, hcl.Diagnostics) {
				return repo(&struct {
					A string `hcl:"root"`
				}{}, false)(b, e)
			},
		},
		Hooks: map[string]hooks.Kind{
			"script": {Timeout: time.Minute, OnError: hooks.Abort, When: hooks.Always, New: func(b hcl.Body, e *hcl.EvalContext) (hooks.Hook, hcl.Diagnostics) {
				var c struct {
					Command string `hcl:"command"`
				}
				d := gohcl.DecodeBody(b, e, &c)
				return fakeHook("script " + c.Command), d
			}},
			"graphite-event": {Timeout: time.Minute, OnError: hooks.Continue, When: hooks.Success, New: func(b hcl.Body, e *hcl.EvalContext) (hooks.Hook, hcl.Diagnostics) {
				var c struct {
					Host string         `hcl:"host"`
					Tags string         `hcl:"tags,optional"`
					What *hcl.Attribute `hcl:"what,optional"`
					Data *hcl.Attribute `hcl:"data,optional"`
				}
				d := gohcl.DecodeBody(b, e, &c)
				for _, a := range []*hcl.Attribute{c.What, c.Data} {
					if a == nil {
						continue
					}
					v, bad := a.Expr.Value(e)
					if bad.HasErrors() || v.IsNull() {
						d = append(d, bad...)
						continue
					}
					if _, err := hooks.ParseTemplate(v.AsString()); err != nil {
						d = append(d, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Invalid template", Detail: err.Error(), Subject: a.Expr.Range().Ptr()})
					}
				}
				return fakeHook("graphite-event " + c.Host + c.Tags), d
			}},
		},
		Lockers: map[string]func(hcl.Body, *hcl.EvalContext) (lock.Locker, hcl.Diagnostics){
			"consul": func(b hcl.Body, e *hcl.EvalContext) (lock.Locker, hcl.Diagnostics) {
				var c struct {
					A string `hcl:"address,optional"`
					B string `hcl:"token,optional"`
					C string `hcl:"user,optional"`
					D string `hcl:"password,optional"`
					E bool   `hcl:"useSSL,optional"`
					F string `hcl:"ttl,optional"`
					G string `hcl:"prefix,optional"`
				}
				if b == nil {
					return nil, nil
				}
				return nil, gohcl.DecodeBody(b, e, &c)
			},
			"file": func(b hcl.Body, e *hcl.EvalContext) (lock.Locker, hcl.Diagnostics) {
				var c struct {
					A string `hcl:"path,optional"`
				}
				return nil, gohcl.DecodeBody(b, e, &c)
			},
		},
		Consul: func(b hcl.Body, e *hcl.EvalContext) hcl.Diagnostics {
			var c struct {
				A string `hcl:"address,optional"`
				B string `hcl:"token,optional"`
			}
			return gohcl.DecodeBody(b, e, &c)
		},
	}
}

type fakeHook string

func (h fakeHook) String() string                         { return string(h) }
func (h fakeHook) Run(context.Context, hooks.Event) error { return nil }
