package servers

import (
	"bytes"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"text/template"
)

//go:embed templates
var templateFiles embed.FS

// render writes templates/name, filled in with data, to path. A field that data lacks is an error.
func render(name, path string, data any) error {
	t, err := template.New(filepath.Base(name)).Option("missingkey=error").ParseFS(templateFiles, "templates/"+name)
	if err != nil {
		return fmt.Errorf("cannot render %s: %w", path, err)
	}
	var text bytes.Buffer
	if err := t.Execute(&text, data); err != nil {
		return fmt.Errorf("cannot render %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("cannot render %s: %w", path, err)
	}
	if err := os.WriteFile(path, text.Bytes(), 0o644); err != nil {
		return fmt.Errorf("cannot render %s: %w", path, err)
	}
	return nil
}
