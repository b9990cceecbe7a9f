package main

import (
	"io"
	"os"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/dropship/dropship/dropship"
)

// refresh is how often the bars are drawn.
const refresh = 100 * time.Millisecond

// Bars show on a terminal what happens to each service: a line for each that is worked on, below whatever is logged.
// They are an observer of the machine.
type bars struct {
	terminal *os.File
	page     page // for its colours

	mu    sync.Mutex
	lines []*line
	below []string // the lines after the first one, as they are drawn now
}

// newBars returns the bars of services on that terminal.
func newBars(terminal *os.File, color bool, services []*dropship.Service) *bars {
	b := &bars{terminal: terminal, page: page{color: color}}
	for _, s := range services {
		b.lines = append(b.lines, newLine(s))
	}
	return b
}

// barsTerminal returns the terminal that bars can be shown on, or nil: they belong where the log goes, since what came
// of an update is the only result. A terminal that cannot move its cursor has TERM=dumb, or none.
func (a *app) barsTerminal() *os.File {
	f, ok := terminalFile(a.stderr)
	kind := os.Getenv("TERM")
	if !ok || a.logFormat != "text" || kind == "" || kind == "dumb" {
		return nil
	}
	return f
}

// Observe implements dropship.Observer.
func (b *bars) Observe(e dropship.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.lines {
		if l.service.Name == e.Service {
			l.observe(e)
		}
	}
}

// Fill implements mpb.BarFiller: it draws the first line.
func (b *bars) Fill(w io.Writer, at decor.Statistics) error {
	_, height, err := term.GetSize(int(b.terminal.Fd()))
	if err != nil {
		height = 24
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	// The cursor stands below the lines, and one is for what a person types.
	all := b.draw(at.AvailableWidth, height-2, time.Now())
	b.below = all[1:]
	_, err = io.WriteString(w, "\r"+all[0]) // what a person types, as Ctrl-C, moves the cursor
	return err
}

// rest draws the other lines.
func (b *bars) rest(w io.Writer, _ decor.Statistics) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range b.below {
		if _, err := io.WriteString(w, text+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// A logAbove is where the log goes: to the terminal, above the bars while there are some.
type logAbove struct {
	w io.Writer

	mu       sync.Mutex
	progress *mpb.Progress // nil without bars
	block    *mpb.Bar      // all lines, as one
}

// Write implements io.Writer.
func (l *logAbove) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.progress != nil {
		if _, err := l.progress.Write(append([]byte("\r"), text...)); err == nil {
			return len(text), nil
		}
	}
	return l.w.Write(text)
}

// show begins to draw the bars.
func (l *logAbove) show(b *bars) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.progress = mpb.New(mpb.WithOutput(b.terminal), mpb.WithRefreshRate(refresh))
	l.block = l.progress.MustAdd(0, b, mpb.BarFillerTrim(), mpb.BarExtender(mpb.BarFillerFunc(b.rest), false))
}

// hide removes the bars, once all that was logged is above them. It may be called again.
func (l *logAbove) hide() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.progress == nil {
		return
	}
	l.block.Abort(true)
	l.progress.Wait()
	l.progress = nil
}
