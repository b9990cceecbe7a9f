package faultproxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// A Fault is one way to break an answer.
type Fault struct {
	name    string
	instead http.HandlerFunc           // if not nil, the proxy answers by itself, without asking the server
	apply   func(*http.Response) error // else this changes the server's answer
}

func (f Fault) String() string { return f.name }

var errCut = errors.New("cut by the fault proxy")

// Status answers with code, and with headers given as names and values by turns, without asking the server.
func Status(code int, header ...string) Fault {
	return Fault{name: fmt.Sprintf("status %d %q", code, header), instead: func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		http.Error(w, "injected by the fault proxy", code)
	}}
}

// StatusStall answers with code and the beginning of a body, and then with nothing, until the client hangs up.
func StatusStall(code int) Fault {
	return Fault{name: fmt.Sprintf("status %d, then silence", code), instead: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, "<")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}}
}

// Loop redirects each request to itself with code.
func Loop(code int) Fault {
	return Fault{name: fmt.Sprintf("redirects with %d for ever", code), instead: func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.RequestURI(), code)
	}}
}

// Raw sends these bytes in place of an answer, and closes the connection.
func Raw(text string) Fault {
	return Fault{name: fmt.Sprintf("raw %.20q", text), instead: func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		_, _ = io.Copy(io.Discard, r.Body) // unread, it would turn the close into a reset
		_, _ = io.WriteString(conn, text)
	}}
}

// Silence takes the request and never answers, until the client hangs up. The server is not asked.
func Silence() Fault {
	return Fault{name: "silence", instead: func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only a server that has read the body notices that the client went away
		<-r.Context().Done()
	}}
}

// Refuse breaks the connection in place of asking the server.
func Refuse() Fault {
	return Fault{name: "cut before the request", instead: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }}
}

// Lose lets the server answer and breaks the connection in place of passing that on.
func Lose() Fault {
	return Fault{name: "answer lost", apply: func(r *http.Response) error {
		r.Body.Close()
		return errCut
	}}
}

// Cut sends n bytes of the body and then breaks the connection.
func Cut(n int64) Fault {
	return bodyFault(fmt.Sprintf("cut after %d bytes", n), func(_ *http.Response, body io.Reader) io.Reader {
		return io.MultiReader(io.LimitReader(body, n), broken{})
	})
}

// Reset is Cut with a TCP reset, which takes bytes along that are still on their way.
func Reset(n int64) Fault {
	return bodyFault(fmt.Sprintf("reset after %d bytes", n), func(r *http.Response, body io.Reader) io.Reader {
		return io.MultiReader(io.LimitReader(body, n), resetting{r.Request.Context()})
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

// Unsized sends n bytes of the body in an answer that is well-formed and has no Content-Length.
func Unsized(n int64) Fault {
	return bodyFault(fmt.Sprintf("only %d bytes, without a length", n), func(r *http.Response, body io.Reader) io.Reader {
		r.ContentLength = -1
		r.Header.Del("Content-Length")
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

// Trickle sends n bytes of the body each pause.
func Trickle(n int, pause time.Duration) Fault {
	return bodyFault(fmt.Sprintf("%d bytes each %s", n, pause), func(r *http.Response, body io.Reader) io.Reader {
		return &trickle{body: body, n: n, pause: pause, done: r.Request.Context().Done()}
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

// Forge sets a header of the server's answer.
func Forge(name, value string) Fault {
	return Fault{name: fmt.Sprintf("%s: %s", name, value), apply: func(r *http.Response) error {
		r.Header.Set(name, value)
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

func (broken) Read([]byte) (int, error) { return 0, errCut }

type resetting struct{ ctx context.Context }

func (r resetting) Read([]byte) (int, error) {
	if c, ok := r.ctx.Value(connKey{}).(*conn); ok {
		c.reset()
	}
	return 0, errCut
}

type silent struct{ done <-chan struct{} }

func (s silent) Read([]byte) (int, error) {
	<-s.done
	return 0, io.ErrUnexpectedEOF
}

type trickle struct {
	body  io.Reader
	n     int
	pause time.Duration
	done  <-chan struct{}
}

func (t *trickle) Read(p []byte) (int, error) {
	timer := time.NewTimer(t.pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return t.body.Read(p[:min(len(p), t.n)])
	case <-t.done:
		return 0, io.ErrUnexpectedEOF
	}
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
