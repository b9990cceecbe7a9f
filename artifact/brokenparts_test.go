package artifact_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropship/dropship/artifact"
)

var errBroken = errors.New("connection reset")

// Whatever happens to the connections after the first, one that works brings the download home, and nearly as soon as it
// would have alone.
func TestPartsThatBreak(t *testing.T) {
	t.Parallel()
	for good := range 3 {
		t.Run(fmt.Sprintf("beyond %d", good+1), func(t *testing.T) {
			t.Parallel()
			testPartsThatBreak(t, good+1)
		})
	}
}

// testPartsThatBreak breaks what there is beyond so many good connections at once.
func testPartsThatBreak(t *testing.T, good int) {
	t.Helper()
	more := func(err error) func(context.Context, int, int, int64, int64) error {
		return func(_ context.Context, _, connections int, _, length int64) error {
			if connections > good {
				return err
			}
			return nil
		}
	}
	for name, src := range map[string]*rateSource{
		"refused":          {open: more(errBroken)},
		"busy":             {open: more(&artifact.BusyError{Err: errBroken, After: time.Hour})},
		"changed, it says": {open: more(artifact.ErrChanged)},
		"gone, it says":    {open: more(artifact.ErrNotExist)},
		"no answer": {open: func(ctx context.Context, _, connections int, _, _ int64) error {
			if connections > good {
				<-ctx.Done()
			}
			return ctx.Err()
		}},
		"no parts at all": {open: func(_ context.Context, _, _ int, _, length int64) error {
			if length >= 0 {
				return errors.New("the server sends the whole file instead of a part")
			}
			return nil
		}},
		"nothing but the whole": {open: func(_ context.Context, _, _ int, offset, _ int64) error {
			if offset > 0 {
				return errors.New("the server's Content-Range cannot be understood")
			}
			return nil
		}},
		"nothing but the whole, and busy": {open: func(_ context.Context, _, _ int, offset, _ int64) error {
			if offset > 0 {
				return &artifact.BusyError{Err: errBroken, After: time.Hour}
			}
			return nil
		}},
		"nothing but the whole, and no answer": {open: func(ctx context.Context, _, _ int, offset, _ int64) error {
			if offset > 0 {
				<-ctx.Done()
			}
			return ctx.Err()
		}},
		"half of each part": {body: func(_ context.Context, n, _ int, r io.Reader) io.Reader {
			if n >= good {
				return io.LimitReader(r, 250_000)
			}
			return r
		}},
		"cut": {body: func(_ context.Context, _, connections int, r io.Reader) io.Reader {
			if connections > good {
				return io.MultiReader(io.LimitReader(r, 300_000), iotestErr(errBroken))
			}
			return r
		}},
		"short": {body: func(_ context.Context, _, connections int, r io.Reader) io.Reader {
			if connections > good {
				return io.LimitReader(r, 300_000)
			}
			return r
		}},
		"silent after a while": {body: func(ctx context.Context, _, connections int, r io.Reader) io.Reader {
			if connections > good {
				return io.MultiReader(io.LimitReader(r, 300_000), readerFunc(func([]byte) (int, error) {
					<-ctx.Done()
					return 0, ctx.Err()
				}))
			}
			return r
		}},
		"a byte too many": {body: func(_ context.Context, _, connections int, r io.Reader) io.Reader {
			if connections > good {
				return io.MultiReader(r, bytes.NewReader([]byte{1}))
			}
			return r
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				src := &rateSource{size: 24 * mib, connection: 2 * mib, open: src.open, body: src.body}
				took, alone := fetched(t, src, artifact.ResumeOptions{}), src.single()
				t.Logf("took %s, alone %s", took, alone)
				if took > alone+6*time.Second {
					t.Errorf("took %s, alone %s", took, alone)
				}
				if src.most.Load() < 2 && name != "no parts at all" {
					t.Error("took one connection: the test shows nothing")
				}
			})
		})
	}
}

func iotestErr(err error) io.Reader {
	return readerFunc(func([]byte) (int, error) { return 0, err })
}

