package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/dropship/dropship/dropship"
)

// heartbeat is how often a stream says that it is there, when it has nothing to tell: so a reader that is gone is noticed.
const heartbeat = 15 * time.Second

// closed is the type of the last event of a stream that the agent ends. Its data is the body of an error.
const closed = "closed"

// events is a stream of server-sent events: those from when the answer begins.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	if err := accept(w, r, http.MethodGet, []string{"service"}); err != nil {
		s.write(w, nil, err)
		return
	}
	services := r.URL.Query()["service"]
	for _, name := range services {
		if _, ok := s.agent.Status(name); !ok {
			s.write(w, nil, s.unknown(name))
			return
		}
	}
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		s.write(w, nil, &Error{Code: CodeTooMany, Message: fmt.Sprintf("%d follow the events, which is as many as may", maxStreams)})
		return
	}
	events, cancel := s.agent.Subscribe()
	defer cancel()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Connection", "close") // with its end it is worth nothing any more
	// Whoever gets the header misses nothing that happens afterwards.
	stream := &stream{w: w, control: http.NewResponseController(w), patient: s.patient}
	stream.send(": events from now on\n\n")
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for stream.err == nil {
		select {
		case e, ok := <-events:
			switch {
			case !ok:
				stream.end(&Error{Code: CodeBehind, Message: "the reader is too slow: events are lost from here on; follow them anew"})
				return
			case len(services) == 0 || slices.Contains(services, e.Service):
				stream.event(string(e.Type), e)
			}
		case <-beat.C:
			stream.send(": still here\n\n")
		case <-r.Context().Done():
			stream.end(&Error{Code: CodeAskAgain, Message: "the agent ends"})
			return
		}
	}
}

// A stream writes events. One that cannot be written in time is the last.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	patient time.Duration
	err     error
}

func (s *stream) send(text string) {
	_ = s.control.SetWriteDeadline(time.Now().Add(s.patient))
	if _, s.err = s.w.Write([]byte(text)); s.err == nil {
		s.err = s.control.Flush()
	}
}

func (s *stream) event(kind string, value any) {
	data, err := json.Marshal(value)
	if err != nil { // none of the types can do that
		s.err = err
		return
	}
	s.send(fmt.Sprintf("event: %s\ndata: %s\n\n", kind, data))
}

// end tells the reader why nothing comes any more. One that is gone does not hear it.
func (s *stream) end(e *Error) { s.event(closed, errorReply[*dropship.Event]{Error: e}) }
