package api

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/dropship/dropship/dropship"
)

func (s *Server) describe(*http.Request) (any, error) {
	about := s.about
	about.Services = []string{}
	for _, st := range s.agent.Statuses() {
		about.Services = append(about.Services, st.Name)
	}
	about.Rejected = s.agent.Rejected()
	return about, nil
}

func (s *Server) statuses(*http.Request) (any, error) {
	return statusesReply{s.agent.Statuses()}, nil
}

func (s *Server) status(r *http.Request) (any, error) {
	st, ok := s.agent.Status(r.PathValue("service"))
	if !ok {
		return nil, s.unknown(r.PathValue("service"))
	}
	return st, nil
}

// unknown returns that there is no such service, and why that may be.
func (s *Server) unknown(name string) error {
	why, err := s.agent.WhyUnknown(name)
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: %q: %s", dropship.ErrUnknownService, name, why.Text)
}

// explained adds to an error why a service may be unknown.
func (s *Server) explained(name string, err error) error {
	if errors.Is(err, dropship.ErrUnknownService) {
		return s.unknown(name)
	}
	return err
}

func (s *Server) why(r *http.Request) (any, error) {
	return told(s.agent.Why(r.Context(), r.PathValue("service")))
}

// told returns no value beside an error.
func told[T any](value T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return value, nil
}

func (s *Server) history(r *http.Request) (any, error) {
	name, limit := r.PathValue("service"), 0
	if text := r.FormValue("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return nil, &Error{Code: CodeBadRequest, Message: fmt.Sprintf("limit %q is no number of updates; 0 means all that are remembered", text)}
		}
		limit = n
	}
	if _, ok := s.agent.Status(name); !ok {
		return nil, s.unknown(name)
	}
	records, err := s.store.History(name, limit)
	if records == nil {
		return nil, err
	}
	return historyReply{records}, err
}

func (s *Server) releases(r *http.Request) (any, error) {
	name := r.PathValue("service")
	kept, err := s.agent.Releases(name)
	return told(releasesReply{kept}, s.explained(name, err))
}

func (s *Server) check(r *http.Request, _ checkRequest) (any, error) {
	name := r.PathValue("service")
	e, err := s.agent.Check(r.Context(), name)
	return told(e, s.explained(name, err))
}

func (s *Server) rollback(r *http.Request, req rollbackRequest) (any, error) {
	name := r.PathValue("service")
	result, err := s.agent.Rollback(r.Context(), name, dropship.RollbackRequest(req))
	if err != nil && result.Outcome == "" {
		return nil, s.explained(name, err)
	}
	return replyOf(result), err
}

func (s *Server) retry(r *http.Request, req byRequest) (any, error) {
	name := r.PathValue("service")
	freed, err := s.agent.Retry(r.Context(), name, req.By)
	if err != nil && len(freed) == 0 {
		return nil, s.explained(name, err)
	}
	return retryReply{append([]dropship.Quarantined{}, freed...)}, err
}

func (s *Server) pause(r *http.Request, req pauseRequest) (any, error) {
	name := r.PathValue("service")
	updating, err := s.agent.Pause(name, dropship.Pause{By: req.By, Reason: req.Reason, Until: req.Until.Time})
	return told(pauseReply{updating}, s.explained(name, err))
}

func (s *Server) resume(r *http.Request, req byRequest) (any, error) {
	name := r.PathValue("service")
	p, err := s.agent.Resume(name, req.By)
	return told(resumeReply{p}, s.explained(name, err))
}
