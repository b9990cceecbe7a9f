package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/dropship/dropship/dropship"
)

const (
	// headerTimeout is how long a request may take to arrive, and bodyTimeout its body.
	headerTimeout = 10 * time.Second
	bodyTimeout   = 10 * time.Second
	// writeTimeout is how long a reader may take for an answer, or for one event.
	writeTimeout = 10 * time.Second
	// idleTimeout is how long a connection stays open without a request.
	idleTimeout = 30 * time.Second
	// closeTimeout is how long answers may take to be written when the agent ends.
	closeTimeout = time.Second

	maxHeader  = 16 << 10
	maxBody    = 64 << 10
	maxStreams = 64
)

// A Server answers for an agent.
type Server struct {
	agent   *dropship.Agent
	store   *dropship.Store
	about   Agent
	streams chan struct{} // an element for each stream of events
	patient time.Duration // writeTimeout, but in a test
	http    http.Server
	end     context.CancelCauseFunc
}

// NewServer returns a server for an agent, on its machine. about says what the agent cannot know of
// its process: Version, Started, Config.
func NewServer(agent *dropship.Agent, m *dropship.Machine, about Agent) *Server {
	s := &Server{agent: agent, store: m.Store, about: about, streams: make(chan struct{}, maxStreams), patient: writeTimeout}
	s.about.PID, s.about.Hostname = os.Getpid(), m.Hostname
	ctx, end := context.WithCancelCause(context.Background())
	s.end = end
	s.http = http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       withPeer,
		ErrorLog:          slog.NewLogLogger(m.Logger.Handler(), slog.LevelWarn),
	}
	return s
}

// Serve answers until Close. It returns why it cannot any more; nil after Close.
func (s *Server) Serve(l net.Listener) error {
	err := s.http.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("cannot answer at the socket %s any more: %w", l.Addr(), err)
}

// Close ends what is under way: callers are told to ask again, followers of events that the agent ends. It returns when
// the socket is closed, and every answer written, or after a second.
func (s *Server) Close() error {
	s.end(dropship.ErrEnded)
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if err := s.http.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return s.http.Close()
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	get(s, mux, "/v1/agent", s.describe)
	get(s, mux, "/v1/services", s.statuses)
	get(s, mux, "/v1/services/{service}", s.status)
	get(s, mux, "/v1/services/{service}/why", s.why)
	get(s, mux, "/v1/services/{service}/history", s.history, "limit")
	get(s, mux, "/v1/services/{service}/releases", s.releases)
	post(s, mux, "/v1/services/{service}/check", s.check)
	post(s, mux, "/v1/services/{service}/rollback", s.rollback)
	post(s, mux, "/v1/services/{service}/retry", s.retry)
	post(s, mux, "/v1/services/{service}/pause", s.pause)
	post(s, mux, "/v1/services/{service}/resume", s.resume)
	mux.HandleFunc("/v1/events", s.events)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.write(w, nil, &Error{Code: CodeNotFound, Message: fmt.Sprintf("there is no path %q", r.URL.Path)})
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := peerError(r.Context()); err != nil {
			w.Header().Set("Connection", "close")
			s.write(w, nil, err)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// get has a path answered with what do returns: beside an error what there is all the same, or nil.
func get(s *Server, mux *http.ServeMux, path string, do func(*http.Request) (any, error), query ...string) {
	mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		var value any
		err := accept(w, r, http.MethodGet, query)
		if err == nil {
			value, err = do(r)
		}
		s.write(w, value, err)
	})
}

// post is get for what takes a body.
func post[T interface{ check() error }](s *Server, mux *http.ServeMux, path string, do func(*http.Request, T) (any, error)) {
	mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		var value any
		var request T
		err := accept(w, r, http.MethodPost, nil)
		if err == nil {
			err = read(w, r, &request)
		}
		if err == nil {
			err = request.check()
		}
		if err == nil {
			value, err = do(r, request)
		}
		s.write(w, value, err)
	})
}

// write answers. Whoever does not read it in time is cut off.
func (s *Server) write(w http.ResponseWriter, value any, err error) {
	status := http.StatusOK
	if err != nil {
		reply := errorReply[any]{Result: value}
		reply.Error, status = answer(err)
		value = reply
	}
	body, err := json.Marshal(value)
	if err != nil { // none of the types can do that
		status = http.StatusInternalServerError
		body, _ = json.Marshal(errorReply[any]{Error: &Error{Code: CodeFailed, Message: fmt.Sprintf("cannot write the answer: %v", err)}})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.patient))
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // if that fails, the reader is gone
}
