package artifact_test

import (
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/dropship/dropship/artifact"
)

func TestPartsOfSlowConnections(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		src    *rateSource
		total  int
		least  int     // connections
		most   int     // connections; while two are tried there is the first, too
		faster float64 // at most this share of the time that one connection takes
	}{
		"8 MiB/s each":                {src: &rateSource{size: 64 * mib, connection: 8 * mib}, least: 4, most: 4, faster: 0.5},
		"8 MiB/s each, far away":      {src: &rateSource{size: 64 * mib, connection: 8 * mib, answer: 20 * time.Millisecond}, least: 4, most: 4, faster: 0.6},
		"100 KiB/s each":              {src: &rateSource{size: 16 * mib, connection: 100 << 10, answer: 20 * time.Millisecond}, least: 4, most: 4, faster: 0.35},
		"8 each, 20 in all":           {src: &rateSource{size: 64 * mib, connection: 8 * mib}, total: 20 * mib, least: 4, most: 4, faster: 0.6},
		"8 each, 12 in all":           {src: &rateSource{size: 64 * mib, connection: 8 * mib}, total: 12 * mib, least: 2, most: 4, faster: 0.85},
		"8 MiB/s in all":              {src: &rateSource{size: 64 * mib, connection: 64 * mib}, total: 8 * mib, least: 1, most: 3, faster: 1.02},
		"8 MiB/s in all, far away":    {src: &rateSource{size: 64 * mib, connection: 64 * mib, answer: 50 * time.Millisecond}, total: 8 * mib, least: 1, most: 3, faster: 1.05},
		"fast":                        {src: &rateSource{size: 250 * mib, connection: 70 * mib}, least: 1, most: 1, faster: 1.001},
		"soon over":                   {src: &rateSource{size: 20 * mib, connection: 8 * mib}, least: 1, most: 1, faster: 1.001},
		"small, over a slow line":     {src: &rateSource{size: 2 * mib, connection: 20 << 10}, least: 1, most: 1, faster: 1.001},
		"a little faster with more":   {src: &rateSource{size: 64 * mib, connection: 8 * mib}, total: 9 * mib, least: 2, most: 3, faster: 1.01},
		"each takes long to answer":   {src: &rateSource{size: 64 * mib, connection: 8 * mib, answer: time.Second}, least: 1, most: 4, faster: 1.05},
		"much, 8 in all, for a while": {src: &rateSource{size: 100 * mib, connection: 64 * mib}, total: mib, least: 1, most: 3, faster: 1.01},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				src := &rateSource{size: tt.src.size, connection: tt.src.connection, answer: tt.src.answer}
				if tt.total > 0 {
					src.total = rate.NewLimiter(rate.Limit(tt.total), 128<<10)
				}
				took := fetched(t, src, artifact.ResumeOptions{})
				if most := int(src.most.Load()); most < tt.least || most > tt.most {
					t.Errorf("took %d connections, want %d to %d", most, tt.least, tt.most)
				}
				ratio := took.Seconds() / src.single().Seconds()
				t.Logf("%d connections, %d requests, %s: %.3f of one connection's time", src.most.Load(), len(src.opens), took, ratio)
				if ratio > tt.faster {
					t.Errorf("took %.3f of the time of one connection, want at most %.3f", ratio, tt.faster)
				}
				if tt.most == 1 && src.sent.Load() != src.size {
					t.Errorf("%d bytes were sent of %d", src.sent.Load(), src.size)
				}
				if beyond := src.sent.Load() - src.size; beyond > 10*mib {
					t.Errorf("%d bytes were sent in vain", beyond)
				}
			})
		})
	}
}

// A server may be generous to the first connection alone: it is kept, and the others cost next to nothing.
func TestTheFirstConnectionIsTheBest(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		src  *rateSource
		cost time.Duration // at most
	}{
		"others slow":             {&rateSource{size: 24 * mib, connection: 4 * mib, good: 1, others: 128 << 10}, time.Millisecond},
		"others half as fast":     {&rateSource{size: 24 * mib, connection: 4 * mib, good: 1, others: 2 * mib}, time.Millisecond},
		"others nearly silent":    {&rateSource{size: 24 * mib, connection: 4 * mib, good: 1, others: 10}, time.Millisecond},
		"slow, others slower":     {&rateSource{size: 16 * mib, connection: 100 << 10, good: 1, others: 10 << 10}, time.Millisecond},
		"two fast ones":           {&rateSource{size: 24 * mib, connection: 4 * mib, good: 2, others: 128 << 10}, 3 * time.Second},
		"two fast ones, one half": {&rateSource{size: 24 * mib, connection: 4 * mib, good: 2, others: 2 * mib}, 3 * time.Second},
		"two of a slow line":      {&rateSource{size: 16 * mib, connection: 100 << 10, good: 2, others: 10 << 10}, 8 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				took, alone := fetched(t, tt.src, artifact.ResumeOptions{}), tt.src.single()
				if took > alone+tt.cost {
					t.Errorf("took %s, alone %s, want at most %s more", took, alone, tt.cost)
				}
				if tt.src.most.Load() < 2 {
					t.Error("took one connection: the test shows nothing")
				}
			})
		})
	}
}

