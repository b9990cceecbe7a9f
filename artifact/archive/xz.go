package archive

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

// An xzStream is an xz.Reader that insists on the stream's footer, and on a dictionary that is not too large.
// xz.Reader takes an end that comes instead of the next block, or of the index after the last one, for the
// end of the stream; and it allocates whatever dictionary a block's header asks for.
type xzStream struct {
	x    *xz.Reader
	tail *xzInput
}

func newXz(r *bufio.Reader) (*xzStream, error) {
	t := &xzInput{r: r}
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

// An xzInput is what an xz.Reader reads: it remembers the last two bytes that are not zero, and looks into
// the headers of blocks before xz.Reader does.
type xzInput struct {
	r     *bufio.Reader
	last  [2]byte
	first int // the byte that the last Read returned, if it returned one alone; a block's header is read so
}

func (t *xzInput) Read(p []byte) (int, error) {
	if t.first > 0 && len(p) == 4*(t.first+1)-1 {
		if err := t.checkHeader(len(p)); err != nil {
			return 0, err
		}
	}
	n, err := t.r.Read(p)
	t.first = 0
	if n == 1 && len(p) == 1 {
		t.first = int(p[0])
	}
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

// checkHeader says whether the next bytes are the rest of a block's header that asks for too much. Everything else
// is for xz.Reader to judge. That it is a header shows in its checksum: other bytes, read in the same two
// steps, do not have it.
func (t *xzInput) checkHeader(rest int) error {
	next, err := t.r.Peek(rest)
	if err != nil {
		return nil //nolint:nilerr // the same error comes again when the bytes are read
	}
	header := append([]byte{byte(t.first)}, next...)
	body, sum := header[:len(header)-4], header[len(header)-4:]
	if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(sum) {
		return nil
	}
	const compressedSize, uncompressedSize, lzma2 = 0x40, 0x80, 0x21
	fields := body[2:]
	for _, flag := range []byte{compressedSize, uncompressedSize} {
		if body[1]&flag != 0 {
			_, n := binary.Uvarint(fields)
			fields = fields[max(n, 0):]
		}
	}
	if len(fields) < 3 || fields[0] != lzma2 {
		return nil
	}
	dictionary, err := lzma.DecodeDictCap(fields[2])
	if err == nil && dictionary > maxWindow {
		return fmt.Errorf("its dictionary has %d MiB, more than the %d that are allowed: compress it with xz -9 or less", dictionary>>20, maxWindow>>20)
	}
	return nil
}
