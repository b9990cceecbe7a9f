package dropship_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/archive"
	"github.com/dropship/dropship/artifact/install"
	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/lock"
)

// A world is one machine with one service: a source in memory, hooks that write down that they ran, a
// locker with a switch for its troubles; and the real thing for all that touches the disk.
type world struct {
	t       *testing.T
	dir     string
	source  *source
	locker  *locker
	service *dropship.Service
	machine *dropship.Machine
	log     *logBuffer

	mu  sync.Mutex
	ran []string // hooks, in order: "before stop update"
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), source: &source{}, locker: &locker{}, log: new(logBuffer)}
	w.service = &dropship.Service{
		Name:          "web",
		Source:        w.source,
		Site:          install.New(install.Options{Destination: filepath.Join(w.dir, "srv", "web"), Keep: 3, Archive: archive.Options{Format: archive.TarGzip, UID: -1, GID: -1}}),
		CheckInterval: 10 * time.Second,
	}
	w.restart()
	return w
}

// restart is what a new process knows: nothing but what is on disk.
func (w *world) restart() {
	o := w.service.Site.Options()
	w.service.Site = install.New(o)
	w.machine = dropship.NewMachine("web-01", dropship.NewStore(filepath.Join(w.dir, "state")),
		slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
}

// takesTurns makes the service take a slot.
func (w *world) takesTurns() {
	w.service.Turn = &dropship.Turn{Locker: w.locker, Group: "web", Slots: 1}
}

// hook returns a step that writes down that it ran, and then does what do says.
func (w *world) hook(name string, do func(ctx context.Context, ev hooks.Event) error) hooks.Step {
	return hooks.Step{Timeout: time.Minute, OnError: hooks.Abort, When: hooks.Always, Hook: hookFunc{name, func(ctx context.Context, ev hooks.Event) error {
		w.mu.Lock()
		w.ran = append(w.ran, fmt.Sprintf("%s %s %s", ev.Phase, name, ev.Status))
		w.mu.Unlock()
		if do == nil {
			return nil
		}
		return do(ctx, ev)
	}}}
}

// took returns which hooks ran since the last call.
func (w *world) took() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	ran := w.ran
	w.ran = nil
	return ran
}

func (w *world) update() (dropship.Result, error) {
	return w.service.Update(w.t.Context(), w.machine)
}

// mustUpdate updates and wants that outcome, without an error.
func (w *world) mustUpdate(want dropship.Outcome) dropship.Result {
	w.t.Helper()
	r, err := w.update()
	if err != nil || r.Outcome != want {
		w.t.Fatalf("got outcome %q, error %v, want %q\n%s", r.Outcome, err, want, w.log)
	}
	return r
}

