package http

import (
	"cmp"
	"errors"
	"fmt"
	nethttp "net/http"
	"strconv"
	"strings"

	"github.com/dropship/dropship/artifact"
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
		info:     artifact.Info{Size: resp.ContentLength, ContentType: resp.Header.Get("Content-Type")},
	}
	if resp.StatusCode == nethttp.StatusPartialContent {
		_, s.info.Size, _ = contentRange(resp)
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

// contentRange parses the header of that name. Its form is "bytes FIRST-LAST/SIZE", with * for an
// unknown size (-1 here), and "bytes */SIZE" in a refusal (-1 is first then).
func contentRange(resp *nethttp.Response) (first, size int64, err error) {
	value := resp.Header.Get("Content-Range")
	span, total, ok := strings.Cut(strings.TrimPrefix(value, "bytes "), "/")
	begin, _, _ := strings.Cut(span, "-")
	first, firstErr := numberOrStar(begin)
	size, sizeErr := numberOrStar(total)
	if err := cmp.Or(firstErr, sizeErr); !ok || err != nil {
		return -1, -1, fmt.Errorf("the server's Content-Range %q cannot be understood", value)
	}
	return first, size, nil
}

func numberOrStar(s string) (int64, error) {
	if s == "*" {
		return -1, nil
	}
	n, err := strconv.ParseUint(s, 10, 63)
	return int64(n), err
}
