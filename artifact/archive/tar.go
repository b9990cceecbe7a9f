package archive

import (
	"archive/tar"
	"bufio"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// tar unpacks a tar, compressed or not.
func (u *unpacker) tar() error {
	content, stop, err := decompress(u.o.Format, u.packed)
	if err != nil {
		return fmt.Errorf("cannot unpack the artifact: %w", truncated(err))
	}
	defer stop()
	stream := &flow{u, content}
	t, err := newTree(u)
	if err != nil {
		return err
	}
	defer t.close()
	if err := u.entries(t, tar.NewReader(stream)); err != nil {
		return err
	}
	// Blocks of zeros follow, and then the checksum of the compression: reading to the end checks it.
	if _, err := u.copy(io.Discard, stream); err != nil {
		return fmt.Errorf("cannot read the archive to its end: %w", truncated(err))
	}
	return t.finish()
}

func (u *unpacker) entries(t *tree, tr *tar.Reader) error {
	last := ""
	for {
		if err := u.ctx.Err(); err != nil {
			return fmt.Errorf("cannot unpack the artifact: %w", err)
		}
		h, err := tr.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && last == "" && errors.Is(err, tar.ErrHeader):
			return fmt.Errorf("cannot unpack the artifact: there is no tar archive in it: %w", err)
		case errors.Is(err, tar.ErrInsecurePath): // names are checked here, with or without GODEBUG
		case err != nil && last == "":
			return fmt.Errorf("cannot unpack the artifact: %w", truncated(err))
		case err != nil:
			return fmt.Errorf("cannot read the archive after %q: %w", last, truncated(err))
		}
		last = h.Name
		if h.Typeflag == tar.TypeXGlobalHeader || h.Typeflag == typeVolumeLabel {
			continue // about the archive, no entry of it
		}
		if err := u.count(h.Name); err != nil {
			return err
		}
		if err := u.entry(t, tr, h); err != nil {
			return entryError(h.Name, truncated(err))
		}
	}
}

// typeVolumeLabel is GNU tar's --label.
const typeVolumeLabel = 'V'

func (u *unpacker) entry(t *tree, tr *tar.Reader, h *tar.Header) error {
	a := attributes{mode: h.FileInfo().Mode(), mtime: h.ModTime}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		return t.file(h.Name, tr, a)
	case tar.TypeDir:
		return t.directory(h.Name, a)
	case tar.TypeSymlink:
		return t.symlink(h.Name, h.Linkname, a)
	case tar.TypeLink:
		return t.hardLink(h.Name, h.Linkname)
	case tar.TypeChar, tar.TypeBlock:
		return errors.New("it is a device")
	case tar.TypeFifo:
		return errors.New("it is a fifo")
	default:
		return fmt.Errorf("it is of type %q, which is not supported", h.Typeflag)
	}
}

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
		content, err = xz.NewReader(r)
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
	if n > 0 || !errors.Is(err, io.EOF) {
		return n, err
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

// truncated says in words what an unexpected end means.
func truncated(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the archive is truncated: %w", err)
	}
	return err
}

// entryError adds the entry's name.
func entryError(name string, err error) error {
	if limit, ok := errors.AsType[*LimitError](err); ok {
		limit.Entry = name
	}
	return fmt.Errorf("cannot unpack %q: %w", name, err)
}
