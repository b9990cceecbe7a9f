package api

import (
	"errors"
	"io/fs"
	"net/http"

	"github.com/dropship/dropship/dropship"
)

// A Code is one of a few words that programs can go by. They stay what they are; others may be added.
type Code string

// Why a request was not done, or not wholly.
const (
	CodeBadRequest     Code = "bad-request"           // 400: the request is not understood; the message says what of it
	CodeForbidden      Code = "forbidden"             // 403: neither root, nor the user that the agent runs as
	CodeNotFound       Code = "not-found"             // 404: there is no such path
	CodeUnknownService Code = "unknown-service"       // 404: dropship.ErrUnknownService
	CodeMethod         Code = "method-not-allowed"    // 405: the header Allow says which is
	CodeNoRelease      Code = "no-release"            // 409: dropship.ErrNoRelease
	CodeBusy           Code = "busy"                  // 409: dropship.ErrServiceBusy
	CodeTooLarge       Code = "too-large"             // 413: the body has more than 64 KiB
	CodeFailed         Code = "failed"                // 500: it was tried, and failed
	CodeNotLifted      Code = "quarantine-not-lifted" // 502: dropship.ErrNotLifted
	CodeAskAgain       Code = "ask-again"             // 503: dropship.ErrEnded
	CodeTooMany        Code = "too-many-streams"      // 503: as many follow the events as may
	CodeBehind         Code = "behind"                // in a stream of events: its reader was too slow
)

// ErrUnreachable means that no agent answers at the socket.
var ErrUnreachable = errors.New("cannot reach the agent")

// An Error is the agent's answer to what it did not do, or not wholly. By its code it is the error that package dropship
// has for it, or fs.ErrPermission (errors.Is).
type Error struct {
	Code    Code          `json:"code"`
	Message string        `json:"message"`
	Step    dropship.Step `json:"step,omitempty"` // of an update, that failed
}

func (e *Error) Error() string { return e.Message }

// Is reports whether target is the error that the code stands for.
func (e *Error) Is(target error) bool {
	for _, k := range kinds {
		if k.err == target { //nolint:errorlint // Is is what errors.Is calls
			return k.code == e.Code
		}
	}
	return false
}

// kinds are the errors that have a code.
var kinds = []struct {
	err    error
	code   Code
	status int
}{
	{dropship.ErrUnknownService, CodeUnknownService, http.StatusNotFound},
	{dropship.ErrNoRelease, CodeNoRelease, http.StatusConflict},
	{dropship.ErrServiceBusy, CodeBusy, http.StatusConflict},
	{dropship.ErrNotLifted, CodeNotLifted, http.StatusBadGateway},
	{dropship.ErrEnded, CodeAskAgain, http.StatusServiceUnavailable},
	{fs.ErrPermission, CodeForbidden, http.StatusForbidden},
}

// statuses of the errors that are made here.
var statuses = map[Code]int{
	CodeBadRequest: http.StatusBadRequest,
	CodeForbidden:  http.StatusForbidden,
	CodeNotFound:   http.StatusNotFound,
	CodeMethod:     http.StatusMethodNotAllowed,
	CodeTooLarge:   http.StatusRequestEntityTooLarge,
	CodeTooMany:    http.StatusServiceUnavailable,
}

// answer returns how err is told, and the status that it is told with.
func answer(err error) (*Error, int) {
	if e, ok := errors.AsType[*Error](err); ok {
		return e, statuses[e.Code]
	}
	e := &Error{Code: CodeFailed, Message: err.Error()}
	if step, ok := errors.AsType[*dropship.StepError](err); ok {
		e.Step = step.Step
	}
	for _, k := range kinds {
		// A file that the agent may not read is the agent's failure.
		if k.code != CodeForbidden && errors.Is(err, k.err) {
			e.Code = k.code
			return e, k.status
		}
	}
	return e, http.StatusInternalServerError
}

// An errorReply is the body of every answer that is not 200.
type errorReply[T any] struct {
	Error  *Error `json:"error"`
	Result T      `json:"result,omitzero"` // what there is all the same: as with 200
}
