package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

// terminal tells whether w is one that shows colours, and how wide it is.
func terminal(w io.Writer) (color bool, width uint) {
	f, ok := terminalFile(w)
	if !ok {
		return false, 80
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil || columns < 20 {
		columns = 80
	}
	return os.Getenv("NO_COLOR") == "", uint(columns)
}

// isTerminal reports whether w is shown to a person as it is written.
func isTerminal(w io.Writer) bool {
	_, ok := terminalFile(w)
	return ok
}

func terminalFile(w io.Writer) (*os.File, bool) {
	if o, ok := w.(*output); ok {
		w = o.w
	}
	f, ok := w.(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}
