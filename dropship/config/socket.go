package config

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

const socketName = "socket"

// Socket returns where the socket of the agent is that runs with the configuration at path. It looks at nothing else of
// the files, and has no regard to mistakes in them: a running agent is asked just while they are being mended. Where it
// cannot tell it returns DefaultSocket, and why; a user who may not read the files gets fs.ErrPermission.
func Socket(path string) (string, error) {
	l := newLoader(Kinds{})
	l.hostname, _ = os.Hostname()
	l.read(path)
	for _, f := range l.files {
		attr := f.root.Socket
		if f.broken {
			attr = f.findSocket()
		}
		if attr == nil {
			continue
		}
		s := l.scope(f)
		if socket := s.fields.path(attr, ""); socket != "" {
			return socket, nil
		}
		if diags := s.fields.diags; len(diags) > 0 {
			return DefaultSocket, fmt.Errorf("cannot tell the socket at %s: %s", place(attr.NameRange), strings.TrimSuffix(diags[0].Detail, "."))
		}
	}
	return DefaultSocket, unreadable(path)
}

// socketLine is the attribute as it is written. No block has one of that name.
var socketLine = regexp.MustCompile(`(?m)^[ \t]*socket[ \t]*=[^\r\n]*`)

// findSocket finds the attribute in a file that does not parse: its line alone does.
func (f *file) findSocket() *hcl.Attribute {
	text, err := os.ReadFile(f.path)
	if err != nil {
		return nil
	}
	at := socketLine.FindIndex(text)
	if at == nil {
		return nil
	}
	start := hcl.Pos{Line: 1 + strings.Count(string(text[:at[0]]), "\n"), Column: 1}
	parsed, diags := hclsyntax.ParseConfig(text[at[0]:at[1]], f.path, start)
	if diags.HasErrors() {
		return nil
	}
	attrs, _ := parsed.Body.JustAttributes()
	return attrs[socketName]
}

// unreadable returns why the configuration at path, or one of its files, cannot be read.
func unreadable(path string) error {
	names, _ := filepath.Glob(filepath.Join(path, "*.hcl")) // of a directory
	for _, name := range append([]string{path}, names...) {
		f, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("cannot read the configuration: %w", err)
		}
		f.Close()
	}
	return nil
}
