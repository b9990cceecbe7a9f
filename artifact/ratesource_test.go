package artifact_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/dropship/dropship/artifact"
)

// A rateSource brings so many bytes a second over each connection, and over all of them. Its bytes depend on where they
// are, so that no part is taken for another.
type rateSource struct {
	artifact.Source
	size       int64
	connection int // bytes a second over each
	others     int // bytes a second over all but the first so many good ones, if not 0
	good       int
	total      *rate.Limiter // over all; nil: no limit
	answer     time.Duration // from Open to the first byte
	// open, if set, is asked first at each Open, by its number and how many connections there are with it; body, if set,
	// wraps each body.
	open func(ctx context.Context, n, connections int, offset, length int64) error
	body func(ctx context.Context, n, connections int, r io.Reader) io.Reader

	connections, most, sent atomic.Int64 // now, at once, and bytes

	mu    sync.Mutex
	opens []opened
}

type opened struct{ offset, length int64 }

func (s *rateSource) String() string { return "rate://bucket/key" }

func (s *rateSource) Open(ctx context.Context, info artifact.Info, offset, length int64) (io.ReadCloser, error) {
	s.mu.Lock()
	n := len(s.opens)
	s.opens = append(s.opens, opened{offset, length})
	connections := s.connections.Add(1)
	s.most.Store(max(s.most.Load(), connections))
	s.mu.Unlock()
	b := &rateBody{ctx: ctx, s: s, at: offset, end: offset + info.Bytes(offset, length), rate: s.connection}
	if s.others > 0 && n >= s.good {
		b.rate = s.others
	}
	err := sleep(ctx, s.answer)
	if err == nil && s.open != nil {
		err = s.open(ctx, n, int(connections), offset, length)
	}
	if err != nil {
		_ = b.Close()
		return nil, fmt.Errorf("cannot open %s: %w", s, err)
	}
	b.Reader = b
	if s.body != nil {
		b.Reader = s.body(ctx, n, int(connections), readerFunc(b.bytes))
	}
	return &rateCloser{b.Reader, b}, nil
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

type rateCloser struct {
	io.Reader
	b *rateBody
}

func (c *rateCloser) Close() error { return c.b.Close() }

type rateBody struct {
	io.Reader
	ctx     context.Context
	s       *rateSource
	at, end int64
	rate    int // bytes a second
	once    sync.Once
}

func (b *rateBody) Close() error {
	b.once.Do(func() { b.s.connections.Add(-1) })
	return nil
}

func (b *rateBody) Read(p []byte) (int, error) { return b.bytes(p) }

func (b *rateBody) bytes(p []byte) (int, error) {
	if b.at == b.end {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), b.end-b.at, max(4<<10, min(int64(b.rate/100), 128<<10))))
	if err := sleep(b.ctx, time.Duration(n)*time.Second/time.Duration(b.rate)); err != nil {
		return 0, err
	}
	if b.s.total != nil {
		if err := b.s.total.WaitN(b.ctx, n); err != nil {
			return 0, err
		}
	}
	copy(p[:n], at(b.at)[:n])
	b.at += int64(n)
	b.s.sent.Add(int64(n))
	return n, nil
}

// pattern is what the bytes are, again and again: with a period that no part has.
var pattern = func() []byte {
	b := make([]byte, 3<<20+7)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return append(b, b[:mib]...)
}()

// at returns the bytes at an offset, of which 1 MiB and more are there.
func at(offset int64) []byte { return pattern[offset%(3<<20+7):] }

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fetched reads s to its end and checks each byte. It returns how long that took.
func fetched(t *testing.T, s *rateSource, o artifact.ResumeOptions) time.Duration {
	t.Helper()
	begin := time.Now()
	r := artifact.NewResumingReader(t.Context(), s, artifact.Info{Revision: "1", Size: s.size, Ranges: true}, o)
	var check checker
	n, err := io.CopyBuffer(struct{ io.Writer }{&check}, r, make([]byte, 256<<10))
	if err != nil || n != s.size || check.wrong {
		t.Errorf("got %d bytes, wrong %v, and error %v, want %d right ones", n, check.wrong, err, s.size)
	}
	took := time.Since(begin)
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if s.connections.Load() != 0 {
		t.Errorf("%d connections are open in the end", s.connections.Load())
	}
	return took
}

type checker struct {
	at    int64
	wrong bool
}

func (c *checker) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := min(len(rest), mib)
		c.wrong = c.wrong || !bytes.Equal(rest[:n], at(c.at)[:n])
		c.at += int64(n)
		rest = rest[n:]
	}
	return len(p), nil
}

const mib = 1 << 20

// single is how long one connection takes.
func (s *rateSource) single() time.Duration {
	perSecond := float64(s.connection)
	if s.total != nil {
		perSecond = min(perSecond, float64(s.total.Limit()))
	}
	return s.answer + time.Duration(float64(s.size)/perSecond*float64(time.Second))
}