// A download that is cut again and again, over however many connections, comes home byte for byte, and one that changes
// ends with ErrChanged.
func TestPartsOfABrokenNetwork(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			var mu sync.Mutex
			chance := func(n int) bool {
				mu.Lock()
				defer mu.Unlock()
				return random.IntN(n) == 0
			}
			src := &rateSource{
				size: 24*mib + random.Int64N(mib), connection: mib + random.IntN(mib), answer: time.Duration(random.IntN(100)) * time.Millisecond,
				open: func(context.Context, int, int, int64, int64) error {
					if chance(40) {
						return errBroken
					}
					return nil
				},
				body: func(_ context.Context, _, _ int, r io.Reader) io.Reader {
					return readerFunc(func(p []byte) (int, error) {
						if chance(400) {
							return 0, errBroken
						}
						return r.Read(p)
					})
				},
			}
			fetched(t, src, artifact.ResumeOptions{})

			changed := &rateSource{size: src.size, connection: src.connection}
			at := time.Duration(random.IntN(2500)) * time.Millisecond
			begin := time.Now()
			changed.open = func(context.Context, int, int, int64, int64) error {
				if time.Since(begin) > at {
					return artifact.ErrChanged
				}
				return nil
			}
			changed.body = func(_ context.Context, _, _ int, r io.Reader) io.Reader {
				return readerFunc(func(p []byte) (int, error) {
					if time.Since(begin) > at {
						return 0, artifact.ErrChanged
					}
					return r.Read(p)
				})
			}
			r := artifact.NewResumingReader(t.Context(), changed, artifact.Info{Revision: "1", Size: changed.size, Ranges: true}, artifact.ResumeOptions{})
			defer r.Close()
			var check checker
			if _, err := io.Copy(&check, r); !errors.Is(err, artifact.ErrChanged) || check.wrong {
				t.Errorf("seed %d: got error %v, wrong bytes %v, want ErrChanged", seed, err, check.wrong)
			}
			if took := time.Since(begin); took > at+time.Second {
				t.Errorf("seed %d: changed after %s and noticed after %s", seed, at, took)
			}
		})
	}
}

func TestPartsEndWithTheirContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, at := range []time.Duration{1100 * time.Millisecond, 1700 * time.Millisecond, 3 * time.Second} {
			ctx, cancel := context.WithCancel(t.Context())
			src := &rateSource{size: 256 * mib, connection: 8 * mib}
			r := artifact.NewResumingReader(ctx, src, artifact.Info{Revision: "1", Size: src.size, Ranges: true}, artifact.ResumeOptions{})
			begin := time.Now()
			time.AfterFunc(at, cancel)
			_, err := io.Copy(io.Discard, r)
			if took := time.Since(begin); !errors.Is(err, context.Canceled) || took != at {
				t.Errorf("ended after %s with %v, want context.Canceled after %s", took, err, at)
			}
			if src.most.Load() < 2 || src.connections.Load() != 0 {
				t.Errorf("took %d connections, and %d are open", src.most.Load(), src.connections.Load())
			}
			r.Close()

			// Closed in the middle.
			src = &rateSource{size: 256 * mib, connection: 8 * mib}
			r = artifact.NewResumingReader(t.Context(), src, artifact.Info{Revision: "1", Size: src.size, Ranges: true}, artifact.ResumeOptions{})
			if _, err := io.CopyN(io.Discard, r, 20*mib); err != nil {
				t.Error(err)
			}
			r.Close()
			if src.most.Load() < 2 || src.connections.Load() != 0 {
				t.Errorf("took %d connections, and %d are open after Close", src.most.Load(), src.connections.Load())
			}
		}
	})
}

// What is kept in memory is as much for a large artifact as for a small one.
func TestPartsMemoryIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := &rateSource{size: 120 * mib, connection: 8 * mib}
		r := artifact.NewResumingReader(t.Context(), src, artifact.Info{Revision: "1", Size: src.size, Ranges: true}, artifact.ResumeOptions{})
		defer r.Close()
		var read int64
		p := make([]byte, 64<<10)
		for {
			n, err := r.Read(p)
			read += int64(n)
			if src.sent.Load()-read > 5*mib/2+64<<10+3*256<<10 { // the last is what was fetched in vain
				t.Fatalf("%d bytes ahead of the reader", src.sent.Load()-read)
			}
			if err != nil {
				break
			}
			if read > 40*mib && read < 41*mib {
				time.Sleep(time.Second) // on the test's own clock: a reader that pauses
			}
		}
		if src.most.Load() != 4 {
			t.Errorf("took %d connections, want 4", src.most.Load())
		}
	})
}
