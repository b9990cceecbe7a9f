package artifact_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropship/dropship/artifact"
)

// limited returns a reader of src that keeps to b.
func limited(ctx context.Context, src *slowSource, b *artifact.Bandwidth) io.ReadCloser {
	return artifact.NewResumingReader(ctx, src, artifact.Info{Revision: "1", Size: src.size}, artifact.ResumeOptions{Bandwidth: b})
}

// However many downloads share a bandwidth, and however large their reads are, together they bring what it says.
func TestBandwidth(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		limit, size int64
		downloads   int
	}{
		{1, 30, 1},
		{19, 1000, 2},
		{10 << 10, 1 << 20, 1},
		{10 << 10, 200 << 10, 3},
		{20 << 20, 40 << 20, 3},
		{10 << 30, 100 << 20, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			var b artifact.Bandwidth
			b.Limit(tt.limit)
			begin := time.Now()
			var wg sync.WaitGroup
			for range tt.downloads {
				wg.Go(func() {
					src := &slowSource{size: tt.size}
					r := limited(t.Context(), src, &b)
					defer r.Close()
					if n, err := io.Copy(io.Discard, r); err != nil || n != tt.size {
						t.Errorf("got %d bytes and error %v, want %d", n, err, tt.size)
					}
					if len(src.opens) != 1 {
						t.Errorf("opened at %v, want once: a wait for the bandwidth is no stall", src.opens)
					}
				})
			}
			wg.Wait()
			took := time.Since(begin).Seconds()
			want := float64(tt.size) * float64(tt.downloads) / float64(tt.limit)
			if took < want-1 || took > want+0.1 {
				t.Errorf("%d × %d bytes at %d a second took %.2fs, want %.2fs", tt.downloads, tt.size, tt.limit, took, want)
			}
		})
	}
}

// A bandwidth so small that a download would count as a trickle makes it slow and no more.
func TestBandwidthIsNoTrickle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var b artifact.Bandwidth
		b.Limit(50) // 15 kB within ProgressTimeout
		src := &slowSource{size: 20_000}
		r := limited(t.Context(), src, &b)
		defer r.Close()
		if n, err := io.Copy(io.Discard, r); err != nil || n != src.size || len(src.opens) != 1 {
			t.Errorf("got %d bytes and error %v over %d connections", n, err, len(src.opens))
		}
	})
}

// A stalled connection is given up, limit or not.
func TestBandwidthHidesNoStall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var b artifact.Bandwidth
		b.Limit(1000)
		src := &slowSource{size: 100_000, n: 500, pause: 61 * time.Second, slow: 1}
		r := limited(t.Context(), src, &b)
		defer r.Close()
		if _, err := io.Copy(io.Discard, r); err != nil || len(src.opens) != 2 {
			t.Errorf("opened at %v with error %v, want twice", src.opens, err)
		}
	})
}

func TestBandwidthChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var b artifact.Bandwidth
		b.Limit(100)
		r := limited(t.Context(), &slowSource{size: 1 << 40}, &b)
		defer r.Close()
		within := func(d time.Duration) (n int64) {
			p := make([]byte, 4096)
			for end := time.Now().Add(d); time.Now().Before(end); {
				got, err := r.Read(p)
				if err != nil {
					t.Fatal(err)
				}
				n += int64(got)
			}
			return n
		}
		for _, limit := range []int64{100, 1000, 10, 100} {
			b.Limit(limit)
			if got := within(100 * time.Second); got < 99*limit || got > 101*limit {
				t.Errorf("got %d bytes in 100s at %d a second", got, limit)
			}
		}
	})
}

func TestBandwidthEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var b artifact.Bandwidth
		b.Limit(1)
		r := limited(ctx, &slowSource{size: 1000}, &b)
		defer r.Close()
		time.AfterFunc(10300*time.Millisecond, cancel)
		begin := time.Now()
		_, err := io.Copy(io.Discard, r)
		if !errors.Is(err, context.Canceled) || time.Since(begin) != 10300*time.Millisecond {
			t.Errorf("ended after %s with error %v, want at once with the context", time.Since(begin), err)
		}
	})
}
