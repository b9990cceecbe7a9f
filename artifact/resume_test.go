package artifact_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/artifact"
)

// A fakeSource answers the n-th Open by script[n] (the last one for all further) and counts the
// bytes that it gave away.
type fakeSource struct {
	artifact.Source
	content []byte
	script  []answer
	opens   []int64
	given   int
}

// An answer is one connection: an error at Open, or so many bytes and then an end.
type answer struct {
	open  error
	bytes int
	end   error // nil: silence
}

var errCut = errors.New("connection reset")

func (s *fakeSource) String() string { return "fake://bucket/key" }

func (s *fakeSource) Open(ctx context.Context, _ artifact.Info, offset, _ int64) (io.ReadCloser, error) {
	a := s.script[min(len(s.opens), len(s.script)-1)]
	s.opens = append(s.opens, offset)
	if a.open != nil {
		return nil, a.open
	}
	end := min(int(offset)+a.bytes, len(s.content))
	return &fakeBody{ctx: ctx, source: s, rest: s.content[offset:end], end: a.end}, nil
}

type fakeBody struct {
	ctx    context.Context
	source *fakeSource
	rest   []byte
	end    error
}

func (b *fakeBody) Close() error { return nil }

func (b *fakeBody) Read(p []byte) (int, error) {
	switch {
	case len(b.rest) > 0:
		n := copy(p, b.rest[:min(50, len(b.rest))])
		b.rest = b.rest[n:]
		b.source.given += n
		return n, nil
	case b.end != nil:
		return 0, b.end
	}
	<-b.ctx.Done()
	return 0, b.ctx.Err()
}

const all = 1 << 20

func text() []byte { return bytes.Repeat([]byte("0123456789abcdef"), 64) }

func TestResumingReader(t *testing.T) {
	for name, tt := range map[string]struct {
		script []answer
		opens  []int64
		least  time.Duration // that it takes
		most   time.Duration
	}{
		"nothing breaks": {
			script: []answer{{bytes: all, end: io.EOF}},
			opens:  []int64{0},
		},
		"cut after 120 bytes": {
			script: []answer{{bytes: 120, end: errCut}, {bytes: all, end: io.EOF}},
			opens:  []int64{0, 120},
			least:  250 * time.Millisecond, most: 500 * time.Millisecond,
		},
		"ends early": {
			script: []answer{{bytes: 120, end: io.EOF}, {bytes: 130, end: io.ErrUnexpectedEOF}, {bytes: all, end: io.EOF}},
			opens:  []int64{0, 120, 250},
			least:  500 * time.Millisecond, most: time.Second,
		},
		"a connection that ends is not the end": {
			script: []answer{{open: fmt.Errorf("cannot connect: %w", io.EOF)}, {bytes: all, end: io.EOF}},
			opens:  []int64{0, 0},
			least:  500 * time.Millisecond, most: time.Second,
		},
		"stalls": {
			script: []answer{{bytes: 120}, {bytes: all, end: io.EOF}},
			opens:  []int64{0, 120},
			least:  60*time.Second + 250*time.Millisecond, most: 60*time.Second + 500*time.Millisecond,
		},
		"cut at every byte": {
			script: []answer{{bytes: 1, end: errCut}},
			opens:  upTo(1024),
			least:  1023 * 250 * time.Millisecond, most: 1024 * 500 * time.Millisecond,
		},
		"progress resets the count": {
			script: []answer{
				{open: errCut},
				{open: errCut},
				{open: errCut},
				{open: errCut},
				{open: errCut},
				{bytes: 1, end: errCut},
				{open: errCut},
				{open: errCut},
				{open: errCut},
				{open: errCut},
				{open: errCut},
				{bytes: all, end: io.EOF},
			},
			opens: []int64{0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1},
			least: 30 * time.Second, most: 62 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := &fakeSource{content: text(), script: tt.script}
				var reported []int64
				begin := time.Now()
				r := artifact.NewResumingReader(t.Context(), src, artifact.Info{Revision: "1", Size: 1024}, artifact.ResumeOptions{
					MinProgress: 1,
					OnResume:    func(r artifact.Resume) { reported = append(reported, r.Offset) },
				})
				got, err := io.ReadAll(r)
				took := time.Since(begin)
				if err != nil || !bytes.Equal(got, src.content) {
					t.Errorf("got %d bytes and error %v, want all 1024", len(got), err)
				}
				if src.given != 1024 {
					t.Errorf("the source gave %d bytes away, want each of 1024 once", src.given)
				}
				if diff := cmp.Diff(tt.opens, src.opens); diff != "" {
					t.Errorf("opened at other offsets (-want +got):\n%s", diff)
				}
				if len(reported) != len(src.opens)-1 {
					t.Errorf("reported %d resumes of %d", len(reported), len(src.opens)-1)
				}
				if took < tt.least || took > tt.most {
					t.Errorf("took %s, want %s to %s", took, tt.least, tt.most)
				}
				if err := r.Close(); err != nil {
					t.Errorf("cannot close: %v", err)
				}
				if _, err := r.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
					t.Errorf("reading after Close: got error %v", err)
				}
			})
		})
	}
}

