package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"

	"github.com/dropship/dropship/dropship"
)

// longestEvent bounds one line of a stream, in bytes.
const longestEvent = 16 << 20

// Events follows what happens from when it returns, to these services, or, without any, to all and to the agent. The
// sequence can be ranged over once, and has to be, or ctx to end: until then it holds a connection. It ends with an
// error, always: the end of ctx; ErrUnreachable, when the agent is gone; else an *Error, dropship.ErrEnded when the agent
// stops, CodeBehind when the reader was too slow. What happens until it is called again is not told.
func (c *Client) Events(ctx context.Context, services ...string) (iter.Seq2[dropship.Event, error], error) {
	response, err := c.send(ctx, http.MethodGet, "/v1/events?"+url.Values{"service": services}.Encode(), nil) //nolint:bodyclose // the sequence does
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		var reply errorReply[any]
		if err := json.NewDecoder(response.Body).Decode(&reply); err != nil || reply.Error == nil {
			return nil, c.broken(ctx, fmt.Errorf("status %s, and no reason", response.Status))
		}
		return nil, reply.Error
	}
	return func(yield func(dropship.Event, error) bool) {
		defer response.Body.Close()
		lines := bufio.NewScanner(response.Body)
		lines.Buffer(nil, longestEvent)
		kind := ""
		for lines.Scan() {
			line := lines.Text()
			if name, ok := strings.CutPrefix(line, "event: "); ok {
				kind = name
			}
			data, ok := strings.CutPrefix(line, "data: ")
			if !ok {
				continue
			}
			e, err := parse(kind, data)
			if err != nil {
				yield(e, err)
				return
			}
			if !yield(e, nil) {
				return
			}
		}
		err := lines.Err()
		if err == nil {
			err = io.ErrUnexpectedEOF
		}
		yield(dropship.Event{}, c.broken(ctx, err))
	}, nil
}

// parse returns the event that a stream tells, or why the stream ends.
func parse(kind, data string) (dropship.Event, error) {
	if kind == closed {
		var reply errorReply[any]
		if err := json.Unmarshal([]byte(data), &reply); err != nil || reply.Error == nil {
			return dropship.Event{}, fmt.Errorf("cannot read why the agent ends the events: %s", data)
		}
		return dropship.Event{}, reply.Error
	}
	var e dropship.Event
	if err := json.Unmarshal([]byte(data), &e); err != nil {
		return dropship.Event{}, fmt.Errorf("cannot read an event of the agent: %w", err)
	}
	return e, nil
}
