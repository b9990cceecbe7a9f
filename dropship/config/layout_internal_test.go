package config

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// What a layout makes of a file is what gohcl makes of it, and so are the mistakes.
func TestLayoutsDecodeAsGohcl(t *testing.T) {
	t.Parallel()
	services := 0
	err := filepath.WalkDir("testdata", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".hcl" || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		parsed, _ := hclsyntax.ParseConfig(text, path, hcl.InitialPos)
		var got, want rootBlock
		gotDiags, wantDiags := got.decode(parsed.Body), gohcl.DecodeBody(parsed.Body, nil, &want)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s is decoded as\n%+v\nwant\n%+v", path, got, want)
		}
		if got, want := sortedErrors(gotDiags), sortedErrors(wantDiags); !slices.Equal(got, want) {
			t.Errorf("the mistakes in %s are\n%q\nwant\n%q", path, got, want)
		}
		services += len(got.Services)
		return nil
	})
	if err != nil || services == 0 {
		t.Errorf("decoded %d services: %v", services, err)
	}
}

// sortedErrors is for diagnostics that come in the order of maps.
func sortedErrors(diags hcl.Diagnostics) []string {
	var all []string
	for _, err := range diags.Errs() {
		all = append(all, err.Error())
	}
	slices.Sort(all)
	return all
}