// live returns the content of the file "version" at the destination.
func (w *world) live() string {
	w.t.Helper()
	data, err := os.ReadFile(filepath.Join(w.service.Site.Destination(), "version"))
	if errors.Is(err, os.ErrNotExist) {
		return ""
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return string(data)
}

func (w *world) wantLive(want string) {
	w.t.Helper()
	if got := w.live(); got != want {
		w.t.Errorf("at the destination: got %q, want %q\n%s", got, want, w.log)
	}
}

func (w *world) wantRan(want ...string) {
	w.t.Helper()
	if got := w.took(); !slices.Equal(got, want) {
		w.t.Errorf("hooks: got %q, want %q", got, want)
	}
}

func (w *world) state() *dropship.State {
	w.t.Helper()
	st, err := w.machine.Store.Load(w.service.Name)
	if err != nil {
		w.t.Fatal(err)
	}
	return st
}

// killed runs an update whose goroutine ends in the middle, as a process that is killed does: what it
// holds in memory is gone, and what is on disk is as it was at that instant.
func (w *world) killed() {
	w.t.Helper()
	done := make(chan struct{})
	finished := false
	go func() {
		defer close(done)
		_, _ = w.update()
		finished = true
	}()
	<-done
	if finished {
		w.t.Fatalf("the update was not killed\n%s", w.log)
	}
	w.restart()
}

type hookFunc struct {
	name string
	run  func(context.Context, hooks.Event) error
}

func (h hookFunc) String() string { return h.name }

func (h hookFunc) Run(ctx context.Context, ev hooks.Event) error { return h.run(ctx, ev) }

// A logBuffer can be read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// without returns what was logged but for the lines that have text in them.
func (l *logBuffer) without(text string) string {
	var kept []string
	for line := range strings.Lines(l.String()) {
		if !strings.Contains(line, text) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

// pack returns a tar.gz whose file "version" holds that text.
func pack(t testing.TB, version string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: "version", Mode: 0o644, Size: int64(len(version))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(version)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func md5Hex(data []byte) string {
	sum := md5.Sum(data)
	return hex.EncodeToString(sum[:])
}

// A source is an artifact in memory.
type source struct {
	mu       sync.Mutex
	data     []byte
	revision string
	noMD5    bool                // the repository does not know the md5 beforehand
	tamper   func([]byte) []byte // what the network makes of the bytes
	err      error               // what Stat answers
	onOpen   func()
	onStat   func()
	stats    int
	opens    int
	closes   int
}

func (s *source) publish(data []byte, revision string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data, s.revision = data, revision
}

func (s *source) set(change func(*source)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// counts returns how often Stat and Open were called since the last call.
func (s *source) counts() (stats, opens int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats, opens = s.stats, s.opens
	s.stats, s.opens = 0, 0
	return stats, opens
}

func (s *source) String() string { return "mem://bucket/web.tar.gz" }

func (s *source) Stat(context.Context) (artifact.Info, error) {
	s.mu.Lock()
	onStat := s.onStat
	s.mu.Unlock()
	if onStat != nil {
		onStat()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats++
	if s.err != nil {
		return artifact.Info{}, s.err
	}
	if s.data == nil {
		return artifact.Info{}, fmt.Errorf("cannot stat %s: %w", s, artifact.ErrNotExist)
	}
	info := artifact.Info{Revision: s.revision, Size: int64(len(s.data))}
	if !s.noMD5 {
		info.MD5 = md5Hex(s.data)
	}
	return info, nil
}

func (s *source) Checksums(_ context.Context, info artifact.Info) ([]artifact.Checksum, error) {
	if info.MD5 == "" {
		return nil, nil
	}
	sum, err := hex.DecodeString(info.MD5)
	return []artifact.Checksum{{Algorithm: artifact.MD5, Sum: sum}}, err
}

func (s *source) Open(_ context.Context, info artifact.Info, offset, _ int64) (io.ReadCloser, error) {
	s.mu.Lock()
	onOpen := s.onOpen
	s.mu.Unlock()
	if onOpen != nil {
		onOpen()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opens++
	if info.Revision != s.revision {
		return nil, fmt.Errorf("cannot open %s: %w", s, artifact.ErrChanged)
	}
	data := s.data
	if s.tamper != nil {
		data = s.tamper(bytes.Clone(data))
	}
	return &body{Reader: bytes.NewReader(data[offset:]), source: s}, nil
}

type body struct {
	io.Reader
	source *source
	once   sync.Once
}

func (b *body) Close() error {
	b.once.Do(func() { b.source.set(func(s *source) { s.closes++ }) })
	return nil
}

// A locker is a semaphore in memory whose troubles are made by hand.
type locker struct {
	mu       sync.Mutex
	err      error        // what Acquire answers
	check    func() error // what Check answers, calls being counted from 1
	onGrant  func()
	lease    *lease
	acquired int
	released int
}

// givenBack returns how many slots were released.
func (l *locker) givenBack() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.released
}

func (l *locker) String() string { return "locker in memory" }

func (l *locker) Acquire(ctx context.Context, req lock.Request) (lock.Lease, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return nil, l.err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if req.Holder.Service == "" || req.Holder.Hash == "" || req.Holder.Host == "" {
		return nil, fmt.Errorf("incomplete holder %+v", req.Holder)
	}
	l.acquired++
	if l.onGrant != nil {
		l.onGrant()
	}
	l.lease = &lease{l: l, lost: make(chan struct{})}
	return l.lease, nil
}

type lease struct {
	l    *locker
	lost chan struct{}
}

func (s *lease) Lost() <-chan struct{} { return s.lost }

func (s *lease) Err() error {
	select {
	case <-s.lost:
		return lock.ErrLost
	default:
		return nil
	}
}

func (s *lease) Check(context.Context) error {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	select {
	case <-s.lost:
		return lock.ErrLost
	default:
	}
	if s.l.check == nil {
		return nil
	}
	return s.l.check()
}

func (s *lease) Release(context.Context) error {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	s.l.released++
	return nil
}
