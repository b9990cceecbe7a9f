package api

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dropship/dropship/dropship"
)

const (
	longestName   = 200  // characters of by and to
	longestReason = 1000 // characters
)

// accept returns why a request is none for its path.
func accept(w http.ResponseWriter, r *http.Request, method string, query []string) error {
	if r.Method != method && (r.Method != http.MethodHead || method != http.MethodGet) {
		w.Header().Set("Allow", method)
		return &Error{Code: CodeMethod, Message: fmt.Sprintf("%s takes %s, and got %s", r.URL.Path, method, r.Method)}
	}
	got, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return &Error{Code: CodeBadRequest, Message: fmt.Sprintf("cannot read the query of %s: %v", r.URL.Path, err)}
	}
	for name := range got {
		if !slices.Contains(query, name) {
			takes := "none"
			if len(query) > 0 {
				takes = strings.Join(query, ", ")
			}
			return &Error{Code: CodeBadRequest, Message: fmt.Sprintf("%s has no query parameter %q; it takes %s", r.URL.Path, name, takes)}
		}
	}
	return nil
}

// read reads the body of a request: one JSON object, or nothing, which is an empty one.
func read(w http.ResponseWriter, r *http.Request, into any) error {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout))
	// What is read after the body is only that the client goes away.
	defer func() { _ = control.SetReadDeadline(time.Time{}) }()
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		if _, err = d.Token(); err == nil {
			err = errors.New("there is more behind the object")
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &Error{Code: CodeTooLarge, Message: fmt.Sprintf("the body has more than %d bytes", maxBody)}
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Code: CodeBadRequest, Message: "cannot read the body: " + inWords(err)}
}

// inWords is what is wrong with a body in the words of JSON, and not of the language that this is written in.
func inWords(err error) string {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		article := "a"
		if strings.HasPrefix(e.Value, "array") || strings.HasPrefix(e.Value, "object") {
			article = "an"
		}
		if e.Field == "" {
			return fmt.Sprintf("it has to be a JSON object, and is %s %s", article, e.Value)
		}
		return fmt.Sprintf("%s has to be a string, and is %s %s", e.Field, article, e.Value)
	}
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("it is no JSON: %v, at byte %d", e, e.Offset)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return "it ends in the middle of the JSON"
	}
	return strings.TrimPrefix(err.Error(), "json: ") // that a field is unknown has no type
}

// What is wrong with a request, beyond its shape.

func (checkRequest) check() error { return nil }

func (r rollbackRequest) check() error {
	return cmp.Or(person(r.By), text("to", r.To, longestName), text("reason", r.Reason, longestReason))
}

func (r byRequest) check() error { return person(r.By) }

func (r pauseRequest) check() error {
	if !r.Until.IsZero() && !r.Until.After(time.Now()) {
		return &Error{Code: CodeBadRequest, Message: fmt.Sprintf("until: %s is over", r.Until.Format(time.RFC3339))}
	}
	return cmp.Or(person(r.By), text("reason", r.Reason, longestReason))
}

// person returns why by does not name one.
func person(by string) error {
	if strings.TrimSpace(by) == "" {
		return &Error{Code: CodeBadRequest, Message: `by is missing: the person who wants it, "user@host"`}
	}
	return text("by", by, longestName)
}

// text returns why a text cannot stand in a log, or a table.
func text(name, value string, limit int) error {
	switch {
	case utf8.RuneCountInString(value) > limit:
		return &Error{Code: CodeBadRequest, Message: fmt.Sprintf("%s is longer than %d characters", name, limit)}
	case dropship.Printable(value) != value:
		return &Error{Code: CodeBadRequest, Message: name + " has characters in it that cannot be printed; a line break is one"}
	}
	return nil
}
