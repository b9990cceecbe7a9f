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

// What others want is left to them, at the latest when the part that is being fetched is there.
func TestPartsYield(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out, granted, most atomic.Int64
		var wanted atomic.Bool
		o := artifact.ResumeOptions{Extra: func() (func(), bool) {
			if wanted.Load() {
				return nil, false
			}
			out.Add(1)
			granted.Add(1)
			return func() { out.Add(-1) }, true
		}}
		src := &rateSource{size: 160 * mib, connection: 8 * mib}
		time.AfterFunc(4*time.Second, func() {
			wanted.Store(true)
			most.Store(src.most.Load())
		})
		time.AfterFunc(6*time.Second, func() {
			if src.connections.Load() > 1 || out.Load() > 0 {
				t.Errorf("%d connections, %d of them extra, 2s after others wanted them", src.connections.Load(), out.Load())
			}
		})
		fetched(t, src, o)
		if most.Load() != 4 || out.Load() != 0 || granted.Load() < 3 {
			t.Errorf("took %d connections, was granted %d and kept %d, want 4 and none kept", most.Load(), granted.Load(), out.Load())
		}

		next := &rateSource{size: 64 * mib, connection: 8 * mib}
		fetched(t, next, o)
		if next.most.Load() != 1 || len(next.opens) != 1 {
			t.Errorf("took %d connections where others wanted all", next.most.Load())
		}
	})
}
