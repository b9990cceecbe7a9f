package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"time"
)

// MaxConnections is what a socket takes at a time.
const MaxConnections = maxConnections

// MaxStreams is how many may follow the events.
const MaxStreams = maxStreams

// HasPatience sets how long a reader may take.
func (s *Server) HasPatience(d time.Duration) { s.patient = d }

// PauseRequest is the body of a request for a pause.
type PauseRequest = pauseRequest

// ReadPause reads one as the server does.
func ReadPause(body string) (PauseRequest, error) {
	var req PauseRequest
	err := read(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)), &req)
	if err == nil {
		err = req.check()
	}
	return req, err
}
