package archive

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// decompress returns what is inside r. stop frees what that took.
func decompress(format Format, r *bufio.Reader) (content io.Reader, stop func(), err error) {
	stop = func() {}
	switch format {
	case TarGzip:
		content, err = newMembers(r)
	case TarZstd:
		// One thread decodes where it is asked to, so that there is no goroutine to wait for. The window is
		// what zstd's own tool accepts without being told to.
		var d *zstd.Decoder
		d, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(128<<20))
		if err == nil {
			content, stop = d, d.Close
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

// An xzStream is an xz.Reader that insists on the stream's footer: xz.Reader takes an end that comes
// instead of the next block, or of the index after the last one, for the end of the stream.
type xzStream struct {
	x    *xz.Reader
	tail *tail
}

func newXz(r io.Reader) (*xzStream, error) {
	t := &tail{r: r}
	x, err := xz.NewReader(t)
	if err != nil {
		return nil, err
	}
	return &xzStream{x, t}, nil
}

func (s *xzStream) Read(p []byte) (int, error) {
	n, err := s.x.Read(p)
	if errors.Is(err, io.EOF) && s.tail.last != xzFooterMagic {
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}

// xzFooterMagic ends every xz stream; only zeros may follow.
var xzFooterMagic = [2]byte{'Y', 'Z'}

// A tail remembers the last two bytes read that are not zero.
type tail struct {
	r    io.Reader
	last [2]byte
}

func (t *tail) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	read := bytes.TrimRight(p[:n], "\x00")
	switch len(read) {
	case 0:
	case 1:
		t.last = [2]byte{t.last[1], read[0]}
	default:
		t.last = [2]byte(read[len(read)-2:])
	}
	return n, err
}
