package http

import (
	"errors"
	"fmt"
	nethttp "net/http"
	"strconv"
	"strings"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/internal/byterange"
)

// state is what the server says about the file in the headers of one answer.
type state struct {
	etag     string // as it is on the wire: "…" or W/"…"; empty if there is none
	modified string // Last-Modified, as it is on the wire
	info     artifact.Info
	sums     []artifact.Checksum
	sumsErr  error // why sums cannot be trusted
}

func stateOf(resp *nethttp.Response) (state, error) {
	s := state{
		etag:     resp.Header.Get("ETag"),
		modified: resp.Header.Get("Last-Modified"),
		info: artifact.Info{
			Size: resp.ContentLength, ContentType: resp.Header.Get("Content-Type"),
		},
	}
	// Parts may be put together only if a strong validator says that they belong together (RFC 9110, 15.3.7.3).
	s.info.Weak = !strong(s.etag)
	s.info.Ranges = !s.info.Weak && strings.EqualFold(resp.Header.Get("Accept-Ranges"), "bytes")
	if resp.StatusCode == nethttp.StatusPartialContent {
		part, _ := contentRange(resp)
		s.info.Size = part.Size
	}
	if s.etag == "" && s.modified == "" {
		return state{}, errors.New("the server gives neither ETag nor Last-Modified for the file, so changes of it cannot be noticed")
	}
	s.info.Revision = s.revision(s.info.Size)
	if at, err := nethttp.ParseTime(s.modified); err == nil {
		s.info.ModTime = at
	}
	s.sums, s.sumsErr = digests(resp.Header)
	for _, sum := range s.sums {
		if sum.Algorithm == artifact.MD5 && s.sumsErr == nil {
			s.info.MD5 = fmt.Sprintf("%x", sum.Sum)
		}
	}
	return s, nil
}

// strong reports whether an ETag, or a revision, stands for the exact bytes. W/"…" does not, nor
// does one that breaks the rule that ETags are quoted.
func strong(etag string) bool { return strings.HasPrefix(etag, `"`) }

// revision returns the token for these bytes, if there are size of them. A strong ETag suffices. What
// else there is says more together than each alone.
func (s state) revision(size int64) string {
	if strong(s.etag) {
		return s.etag
	}
	return strings.TrimSpace(s.etag+" "+s.modified) + " " + strconv.FormatInt(size, 10)
}

// is reports whether the file is still in the state that info describes. An unknown size is no
// difference: servers tell it in one of HEAD and GET and not in the other.
func (s state) is(info artifact.Info) bool {
	size := s.info.Size
	if size < 0 || info.Size < 0 {
		size = info.Size
	}
	return s.revision(size) == info.Revision
}

// contentRange parses the header of that name.
func contentRange(resp *nethttp.Response) (byterange.Range, error) {
	return byterange.Parse(resp.Header.Get("Content-Range"))
}
