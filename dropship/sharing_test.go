package dropship_test

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/dropship"
)

// A download's further connections are of those to which no other has a claim.
func TestShareOfConnections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newDownloading(t)
		q.add(t.Context(), "1", "2")
		want := func(name string, have, want, may int) {
			t.Helper()
			if got := q.under[name].Share(have, want); got != may {
				t.Errorf("%s has %d connections and would like %d: may have %d, want %d", name, have, want, got, may)
			}
		}
		want("1", 1, 4, 3) // of four; the other has one, and is content
		want("2", 1, 2, 1) // not yet
		want("1", 3, 4, 3) // what it has, it has until a part has ended
		want("1", 2, 4, 2) // now it has
		want("2", 1, 2, 2)
		for range 3 { // parts of both end, and nobody takes what is the other's
			want("1", 1, 4, 2)
			want("2", 1, 4, 2)
		}
		q.add(t.Context(), "3")
		q.want("1", "2")
		want("2", 2, 4, 2)
		want("2", 1, 4, 1)
		q.want("1", "2", "3") // whoever waits for a first connection comes first
		want("3", 1, 4, 1)    // the fair share of three is one, and no more is left
		want("1", 1, 4, 2)
		q.under["3"].End()
		want("2", 1, 4, 2)
		q.under["1"].End()
		want("2", 1, 4, 4) // all that are left
		q.m.LimitDownloads(3, 0)
		want("2", 4, 4, 4)
		want("2", 3, 4, 3)
		q.m.LimitDownloads(1, 0)
		want("2", 1, 4, 1)
	})
}

// Two long downloads from slow connections have half of them each, and the one that is left soon has all.
func TestDownloadsShareFairly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := dropship.NewMachine("web-01", dropship.NewStore(t.TempDir()), nil)
		var has [2]atomic.Int64
		var ended [2]atomic.Int64 // as a time.Duration; 0: has not
		begin := time.Now()
		fetch := func(i int, size int64) {
			dl, err := m.BeginDownload(t.Context(), bucket+"web")
			if err != nil {
				t.Error(err)
				return
			}
			defer dl.End()
			src := slow{&source{data: make([]byte, size), revision: "r1"}}
			info, err := src.Stat(t.Context())
			if err != nil {
				t.Error(err)
			}
			r := artifact.NewResumingReader(t.Context(), src, info, artifact.ResumeOptions{Connections: func(have, want int) int {
				may := dl.Share(have, want)
				has[i].Store(int64(may))
				return may
			}})
			defer r.Close()
			if n, err := io.Copy(io.Discard, r); n != size || err != nil {
				t.Errorf("got %d bytes and error %v, want %d", n, err, size)
			}
			ended[i].Store(int64(time.Since(begin)))
		}
		go fetch(0, 32<<20)
		go func() {
			time.Sleep(4 * time.Second) // the first has all
			fetch(1, 64<<20)
		}()
		var first, second time.Duration
		for at := time.Second; second == 0; at += time.Second {
			time.Sleep(time.Until(begin.Add(at)))
			first, second = time.Duration(ended[0].Load()), time.Duration(ended[1].Load())
			a, b := has[0].Load(), has[1].Load()
			switch {
			case at == 4*time.Second && a != 4:
				t.Errorf("%d connections alone, want 4", a)
			case at >= 9*time.Second && at <= 12*time.Second && (a != 2 || b != 2):
				t.Errorf("%d and %d connections after %s, want 2 and 2", a, b, at)
			case first > 0 && second == 0 && at >= first+3*time.Second && b != 4:
				t.Errorf("%d connections %s after the other had ended, want 4", b, at-first)
			}
		}
		if first < 12*time.Second || second > 28*time.Second {
			t.Errorf("ended after %s and %s: too fast for two of four connections, or too slow for them and all afterwards", first, second)
		}
	})
}

// What was put together wrongly from parts comes over one connection at the next attempt.
func TestWrongPartsComeAsAWhole(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.downloadsSlowly()
		src := &wrongParts{slow: slow{w.source}}
		w.service.Source = src
		for _, revision := range []string{"r2", "r3"} {
			w.source.publish(append(make([]byte, 20<<20), revision...), revision)
			_, err := w.update()
			if _, ok := errors.AsType[*artifact.ChecksumError](err); !ok {
				t.Fatalf("got error %v for wrong parts, want a *artifact.ChecksumError", err)
			}
			if src.parts.Swap(0) < 2 {
				t.Error("no parts were asked for: the test shows nothing")
			}
			time.Sleep(time.Hour) // the back-off is over
			w.mustUpdate(dropship.Updated)
			if n := src.parts.Load(); n != 0 {
				t.Errorf("%d parts were asked for after parts had been wrong", n)
			}
		}
	})
}

// wrongParts sends zeroes where a part is asked for that has others.
type wrongParts struct {
	slow

	parts atomic.Int64
}

func (s *wrongParts) Open(ctx context.Context, info artifact.Info, offset, length int64) (io.ReadCloser, error) {
	body, err := s.slow.Open(ctx, info, offset, length)
	if err != nil || length < 0 {
		return body, err
	}
	s.parts.Add(1)
	return zeroes{body}, nil
}

type zeroes struct{ io.ReadCloser }

func (z zeroes) Read(p []byte) (int, error) {
	n, err := z.ReadCloser.Read(p)
	clear(p[:n])
	return n, err
}
