package main

import (
	"errors"
	"fmt"
	"io"
	"syscall"
)

// An output is where results go. It keeps the first write that failed, for whoever asks at the end: a command whose result
// did not arrive, because the disk is full, has not done what it was called for.
type output struct {
	w    io.Writer
	err  error
	gone bool // the reader: it has had what it wanted, like head
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	switch {
	case errors.Is(err, syscall.EPIPE):
		o.gone = true
	case err != nil && o.err == nil:
		o.err = fmt.Errorf("cannot write the result: %w", err)
	}
	return n, err
}
