package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
)

// tar unpacks a tar, compressed or not.
func (u *unpacker) tar() (err error) {
	content, stop, err := decompress(u.o.Format, u.packed)
	if err != nil {
		return fmt.Errorf("cannot unpack the artifact: %w", truncated(err))
	}
	defer stop()
	var stream io.Reader = &flow{u, content}
	if u.o.Format != Tar {
		ahead := readAhead(stream)
		defer func() {
			u.in.enough.Store(err != nil)
			ahead.stop()
		}()
		stream = ahead
	}
	t, err := u.target()
	if err != nil {
		return err
	}
	defer t.close()
	if err := u.entries(t, tar.NewReader(stream)); err != nil {
		return err
	}
	// Blocks of zeros follow, and then the checksum of the compression: reading to the end checks it.
	if err := u.copy(io.Discard, stream); err != nil {
		return fmt.Errorf("cannot read the archive to its end: %w", truncated(err))
	}
	return t.finish()
}

func (u *unpacker) entries(t target, tr *tar.Reader) error {
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
			return fmt.Errorf("cannot read the archive after %q: %w", cut(last), truncated(err))
		}
		last = h.Name
		if h.Typeflag == tar.TypeXGlobalHeader || h.Typeflag == typeVolumeLabel {
			continue // about the archive, no entry of it
		}
		if err := u.count(); err != nil {
			return entryError(h.Name, err)
		}
		if err := u.entry(t, tr, h); err != nil {
			return entryError(h.Name, truncated(err))
		}
	}
}

// typeVolumeLabel is GNU tar's --label.
const typeVolumeLabel = 'V'

func (u *unpacker) entry(t target, tr *tar.Reader, h *tar.Header) error {
	a := attributesOf(h.FileInfo().Mode(), h.ModTime)
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

// truncated says in words what an unexpected end means.
func truncated(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the archive is truncated: %w", err)
	}
	return err
}
