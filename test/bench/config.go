package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// configure writes a configuration with the real S3 server as repository "s3" and returns its path. The state is in
// the directory, too. global is what else stands in the main file, services what the services are.
func (b *bench) configure(name, global, services string) (path string, err error) {
	dir := filepath.Join(b.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("cannot write a configuration: %w", err)
	}
	s := b.set.S3
	main := fmt.Sprintf(`stateDir = %q
socket   = %q

repo "s3" {
  endpoint  = %q
  name      = %q
  accessKey = %q
  secret    = %q
}
%s
%s`, filepath.Join(dir, "state"), filepath.Join(dir, "dropship.sock"), s.Endpoint, s.Region, s.AccessKey, s.Secret, global, services)
	path = filepath.Join(dir, "dropship.hcl")
	if err := os.WriteFile(path, []byte(main), 0o600); err != nil {
		return "", fmt.Errorf("cannot write a configuration: %w", err)
	}
	return path, nil
}

// service writes a service block that installs an object to destination. more is what else stands in the block.
func service(name string, o object, destination, more string) string {
	return fmt.Sprintf(`
service %q {
  artifact "s3" {
    bucket      = %q
    path        = %q
    destination = %q
  }
%s
}
`, name, o.bucket, o.key, destination, more)
}
