package artifact_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/artifact"
)

// A slowSource sends n bytes with each Read, after a pause, on its first connections, and all that is left
// at once on those after them.
type slowSource struct {
	artifact.Source
	size  int64
	n     int64
	pause time.Duration
	slow  int // connections
	opens []int64
}

func (s *slowSource) String() string { return "slow://bucket/key" }

func (s *slowSource) Open(ctx context.Context, _ artifact.Info, offset, _ int64) (io.ReadCloser, error) {
	s.opens = append(s.opens, offset)
	b := &slowBody{ctx: ctx, left: s.size - offset, n: s.size}
	if len(s.opens) <= s.slow {
		b.n, b.pause = s.n, s.pause
	}
	return b, nil
}

type slowBody struct {
	ctx     context.Context
	left, n int64
	pause   time.Duration
}

func (b *slowBody) Close() error { return nil }

func (b *slowBody) Read(p []byte) (int, error) {
	select {
	case <-time.After(b.pause):
	case <-b.ctx.Done():
		return 0, b.ctx.Err()
	}
	if b.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), b.n, b.left)
	b.left -= n
	return int(n), nil
}

// A connection that brings a byte now and then is as good as none.
func TestResumingReaderTrickle(t *testing.T) {
	const never = 1 << 20
	for name, tt := range map[string]struct {
		src   slowSource
		opens []int64
		ok    bool
		least time.Duration // that it takes
		most  time.Duration
	}{
		"ends by another connection": {
			src:   slowSource{size: 1 << 20, n: 1, pause: 59 * time.Second, slow: 1},
			opens: []int64{0, 5}, ok: true,
			least: 5 * time.Minute, most: 5*time.Minute + time.Second,
		},
		"never ends": {
			src:   slowSource{size: 1 << 20, n: 1, pause: 59 * time.Second, slow: never},
			opens: []int64{0, 5, 10, 15, 20, 25},
			least: 30 * time.Minute, most: 31 * time.Minute,
		},
		"of the whole rest": {
			src:   slowSource{size: 10, n: 1, pause: 59 * time.Second, slow: never},
			opens: []int64{0, 5}, ok: true, // no byte is left to wait for when the second comes to its end
			least: 9*time.Minute + 50*time.Second, most: 11 * time.Minute,
		},
		"is no slow line": { // a kilobyte each four seconds for 256 KiB
			src:   slowSource{size: 256 << 10, n: 1 << 10, pause: 4 * time.Second, slow: never},
			opens: []int64{0}, ok: true,
			least: 1024 * time.Second, most: 1040 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src, begin := tt.src, time.Now()
				r := artifact.NewResumingReader(t.Context(), &src, artifact.Info{Revision: "1", Size: src.size}, artifact.ResumeOptions{})
				defer r.Close()
				n, err := io.Copy(io.Discard, r)
				switch {
				case tt.ok && (err != nil || n != src.size):
					t.Errorf("got %d bytes and error %v, want all %d", n, err, src.size)
				case !tt.ok && (err == nil || errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "less than 65536 in 5m0s")):
					t.Errorf("got error %v, want one that says how slow it was", err)
				}
				if diff := cmp.Diff(tt.opens, src.opens); diff != "" {
					t.Errorf("opened at other offsets (-want +got):\n%s", diff)
				}
				if took := time.Since(begin); took < tt.least || took > tt.most {
					t.Errorf("took %s, want %s to %s", took, tt.least, tt.most)
				}
			})
		})
	}
}

// Who reads may take as long as it likes: that is no trickle.
func TestResumingReaderWaitsForItsReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &slowSource{size: 1000}
		r := artifact.NewResumingReader(t.Context(), src, artifact.Info{Revision: "1", Size: src.size}, artifact.ResumeOptions{})
		defer r.Close()
		for range 10 {
			if _, err := io.ReadFull(r, make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour) // on the test's own clock
		}
		if len(src.opens) != 1 {
			t.Errorf("opened at %v, want once", src.opens)
		}
	})
}

// A timer that fires as its connection ends by itself is of no effect on the next.
func TestResumingReaderStallAsItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = time.Minute
		src := &endingSource{after: limit}
		r := artifact.NewResumingReader(t.Context(), src, artifact.Info{Revision: "1", Size: 10}, artifact.ResumeOptions{
			StallTimeout: limit, Attempts: 20_000, BaseDelay: 1, MaxDelay: 1,
		})
		defer r.Close()
		if _, err := r.Read(make([]byte, 1)); err == nil {
			t.Error("got a byte, want an error")
		}
		if src.dead > 0 {
			t.Errorf("%d connections were cancelled before they began", src.dead)
		}
	})
}

// An endingSource fails to open each time, after a while.
type endingSource struct {
	artifact.Source
	after time.Duration
	dead  int
}

func (s *endingSource) String() string { return "ending://bucket/key" }

func (s *endingSource) Open(ctx context.Context, _ artifact.Info, _, _ int64) (io.ReadCloser, error) {
	if ctx.Err() != nil {
		s.dead++
	}
	time.Sleep(s.after) // on the test's own clock
	return nil, errCut
}
