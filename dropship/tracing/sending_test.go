package tracing_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/dropship/tracing"
	"github.com/dropship/dropship/hooks"
)

// update tells of a whole update, of two spans.
func update(e dropship.Exporter, id string) {
	now := time.Now()
	for _, event := range []dropship.Event{
		{Type: dropship.UpdateBegun, Status: hooks.StatusUpdate},
		{Type: dropship.StepBegun, Step: dropship.StepStage},
		{Type: dropship.StepEnded, Step: dropship.StepStage},
		{Type: dropship.UpdateEnded, Outcome: dropship.Updated, Hash: "new"},
	} {
		event.Time, event.Service, event.UpdateID = now, "web", id
		e.Observe(event)
	}
}

// run runs an exporter until stop, which returns how long its end took.
func run(t *testing.T, e dropship.Exporter) (stop func() time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	if err := e.Open(ctx, nil); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		e.Run(ctx)
	}()
	return func() time.Duration {
		began := time.Now()
		cancel()
		<-ended
		return time.Since(began)
	}
}

// A syncBuffer can be read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestOneBatchForWhatComesTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := new(collector)
		e := newExporter(t, `headers = { X-Team = "blue" }`, io.Discard)
		tracing.Through(e, c)
		stop := run(t, e)
		update(e, "u1")
		update(e, "u2")
		time.Sleep(6 * time.Second)
		asked := c.asked()
		if len(asked) != 1 || len(c.trees(t)) != 2 {
			t.Fatalf("got %d requests with %d traces, want 1 with 2", len(asked), len(c.trees(t)))
		}
		r := asked[0]
		got := fmt.Sprintf("%s %s %s %s", r.Method, r.URL, r.Header.Get("Content-Type"), r.Header.Get("X-Team"))
		if want := "POST http://127.0.0.1:4318/v1/traces application/x-protobuf blue"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if took := stop(); took != 0 {
			t.Errorf("with nothing left to send, the end took %s", took)
		}
		update(e, "late")
		if got := len(c.asked()); got != 1 {
			t.Errorf("got %d requests after the end", got)
		}
	})
}

// While nobody answers, updates go on at once; what is lost is said once a minute.
func TestCollectorThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &collector{answer: func(_ int, r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}}
		var log syncBuffer
		e := newExporter(t, "", &log)
		tracing.Through(e, c)
		stop := run(t, e)
		for i := range 200 {
			began := time.Now()
			for range 30 {
				update(e, fmt.Sprint("u", i))
			}
			if took := time.Since(began); took != 0 {
				t.Fatalf("update %d waited %s for the collector", i, took)
			}
			time.Sleep(3 * time.Second)
		}
		if said := strings.Count(log.String(), "cannot send traces"); said < 5 || said > 10 {
			t.Errorf("in 10 minutes it was said %d times, want once a minute:\n%s", said, log.String())
		}
		if !strings.Contains(log.String(), "no answer within 10s") {
			t.Errorf("the log does not say why:\n%s", log.String())
		}
		if took := stop(); took > 5*time.Second {
			t.Errorf("the end took %s", took)
		}
	})
}

func TestCollectorThatIsAwayForAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		c := &collector{answer: func(attempt int, _ *http.Request) (*http.Response, error) {
			if attempt == 3 {
				busy := answer(http.StatusServiceUnavailable)
				busy.Header.Set("Retry-After", "15")
				return busy, nil
			}
			if time.Since(began) < 30*time.Second {
				return nil, errors.New("connection refused")
			}
			return answer(http.StatusOK), nil
		}}
		var log syncBuffer
		e := newExporter(t, "", &log)
		tracing.Through(e, c)
		stop := run(t, e)
		update(e, "u1")
		time.Sleep(time.Minute)
		if got := len(c.trees(t)); got != 1 {
			t.Errorf("got %d traces, want the one of before", got)
		}
		if got := len(c.asked()); got != 5 { // at 5, 6, 8, 23 and 31 seconds
			t.Errorf("got %d requests, want 5", got)
		}
		for _, want := range []string{`msg="cannot send traces"`, `error="connection refused" spans_lost=0`, `msg="traces are sent again"`} {
			if strings.Count(log.String(), want) != 1 {
				t.Errorf("the log does not say %q once:\n%s", want, log.String())
			}
		}
		stop()
	})
}

// A stop does not wait for the next repetition, and sends what is left at once.
func TestStopWhileItRepeats(t *testing.T) {
	t.Parallel()
	for name, up := range map[string]bool{"it is there again": true, "it is still away": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				back := make(chan struct{})
				c := &collector{answer: func(int, *http.Request) (*http.Response, error) {
					select {
					case <-back:
						return answer(http.StatusOK), nil
					default:
						return nil, errors.New("connection refused")
					}
				}}
				var log syncBuffer
				e := newExporter(t, "", &log)
				tracing.Through(e, c)
				stop := run(t, e)
				update(e, "u1")
				time.Sleep(10 * time.Second) // it waits for 4 seconds, since 8
				want, lost := 0, "spans_lost=2"
				if up {
					close(back)
					want, lost = 1, "spans_lost=0"
				}
				if took := stop(); took != 0 {
					t.Errorf("the end took %s", took)
				}
				if got := len(c.trees(t)); got != want {
					t.Errorf("got %d traces, want %d", got, want)
				}
				if lines := strings.Split(strings.TrimSpace(log.String()), "\n"); !strings.Contains(lines[len(lines)-1], lost) {
					t.Errorf("the log does not end with %s:\n%s", lost, log.String())
				}
			})
		})
	}
}

// What a server will never take is not sent again.
func TestAnswers(t *testing.T) {
	t.Parallel()
	partial := protowire.AppendTag(nil, 1, protowire.VarintType)
	partial = protowire.AppendVarint(partial, 1)
	partial = protowire.AppendTag(partial, 2, protowire.BytesType)
	partial = protowire.AppendString(partial, "too long")
	rejects := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), partial)
	tests := []struct {
		name string
		code int
		body string
		want string
	}{
		{"unauthorized", 401, "s3cr3t", `error="the server answered 401 Unauthorized" spans_lost=2`},
		{"redirect", 307, "", "redirects are not followed: configure the address that it redirects to"},
		{"rejects one", 200, string(rejects), `error="the server took 1 spans of a request, and not the other 1; its log may say why" spans_lost=1`},
		{"says nothing", 200, "", ""},
		{"talks nonsense", 200, "\xff\xff\xff", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var log syncBuffer
			var elsewhere collector
			other := httptest.NewServer(&elsewhere)
			defer other.Close()
			asked := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked++
				w.Header().Set("Content-Type", "application/x-protobuf")
				w.Header().Set("Location", other.URL)
				w.WriteHeader(tt.code)
				fmt.Fprint(w, tt.body)
			}))
			defer server.Close()
			e := newExporter(t, fmt.Sprintf(`
				endpoint = %q
				headers  = { Authorization = "Bearer s3cr3t" }`, server.URL), &log)
			stop := run(t, e)
			update(e, "u1")
			stop()
			if asked != 1 || len(elsewhere.asked()) != 0 {
				t.Errorf("got %d requests, and %d to where it redirects to, want 1 and 0", asked, len(elsewhere.asked()))
			}
			if got := log.String(); !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") || strings.Contains(got, "s3cr3t") {
				t.Errorf("got the log %s, want %s", got, tt.want)
			}
		})
	}
}
