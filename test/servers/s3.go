package servers

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

const s3Ports = 1

// startS3 starts versitygw over a directory. Versions of objects and the users of tests have directories of their own,
// without which it knows neither.
func (u *up) startS3(ctx context.Context, p *ports) (S3, error) {
	const health = "/health"
	s := S3{
		Endpoint:  "http://" + loopback(p.next()),
		AccessKey: "dropship",
		Secret:    "dropshipsecret",
		Region:    "us-east-1",
	}
	var err error
	if s.Version, err = moduleVersion(u.tools.Versitygw); err != nil {
		return S3{}, err
	}
	dir := filepath.Join(u.dir, "s3")
	data, versions, users := filepath.Join(dir, "data"), filepath.Join(dir, "versions"), filepath.Join(dir, "users")
	for _, d := range []string{data, versions, users} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return S3{}, fmt.Errorf("cannot make a directory for versitygw: %w", err)
		}
	}
	env := []string{"ROOT_ACCESS_KEY=" + s.AccessKey, "ROOT_SECRET_KEY=" + s.Secret}
	proc, err := u.launch("s3", env, u.tools.Versitygw,
		"--port", s.Endpoint[len("http://"):], "--region", s.Region, "--health", health, "--iam-dir", users, "--quiet",
		"--keep-alive", // which is off, and on at every other S3
		"posix", "--versioning-dir", versions, data)
	if err != nil {
		return S3{}, err
	}
	return s, proc.await(ctx, func(ctx context.Context) error {
		_, err := probe(ctx, http.MethodGet, s.Endpoint+health, nil)
		return err
	})
}

// moduleVersion reads from a Go program which version of its main package's module it was built from; versitygw's own
// --version knows only what its makefile would have told it.
func moduleVersion(program string) (string, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return "", fmt.Errorf("cannot read the version of %s: %w", program, err)
	}
	return strings.TrimPrefix(info.Main.Version, "v"), nil
}