// A fleet that was cut at one moment must not come back at one moment.
func TestResumingReaderJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &fakeSource{content: text(), script: []answer{{bytes: 1, end: errCut}}}
		delays := map[time.Duration]bool{}
		r := artifact.NewResumingReader(t.Context(), src, artifact.Info{Revision: "1", Size: 1024}, artifact.ResumeOptions{
			MinProgress: 1, BaseDelay: time.Second, MaxDelay: time.Minute,
			OnResume: func(r artifact.Resume) { delays[r.Delay] = true },
		})
		defer r.Close()
		if _, err := io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		if len(delays) < 1000 {
			t.Errorf("1023 delays have %d values, want nearly as many", len(delays))
		}
		for d := range delays {
			if d < time.Second/2 || d > time.Second {
				t.Errorf("got the delay %s, want half of 1s to all of it", d)
			}
		}
	})
}

func TestResumingReaderBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &fakeSource{content: text(), script: []answer{{bytes: 1, end: errCut}, {open: errCut}}}
		var delays []time.Duration
		r := artifact.NewResumingReader(t.Context(), src, artifact.Info{Revision: "1", Size: 1024}, artifact.ResumeOptions{
			MinProgress: 1, Attempts: 8,
			OnResume: func(r artifact.Resume) { delays = append(delays, r.Delay) },
		})
		defer r.Close()
		if _, err := io.ReadAll(r); !errors.Is(err, errCut) {
			t.Fatalf("got error %v, want %v", err, errCut)
		}
		most := []time.Duration{500, 1000, 2000, 4000, 8000, 15000, 15000, 15000} // ms
		if len(delays) != len(most) {
			t.Fatalf("got the delays %v, want %d of them", delays, len(most))
		}
		for i, d := range delays {
			if limit := most[i] * time.Millisecond; d < limit/2 || d > limit {
				t.Errorf("delay %d is %s, want half of %s to all of it", i, d, limit)
			}
		}
	})
}

func upTo(n int64) []int64 {
	var s []int64
	for i := range n {
		s = append(s, i)
	}
	return s
}

func TestResumingReaderGivesUp(t *testing.T) {
	for name, tt := range map[string]struct {
		script []answer
		size   int64
		want   error
		opens  int
	}{
		"never a connection":      {script: []answer{{open: errCut}}, want: errCut, opens: 6},
		"never another byte":      {script: []answer{{bytes: 120, end: errCut}, {end: errCut}}, want: errCut, opens: 7},
		"changed":                 {script: []answer{{open: artifact.ErrChanged}}, want: artifact.ErrChanged, opens: 1},
		"changed after a cut":     {script: []answer{{bytes: 120, end: errCut}, {open: artifact.ErrChanged}}, want: artifact.ErrChanged, opens: 2},
		"changed after its bytes": {script: []answer{{bytes: all, end: artifact.ErrChanged}}, want: artifact.ErrChanged, opens: 1},
		"removed":                 {script: []answer{{open: artifact.ErrNotExist}}, want: artifact.ErrNotExist, opens: 1},
		"always shorter":          {script: []answer{{bytes: all, end: io.EOF}}, size: 2000, want: io.ErrUnexpectedEOF, opens: 7},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := &fakeSource{content: text(), script: tt.script}
				info := artifact.Info{Revision: "1", Size: max(tt.size, 1024)}
				r := artifact.NewResumingReader(t.Context(), src, info, artifact.ResumeOptions{MinProgress: 1})
				defer r.Close()
				_, err := io.ReadAll(r)
				if !errors.Is(err, tt.want) {
					t.Errorf("got error %v, want %v", err, tt.want)
				}
				if len(src.opens) != tt.opens {
					t.Errorf("opened %d times, want %d", len(src.opens), tt.opens)
				}
				if _, again := r.Read(make([]byte, 1)); !errors.Is(again, tt.want) {
					t.Errorf("the next Read gives %v", again)
				}
			})
		})
	}
}

func TestResumingReaderStopsAtSize(t *testing.T) {
	src := &fakeSource{content: text(), script: []answer{{bytes: all, end: io.EOF}}}
	r := artifact.NewResumingReader(t.Context(), src, artifact.Info{Revision: "1", Size: 100}, artifact.ResumeOptions{})
	defer r.Close()
	got, err := io.ReadAll(r)
	var want *artifact.SizeError
	if !errors.As(err, &want) || len(got) > 150 {
		t.Errorf("got %d bytes and error %v, want a *SizeError soon after 100", len(got), err)
	}
}

func TestResumingReaderCancelled(t *testing.T) {
	for name, script := range map[string][]answer{
		"while it waits for bytes":   {{bytes: 120}},
		"while it waits to go on":    {{bytes: 120, end: errCut}, {open: errCut}},
		"while it waits for a start": {{open: errCut}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				src := &fakeSource{content: text(), script: script}
				r := artifact.NewResumingReader(ctx, src, artifact.Info{Revision: "1", Size: 1024}, artifact.ResumeOptions{})
				defer r.Close()
				time.AfterFunc(600*time.Millisecond, cancel)
				begin := time.Now()
				_, err := io.ReadAll(r)
				if !errors.Is(err, context.Canceled) {
					t.Errorf("got error %v, want context.Canceled", err)
				}
				if took := time.Since(begin); took != 600*time.Millisecond {
					t.Errorf("ended after %s, want at once", took)
				}
			})
		})
	}
}
