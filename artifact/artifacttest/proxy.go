package artifacttest

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// A Proxy stands on loopback between a source and its real server, notes every request, and breaks
// the answers it is told to. It passes the Host header and the escaped path on as they are, so that
// signed requests stay valid. Safe for concurrent use.
type Proxy struct {
	URL string // without a slash at the end

	answering atomic.Int64 // requests whose answers have not ended
	mu        sync.Mutex
	requests  []*http.Request
	fault     Fault
	left      int
	only      func(*http.Request) bool
}

// A Fault is one way to break an answer.
type Fault struct {
	name  string
	code  int                        // if not 0, the proxy answers this by itself
	apply func(*http.Response) error // else this changes the server's answer
}

func (f Fault) String() string { return f.name }

// A request carries its fault, so that it cannot meet the answer to another one.
type faultKey struct{}

// StartProxy starts a proxy to the server at target ("http://host:port"). It ends with the test.
func StartProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatalf("cannot start a proxy to %q: %v", target, err)
	}
	p := &Proxy{}
	transport := &http.Transport{DisableCompression: true} // it would sign up for gzip on its own
	reverse := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = u.Scheme, u.Host
			r.Out.URL.RawQuery = r.In.URL.RawQuery
			r.Out.Host = r.In.Host
		},
		Transport:      transport,
		FlushInterval:  -1, // bytes before a cut must arrive
		ErrorLog:       log.New(io.Discard, "", 0),
		ModifyResponse: p.modify,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusBadGateway)
		},
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.answering.Add(1)
		defer p.answering.Add(-1)
		fault := p.note(r)
		if fault.code != 0 {
			http.Error(w, "injected by the fault proxy", fault.code)
			return
		}
		reverse.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), faultKey{}, fault)))
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	p.URL = server.URL
	t.Cleanup(func() {
		server.CloseClientConnections() // a stalled answer would hold Close up
		server.Close()
		transport.CloseIdleConnections()
	})
	return p
}

// Break applies f to the next times answers (-1: until the next Break) to requests that only takes
// (nil: every GET). Times 0 ends the fault that is in force.
func (p *Proxy) Break(times int, f Fault, only func(*http.Request) bool) {
	if only == nil {
		only = func(r *http.Request) bool { return r.Method == http.MethodGet }
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault, p.left, p.only = f, times, only
}

// Requests returns what came through so far, in order, without bodies.
func (p *Proxy) Requests() []*http.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// Answering returns how many requests are being answered now. An answer that stalls ends when the client goes away.
func (p *Proxy) Answering() int { return int(p.answering.Load()) }

// Forget empties the list of requests.
func (p *Proxy) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = nil
}

func (p *Proxy) note(r *http.Request) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	note := r.Clone(context.Background())
	note.Body = nil
	p.requests = append(p.requests, note)
	if p.left == 0 || !p.only(r) {
		return Fault{}
	}
	if p.left > 0 {
		p.left--
	}
	return p.fault
}

func (p *Proxy) modify(r *http.Response) error {
	if f, ok := r.Request.Context().Value(faultKey{}).(Fault); ok && f.apply != nil {
		return f.apply(r)
	}
	return nil
}

// Status answers with code, without asking the server.
func Status(code int) Fault { return Fault{name: fmt.Sprintf("status %d", code), code: code} }

// Cut sends n bytes of the body and then breaks the connection.
func Cut(n int64) Fault {
	return bodyFault(fmt.Sprintf("cut after %d bytes", n), func(_ *http.Response, body io.Reader) io.Reader {
		return io.MultiReader(io.LimitReader(body, n), broken{})
	})
}

// Short sends n bytes of the body in an answer that is well-formed and says so in its Content-Length.
func Short(n int64) Fault {
	return bodyFault(fmt.Sprintf("only %d bytes", n), func(r *http.Response, body io.Reader) io.Reader {
		r.ContentLength = n
		r.Header.Set("Content-Length", fmt.Sprint(n))
		return io.LimitReader(body, n)
	})
}

// Flip inverts the lowest bit of the body's byte n (from 0).
func Flip(n int64) Fault {
	return bodyFault(fmt.Sprintf("byte %d flipped", n), func(_ *http.Response, body io.Reader) io.Reader {
		return &flipper{body: body, at: n}
	})
}

// Stall sends n bytes of the body and then nothing, until the client hangs up.
func Stall(n int64) Fault {
	return bodyFault(fmt.Sprintf("stall after %d bytes", n), func(r *http.Response, body io.Reader) io.Reader {
		return io.MultiReader(io.LimitReader(body, n), silent{r.Request.Context().Done()})
	})
}

// Hide leaves out the headers whose names begin with prefix (in canonical form).
func Hide(prefix string) Fault {
	return Fault{name: "without " + prefix, apply: func(r *http.Response) error {
		for name := range r.Header {
			if strings.HasPrefix(name, prefix) {
				delete(r.Header, name)
			}
		}
		return nil
	}}
}

func bodyFault(name string, wrap func(*http.Response, io.Reader) io.Reader) Fault {
	return Fault{name: name, apply: func(r *http.Response) error {
		body := r.Body
		r.Body = struct {
			io.Reader
			io.Closer
		}{wrap(r, body), body}
		return nil
	}}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, fmt.Errorf("cut by the fault proxy") }

type silent struct{ done <-chan struct{} }

func (s silent) Read([]byte) (int, error) {
	<-s.done
	return 0, io.ErrUnexpectedEOF
}

type flipper struct {
	body io.Reader
	at   int64 // from the next byte on
}

func (f *flipper) Read(p []byte) (int, error) {
	n, err := f.body.Read(p)
	if f.at >= 0 && f.at < int64(n) {
		p[f.at] ^= 1
	}
	f.at -= int64(n)
	return n, err
}

// rangeStart returns the first byte that a Range header asks for; without one that is byte 0.
func rangeStart(header string) int64 {
	var start int64
	if _, err := fmt.Sscanf(header, "bytes=%d-", &start); err != nil {
		return 0
	}
	return start
}