// Where the repository does not say that there are parts, or its size, none is asked for.
func TestNoPartsUnlessPromised(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, info := range []artifact.Info{{Revision: "1", Size: 64 * mib}} {
			src := &rateSource{size: info.Size, connection: 8 * mib}
			r := artifact.NewResumingReader(t.Context(), src, info, artifact.ResumeOptions{})
			if _, err := io.Copy(io.Discard, r); err != nil || len(src.opens) != 1 {
				t.Errorf("%+v: opened %v with error %v, want once", info, src.opens, err)
			}
			r.Close()
		}
	})
}

// It is the repository that must be slow: neither its reader nor the bandwidth.
func TestNoPartsForASlowReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := &rateSource{size: 32 * mib, connection: 16 * mib}
		r := artifact.NewResumingReader(t.Context(), src, artifact.Info{Revision: "1", Size: src.size, Ranges: true}, artifact.ResumeOptions{})
		defer r.Close()
		p := make([]byte, 64<<10)
		for {
			n, err := r.Read(p)
			if err != nil {
				break
			}
			time.Sleep(time.Duration(n) * time.Second / (8 * mib)) // on the test's own clock
		}
		if src.most.Load() != 1 {
			t.Errorf("a slow reader: took %d connections, want one", src.most.Load())
		}

		var b artifact.Bandwidth
		b.Limit(4 * mib)
		src = &rateSource{size: 32 * mib, connection: 16 * mib}
		fetched(t, src, artifact.ResumeOptions{Bandwidth: &b})
		if src.most.Load() != 1 {
			t.Errorf("a small bandwidth: took %d connections, want one", src.most.Load())
		}
	})
}

// The bandwidth holds for all connections together.
func TestPartsKeepToTheBandwidth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var b artifact.Bandwidth
		b.Limit(12 * mib)
		src := &rateSource{size: 120 * mib, connection: 6 * mib}
		took := fetched(t, src, artifact.ResumeOptions{Bandwidth: &b}).Seconds()
		if took < 9.9 || took > 12 || src.most.Load() < 2 {
			t.Errorf("120 MiB over %d connections of 6 MiB/s at 12 MiB/s took %.1fs, want 10 and little more", src.most.Load(), took)
		}
	})
}

// What others want is left to them, at the latest when the part that is being fetched is there, and taken again when they
// leave it.
func TestPartsYield(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var has, may atomic.Int64
		may.Store(4)
		o := artifact.ResumeOptions{Connections: func(have, want int) int {
			has.Store(max(int64(have), min(int64(want), may.Load())))
			return int(has.Load())
		}}
		src := &rateSource{size: 400 * mib, connection: 8 * mib}
		for _, tt := range []struct {
			may   int64
			after time.Duration
		}{{4, 0}, {2, 4 * time.Second}, {4, 6 * time.Second}, {1, 8 * time.Second}, {3, 10 * time.Second}} {
			time.AfterFunc(tt.after, func() { may.Store(tt.may) })
			time.AfterFunc(tt.after+1900*time.Millisecond, func() {
				got := src.connections.Load()
				if tt.after == 0 {
					return // it is finding out
				}
				if got != tt.may || has.Load() != tt.may {
					t.Errorf("%d connections, %d of them asked for, 1.9s after %d are to be had", got, has.Load(), tt.may)
				}
			})
		}
		fetched(t, src, o)
		if has.Load() != 1 {
			t.Errorf("has %d connections in the end, want 1", has.Load())
		}

		may.Store(1)
		next := &rateSource{size: 64 * mib, connection: 8 * mib}
		fetched(t, next, o)
		if next.most.Load() != 1 || len(next.opens) != 1 {
			t.Errorf("took %d connections where others wanted all", next.most.Load())
		}
	})
}
