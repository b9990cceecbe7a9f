package archive

import (
	"bufio"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// maxWindow is how far back in its output a compression may refer, in bytes, which is what the memory for it is
// allocated from: as much as zstd's own tool accepts without being told to, and twice what xz -9 asks for. A
// header of a few bytes can ask for 4 GiB.
const maxWindow = 128 << 20

// decompress returns what is inside r. stop frees what that took.
func decompress(format Format, r *bufio.Reader) (content io.Reader, stop func(), err error) {
	stop = func() {}
	switch format {
	case TarGzip:
		content, err = newMembers(r)
	case TarZstd:
		// One thread decodes where it is asked to, so that there is no goroutine to wait for.
		var d *zstd.Decoder
		d, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err == nil {
			content, stop = &zstdStream{d}, d.Close
		}
	case TarXz:
		content, err = newXz(r)
	case TarBzip2:
		content = bzip2.NewReader(r)
	default:
		content = r
	}
	return content, stop, err
}

// A zstdStream is a zstd.Decoder that says what to do about a window that is too large.
type zstdStream struct{ d *zstd.Decoder }

func (s *zstdStream) Read(p []byte) (int, error) {
	n, err := s.d.Read(p)
	if errors.Is(err, zstd.ErrWindowSizeExceeded) {
		err = fmt.Errorf("its window has more than %d MiB: compress it with --long=27 at the most: %w", maxWindow>>20, err)
	}
	return n, err
}

// members is a gzip stream of one or more members. Whatever follows that is no member is left alone, as
// gzip's own tool does; gzip.Reader alone cannot tell that from a broken member.
type members struct {
	r *bufio.Reader
	z *gzip.Reader
}

func newMembers(r *bufio.Reader) (*members, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	return &members{r, z}, nil
}

func (m *members) Read(p []byte) (int, error) {
	n, err := m.z.Read(p)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	if n > 0 {
		return n, nil // the end comes again
	}
	next, err := m.r.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	if string(next) != "\x1f\x8b" {
		return 0, io.EOF
	}
	if err := m.z.Reset(m.r); err != nil {
		return 0, err
	}
	m.z.Multistream(false)
	return 0, nil
}
