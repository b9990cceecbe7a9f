package dropship_test

import (
	"context"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/archive"
	"github.com/dropship/dropship/artifact/install"
	"github.com/dropship/dropship/dropship"
)

const bucket = "s3://bucket/"

// A downloading is downloads of one store, in the order in which they began.
type downloading struct {
	t  *testing.T
	m  *dropship.Machine
	mu sync.Mutex
	// begun are the names, in order.
	begun []string
	under map[string]dropship.Download
}

func newDownloading(t *testing.T) *downloading {
	return &downloading{t: t, m: dropship.NewMachine("web-01", dropship.NewStore(t.TempDir()), nil), under: map[string]dropship.Download{}}
}

// add asks for downloads, each after those before it.
func (q *downloading) add(ctx context.Context, names ...string) {
	for _, name := range names {
		go func() {
			dl, err := q.m.BeginDownload(ctx, bucket+name)
			if err != nil {
				if !errors.Is(err, context.Cause(ctx)) {
					q.t.Errorf("%s: got error %v, want %v", name, err, context.Cause(ctx))
				}
				return
			}
			q.mu.Lock()
			defer q.mu.Unlock()
			q.begun = append(q.begun, name)
			q.under[name] = dl
		}()
		synctest.Wait()
	}
}

// want checks which downloads have begun in all, in order.
func (q *downloading) want(names ...string) {
	q.t.Helper()
	synctest.Wait()
	q.mu.Lock()
	defer q.mu.Unlock()
	if !slices.Equal(q.begun, names) {
		q.t.Errorf("got %q under way or through, want %q", q.begun, names)
	}
}

func TestDownloadsBeginInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newDownloading(t)
		q.add(t.Context(), "1", "2", "3", "4", "5", "6")
		q.want("1", "2", "3", "4") // the default
		q.under["3"].End()
		q.want("1", "2", "3", "4", "5")

		q.m.LimitDownloads(2, 0)
		q.add(t.Context(), "7")
		q.under["1"].End()
		q.under["2"].End()
		q.want("1", "2", "3", "4", "5") // two are under way still
		q.under["4"].End()
		q.want("1", "2", "3", "4", "5", "6")

		q.m.LimitDownloads(1000, 0)
		q.want("1", "2", "3", "4", "5", "6", "7") // at once
		if dl, err := q.m.BeginDownload(t.Context(), "s3://other/1"); err != nil {
			t.Error(err)
		} else {
			dl.End()
		}
	})
}

// Whoever has given up waiting takes nobody's turn.
func TestDownloadsThatGiveUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newDownloading(t)
		q.m.LimitDownloads(1, 0)
		ctx, cancel := context.WithCancelCause(t.Context())
		q.add(t.Context(), "1")
		q.add(ctx, "2")
		q.add(t.Context(), "3", "4")
		cancel(errors.New("steered elsewhere"))
		q.want("1")
		q.under["1"].End()
		q.want("1", "3")
		q.under["3"].End()
		q.want("1", "3", "4")
	})
}

// What a machine's downloads bring is limited, and stops being so, without a new machine.
func TestBandwidthIsOfTheMachine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		content := pack(t, "1")
		w.source.publish(content, "r1")
		took := func() time.Duration {
			begin := time.Now()
			w.mustUpdate(dropship.Updated)
			return time.Since(begin)
		}
		w.machine.LimitDownloads(4, 10)
		want := time.Duration(len(content)) * time.Second / 10
		if got := took(); got < want-time.Second || got > want {
			t.Errorf("%d bytes at 10 a second took %s, want about %s", len(content), got, want)
		}
		w.machine.LimitDownloads(4, 0)
		w.source.publish(pack(t, "2"), "r2")
		if got := took(); got != 0 {
			t.Errorf("without a limit it took %s, want no time", got)
		}
	})
}

// Whoever reads the log learns what held a download up: others, or a slow connection.
func TestLogTellsWhatADownloadTook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.downloadsSlowly()
		w.machine.LimitDownloads(3, 0)
		other, err := w.machine.BeginDownload(t.Context(), w.service.Source.String())
		if err != nil {
			t.Fatal(err)
		}
		other.Share(1, 3)
		go func() {
			time.Sleep(7 * time.Second)
			other.Share(1, 1)
		}()
		w.mustUpdate(dropship.Updated)
		for _, want := range []string{`msg=staging .* waited=7s`, `msg=staged .* took=[5-7]\.?\d*s connections=2`} {
			if !regexp.MustCompile(want).MatchString(w.log.String()) {
				t.Errorf("got no line %q in\n%s", want, w.log)
			}
		}
	})
}

// Whoever asks why nothing comes learns that others come first.
func TestReasonTellsOfOtherDownloads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.downloadsSlowly()
		w.machine.LimitDownloads(1, 0)
		other, err := w.machine.BeginDownload(t.Context(), w.service.Source.String())
		if err != nil {
			t.Fatal(err)
		}
		a, _ := w.start(w.service)
		const waits = "its download has not begun"
		if got := status(t, a).Reason.Text; !strings.Contains(got, waits) {
			t.Errorf("while another one is under way: got %q, want %q", got, waits)
		}
		other.End()
		time.Sleep(time.Second / 2)
		if got := status(t, a).Reason.Text; strings.Contains(got, waits) || !strings.Contains(got, "step stage") {
			t.Errorf("when it is through: got %q, want to hear of the step", got)
		}
	})
}

// downloadsSlowly publishes a file that takes ten seconds over one connection.
func (w *world) downloadsSlowly() {
	o := w.service.Site.Options()
	o.Archive.Format = archive.File
	w.service.Site, w.service.Source = install.New(o), slow{w.source}
	w.source.publish(make([]byte, 10<<20), "r1")
}

// A slow source brings a MiB a second over each connection.
type slow struct{ *source }

func (s slow) Stat(ctx context.Context) (artifact.Info, error) {
	info, err := s.source.Stat(ctx)
	info.Ranges = true
	return info, err
}

func (s slow) Open(ctx context.Context, info artifact.Info, offset, length int64) (io.ReadCloser, error) {
	body, err := s.source.Open(ctx, info, offset, length)
	if err != nil || length < 0 {
		length = info.Size
	}
	return trickle{io.LimitReader(body, length), body}, err
}

type trickle struct {
	io.Reader
	io.Closer
}

func (t trickle) Read(p []byte) (int, error) {
	n, err := t.Reader.Read(p[:min(len(p), 64<<10)])
	time.Sleep(time.Duration(n) * time.Second >> 20)
	return n, err
}
