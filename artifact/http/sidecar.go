package http

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	nethttp "net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/internal/neterr"
	"github.com/dropship/dropship/artifact/internal/transport"
	"github.com/dropship/dropship/dropship/secret"
)

const maxSidecar = 64 << 10 // bytes

// sidecar returns the checksum in the file next to the artifact whose name ends in suffix, or nil if
// there is no such file. Any doubt is an error, never "no checksum".
func (s *source) sidecar(ctx context.Context, alg artifact.Algorithm, suffix string) (*artifact.Checksum, error) {
	u := *s.url
	u.Path += suffix
	u.RawPath += suffix
	sum, err := s.readSidecar(ctx, &u, alg)
	if err != nil {
		return nil, fmt.Errorf("cannot get the checksum in %s: %w", secret.Redact(&u), err)
	}
	return sum, nil
}

func (s *source) readSidecar(parent context.Context, u *url.URL, alg artifact.Algorithm) (*artifact.Checksum, error) {
	ctx, cancel := transport.WithDeadline(parent)
	defer cancel()
	resp, err := s.client.do(ctx, nethttp.MethodGet, u, nethttp.Header{})
	if err != nil {
		return nil, neterr.Cause(parent, err)
	}
	defer finish(resp)
	if resp.StatusCode != nethttp.StatusOK {
		if err := failure(resp, time.Now()); !errors.Is(err, artifact.ErrNotExist) {
			return nil, err
		}
		return nil, nil
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxSidecar+1))
	switch {
	case err != nil:
		return nil, neterr.Cause(parent, err)
	case len(text) > maxSidecar:
		return nil, fmt.Errorf("it is larger than %d bytes, so it is no file of checksums", maxSidecar)
	}
	return parseSidecar(string(text), alg, path.Base(s.url.Path))
}

var (
	sumLine    = regexp.MustCompile(`^\\?([0-9A-Fa-f]+)(?:[ \t]+\*?(.+))?$`)          // sha256sum: SUM  NAME, or the sum alone
	sumLineBSD = regexp.MustCompile(`^\\?([A-Za-z0-9-]+) \((.+)\) = ([0-9A-Fa-f]+)$`) // sha256 of BSD: ALGORITHM (NAME) = SUM
)

// parseSidecar returns the checksum of file in the text of a sums file, as md5sum, sha256sum and their
// BSD relatives write it. A single entry counts whatever name it has: artifacts get renamed.
func parseSidecar(text string, alg artifact.Algorithm, file string) (*artifact.Checksum, error) {
	var entries, named int
	var found string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		sum, name, ok := parseSumLine(line, alg)
		if !ok {
			return nil, fmt.Errorf("it has a line that is no %s checksum", alg)
		}
		entries++
		switch same := path.Base(name) == file; {
		case same && named > 0 && !strings.EqualFold(sum, found):
			return nil, fmt.Errorf("it has different checksums for %q", file)
		case same:
			named++
			found = sum
		case named == 0:
			found = sum
		}
	}
	if entries == 0 {
		return nil, errors.New("it is empty")
	}
	if entries > 1 && named == 0 {
		return nil, fmt.Errorf("none of its %d lines is about %q", entries, file)
	}
	sum, err := hex.DecodeString(found)
	if err != nil {
		return nil, err
	}
	return &artifact.Checksum{Algorithm: alg, Sum: sum}, nil
}

func parseSumLine(line string, alg artifact.Algorithm) (sum, name string, ok bool) {
	if m := sumLineBSD.FindStringSubmatch(line); m != nil {
		sum, name, ok = m[3], m[2], strings.EqualFold(m[1], string(alg))
	} else if m := sumLine.FindStringSubmatch(line); m != nil {
		sum, name, ok = m[1], m[2], true
	}
	return sum, name, ok && len(sum) == 2*sumSizes[alg]
}
